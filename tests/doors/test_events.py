"""`/auth/events`: an open page learns within a second that its session has ended."""

import queue
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from bff_rig import BffRig, environment, error_of, running_bff
from door_rig import on_a_socket
from listed_entropy import ListedEntropy
from redis_server import RedisServer
from wire_browser import Listener, WireBrowser

from bff.adapters.system import SystemClock
from bff.errors import StoreDownError
from bff.settings import Settings
from bff.signin.records import BrowserSession, SessionKey
from bff.web.auth_routes import FORGIVEN, _spread
from bff.wiring import build

WITHIN_S = 1.0
HEARTBEAT = timedelta(seconds=15)


@pytest.fixture(params=["file", "redis"])
def each(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BffRig]:
    """A BFF on each store, on the machine's clock."""
    clock = {"clock": SystemClock()}
    if request.param == "file":
        with running_bff(tmp_path, provider=clock) as bff:
            yield bff
        return
    with (
        RedisServer() as redis,
        running_bff(tmp_path, provider=clock, BFF_STORE_URL=redis.url) as bff,
    ):
        yield bff


def only_session(bff: BffRig) -> str:
    (session,) = bff.services.book.everyone()
    return session.key


def revoke(bff: BffRig, _: WireBrowser) -> None:
    bff.services.sign_out.revoke(only_session(bff))  # type: ignore[arg-type]  # a key of ours


def sign_out(_: BffRig, browser: WireBrowser) -> None:
    browser.post("/auth/logout")


def revoke_elsewhere(bff: BffRig, _: WireBrowser) -> None:
    env = environment(bff.provider.url, BFF_STORE_URL=bff.settings.store_url)
    other = build(Settings.read(env), clock=bff.clock)
    other.sign_out.revoke(only_session(bff))  # type: ignore[arg-type]  # a key of ours
    other.close()


def back_channel(bff: BffRig, _: WireBrowser) -> None:
    token = bff.provider.provider.logout_token("brand", subject="c-20417")
    answer = bff.app.test_client().post("/auth/backchannel-logout", data={"logout_token": token})
    assert answer.status_code == 200


def heard(listener: Listener) -> tuple[str, float]:
    began = time.monotonic()
    name, data = listener.next(within_s=WITHIN_S)
    assert name == "session_ended"
    return str(data["reason"]), time.monotonic() - began


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (revoke, "revoked"),
        (sign_out, "signed_out"),
        (revoke_elsewhere, "revoked"),
        (back_channel, "provider_logout"),
    ],
)
def test_an_open_page_is_told_why_within_a_second(
    each: BffRig, end: Callable[[BffRig, WireBrowser], None], reason: str
) -> None:
    with on_a_socket(each) as browser, browser.listening() as page, browser.listening() as second:
        end(each, browser)

        assert [heard(page)[0], heard(second)[0]] == [reason, reason]
        assert page.ended(within_s=WITHIN_S)


def test_it_begins_with_who_is_signed_in_and_is_never_kept(bff: BffRig) -> None:
    with on_a_socket(bff) as browser:
        answer = browser.get("/auth/events", stream=True, Origin="http://www.brand.localhost")
        lines = answer.iter_lines(chunk_size=1, decode_unicode=True)
        begin = [next(lines) for _ in range(4)]
        told = browser.get("/auth/session").json()
        answer.close()

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["Access-Control-Allow-Origin"] == "http://www.brand.localhost"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert begin[:3] == ["retry: 2000", "", "event: session"]
    assert '"signed_in": true' in begin[3]
    assert told["person"] in begin[3]


def test_without_a_session_an_event_source_is_sent_away_for_good(bff: BffRig) -> None:
    answer = bff.browser().get("/auth/events")

    assert (answer.status_code, answer.data) == (204, b"")


def test_nobody_hears_of_somebody_elses_session(bff: BffRig) -> None:
    other = bff.browser()
    other.sign_in("zoe")
    with on_a_socket(bff) as browser, browser.listening() as page:
        other.post("/auth/logout")

        with pytest.raises(queue.Empty):
            page.next(within_s=0.3)


