"""Redis dies in the middle of chats and comes back empty: nobody crashes, and guests are told."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from guest_page import GuestPage
from guest_processes import GuestProcess, GuestSite, guest_site
from redis_server import RedisServer
from websockets.exceptions import ConnectionClosed


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """One of each, on one Redis."""

    site: GuestSite
    redis: RedisServer
    serve: GuestProcess
    gateway: GuestProcess


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with ExitStack() as running:
        redis = running.enter_context(RedisServer())
        folder = tmp_path_factory.mktemp("without-redis")
        site = running.enter_context(guest_site(folder, store_url=redis.url))
        serve = running.enter_context(site.serving())
        gateway = running.enter_context(site.gateway())
        yield Town(site=site, redis=redis, serve=serve, gateway=gateway)
        for process in (serve, gateway):
            assert process.process.poll() is None
            assert "Traceback" not in process.log, process.log


def test_redis_dies_and_comes_back_empty_in_the_middle_of_chats(town: Town) -> None:
    site, both = town.site, (town.serve, town.gateway)
    jars = [site.signed_in(name)[1] for name in ("amira", "zoe")]
    with ExitStack() as open_pages:
        nobodies = [open_pages.enter_context(site.page(at)) for at in both]
        persons = [
            open_pages.enter_context(site.page(at, jar)) for at, jar in zip(both, jars, strict=True)
        ]
        for number, page in enumerate([*nobodies, *persons]):
            page.open()
            page.say(f"before {number}")
            page.until("message_delivered", seq=1)
        town.redis.kill()
        for number, page in enumerate(nobodies):
            page.say(f"without {number}")
            page.until("message_delivered", seq=2)
        for at in both:
            with site.page(at) as newcomer:
                newcomer.send(newcomer.keys.init())
                assert newcomer.next()["code"] == "service_unavailable"
        town.redis.start()
        for page in persons:
            # Sign-in and session are gone with the store: nobody knows any more who this is.
            reason = page.until("session_ended")["reason"]
            assert reason in {"expired", "signed_out"}
            assert page.until_closed() == (1000, reason)
        for number, page in enumerate(nobodies):
            if not chats_on(page, f"after {number}"):
                assert page.last() == {"type": "session_ended", "reason": "expired"}
                assert page.closed_with == (1000, "expired")
    for number, at in enumerate(both):
        with site.page(at) as fresh:
            fresh.open()
            fresh.say(f"a fresh one {number}")
            fresh.until("message_delivered", seq=1)
    for number in range(len(both)):
        for what in ("before", "without", "a fresh one"):
            assert site.heard.count(f"{what} {number}") == 1
        assert site.heard.count(f"after {number}") <= 1


def chats_on(page: GuestPage, text: str) -> bool:
    """Say something; tell whether it was delivered before the connection was closed."""
    try:
        page.until("message_delivered", seq=page.say(text))
    except (ConnectionClosed, AssertionError):
        assert page.closed_with[0] is not None
        return False
    return True
