"""`messenger-bff serve` carries guest sockets under gevent, and leaves them as it should."""

import hashlib
import signal
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from guest_page import GuestPage
from guest_processes import GuestProcess, GuestSite, guest_site, until
from lazy_page import LazyPage
from silent_crowd import SilentCrowd
from websockets.exceptions import InvalidStatus

SIZE, COUNT = 30_000, 40
Here = tuple[GuestSite, GuestProcess]


@pytest.fixture
def leaving(tmp_path: Path) -> Iterator[Here]:
    with guest_site(tmp_path) as site, site.serving() as serve:
        yield site, serve


def a_long_text(number: int) -> str:
    return f"{number:06}" * (SIZE // 6)


def long_texts(page: GuestPage) -> list[str]:
    """Return the digests of the long texts that came, in their order."""
    texts = [str((frame.get("body") or {}).get("text")) for frame in page.seen]
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts if len(text) == SIZE]


def test_a_guest_chats_under_gevent(here: Here) -> None:
    site, serve = here
    with site.page(serve) as page:
        page.open()
        for number in range(3):
            page.say(f"line {number}")
        for number in range(3):
            page.until("message_delivered", seq=number + 1)
        site.agent_says(site.session_of("line 2"), "a word from Robin")
        page.until_text("a word from Robin")
    assert [text for text in site.heard if text.startswith("line")] == [
        "line 0",
        "line 1",
        "line 2",
    ]


def test_a_burst_of_long_events_and_the_history_of_it_arrive_whole(here: Here) -> None:
    site, serve = here
    wanted = [hashlib.sha256(a_long_text(n).encode()).hexdigest() for n in range(COUNT)]
    with site.page(serve) as page:
        page.open()
        page.say("tell me everything")
        page.until("message_delivered")
        session = site.session_of("tell me everything")
        site.agent_says(session, *(a_long_text(number) for number in range(COUNT)))
        page.until_text(a_long_text(COUNT - 1))
        assert long_texts(page) == wanted
    with site.page(serve, page.jar) as again:
        assert again.open(encryptedSessionId=page.created["encryptedSessionId"])["resumed"]
        again.until_text(a_long_text(COUNT - 1))
        told = long_texts(again)
    assert len(told) >= 10
    assert told == wanted[-len(told) :]


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
def test_told_to_go_twice_it_delivers_what_is_in_flight_and_says_come_back(
    leaving: Here, again: signal.Signals
) -> None:
    site, serve = leaving
    with site.page(serve) as page:
        page.open()
        page.say("warm up")
        page.until("message_delivered", seq=1)
        with site.stage.genesys.lock:
            # Genesys takes nothing meanwhile: what is accepted now is on its way for sure.
            page.say("on its way")
            page.until("message_accepted", seq=2)
            began = monotonic()
            serve.told(signal.SIGTERM)
            until(lambda: "Handling signal: term" in serve.log, "it heard nothing")
            # Once more, from somebody impatient.
            serve.told(again)
            until(lambda: _refuses(site, serve), "it takes new pages")
        page.until("message_delivered", seq=2)
        assert page.until_closed() == (1012, "restart")
    assert serve.gone() == 0
    assert monotonic() - began < 8
    assert site.heard == ["warm up", "on its way"]
    assert "graceful timeout" not in serve.log
    assert serve.is_clean, serve.log


def _refuses(site: GuestSite, serve: GuestProcess) -> bool:
    try:
        site.page(serve).leave()
    except (InvalidStatus, OSError):
        return True
    return False


def test_neither_a_page_that_does_not_read_nor_a_crowd_holds_up_its_end(leaving: Here) -> None:
    site, serve = leaving
    page = LazyPage(serve.url, origin=site.stage.brand_url)
    page.open_and_stop("lazy")
    site.agent_says(site.session_of("lazy"), *[a_long_text(0)] * 2000)
    with SilentCrowd(site.stage.brand_url) as crowd:
        crowd.grow(serve.url, 300)
        began = monotonic()
        serve.told(signal.SIGTERM)
        assert crowd.farewells(within_s=5) == {(serve.url, 1012, "restart"): 300}
        assert serve.gone() == 0
        # Who starts processes often kills them after ten.
        assert monotonic() - began < 10
    page.break_off()
    assert "Worker exiting" in serve.log, "it was killed"
    assert serve.is_clean, serve.log