def test_signing_in_again_as_the_same_person_ends_the_stream_silently(bff: BffRig) -> None:
    with on_a_socket(bff) as browser, browser.listening() as page:
        browser.sign_in()

        assert page.ended(within_s=WITHIN_S)
        assert browser.signed_in


def test_an_expiry_that_nobody_announces_is_told_at_the_next_heartbeat(bff: BffRig) -> None:
    with on_a_socket(bff, heartbeat_s=0.1) as browser, browser.listening() as page:
        bff.clock.advance(timedelta(hours=12))

        assert heard(page)[0] == "expired"
        assert page.ended(within_s=WITHIN_S)


def test_a_heartbeat_keeps_a_quiet_stream_open(bff: BffRig) -> None:
    with on_a_socket(bff, heartbeat_s=0.05) as browser:
        answer = browser.get("/auth/events", stream=True)
        lines = answer.iter_lines(chunk_size=1, decode_unicode=True)
        beats = [line for line in (next(lines) for _ in range(12)) if line.startswith(":")]
        answer.close()

    assert len(beats) >= 2
    assert set(beats) == {": still here"}


def test_a_lost_subscription_ends_the_stream_so_that_the_page_asks_again(tmp_path: Path) -> None:
    with (
        RedisServer() as redis,
        running_bff(tmp_path, provider={"clock": SystemClock()}, BFF_STORE_URL=redis.url) as bff,
        on_a_socket(bff) as browser,
        browser.listening() as page,
    ):
        redis.kill()

        assert page.ended(within_s=5)
        assert browser.get("/auth/events").status_code == 503


def test_a_store_that_goes_away_ends_a_quiet_stream_without_a_trace(
    bff: BffRig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_: str) -> None:
        raise StoreDownError("gone")

    with on_a_socket(bff, heartbeat_s=0.1) as browser, browser.listening() as page:
        monkeypatch.setattr(bff.services.book, "look_up", away)

        assert page.ended(within_s=5)

    assert "store_unavailable: gone" in caplog.text
    assert "Traceback" not in caplog.text


def test_look_ups_that_fail_for_a_moment_end_no_stream(
    bff: BffRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = bff.services.book
    # The look-up before the first byte is answered; the next ones fail.
    look_up, fates = book.look_up, iter([False, *[True] * FORGIVEN])

    def away_for_a_moment(key: SessionKey) -> BrowserSession | None:
        if next(fates, False):
            raise StoreDownError("gone for a moment")
        return look_up(key)

    with on_a_socket(bff, heartbeat_s=0.02) as browser:
        monkeypatch.setattr(book, "look_up", away_for_a_moment)
        answer = browser.get("/auth/events", stream=True)
        lines = answer.iter_lines(chunk_size=1, decode_unicode=True)
        told = [next(lines) for _ in range(6 + 4 * FORGIVEN)]
        answer.close()

    assert next(fates, None) is None
    assert told[2] == "event: session"
    assert told.count(": still here") >= 2 * FORGIVEN - 1


def test_signs_of_life_are_spread_and_never_late() -> None:
    listed = ListedEntropy(*(bytes([byte]) for byte in range(256)))

    lengths = [_spread(HEARTBEAT, listed) for _ in range(256)]

    assert min(lengths) == HEARTBEAT / 2
    assert HEARTBEAT * 0.99 < max(lengths) <= HEARTBEAT
    assert len(set(lengths)) == 256


def test_without_a_subscription_the_answer_is_503_and_no_broken_stream(
    bff: BffRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = bff.browser()
    browser.sign_in()

    def away(*_: str) -> None:
        raise StoreDownError("gone")

    monkeypatch.setattr(bff.services.store, "subscribe", away)

    answer = browser.get("/auth/events")

    assert (answer.status_code, error_of(answer)) == (503, "store_unavailable")
    assert answer.headers["Retry-After"]


def test_a_stream_that_opens_while_the_process_leaves_ends_at_once(bff: BffRig) -> None:
    with on_a_socket(bff) as browser:
        with browser.listening():
            bff.services.news.close()

        with browser.listening() as page:
            assert page.ended(within_s=WITHIN_S)
