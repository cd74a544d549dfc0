"""Two gateways on one Redis, and a `serve` to sign in at: one is killed, nobody loses a word."""

import signal
import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from time import monotonic

import pytest
from guest_page import GuestPage, Jar
from guest_processes import GuestProcess, GuestSite, figures, guest_site, until
from redis_server import RedisServer

from bff.simulator.genesys_faults import Door, Fault
from bff.simulator.serving import LOOPBACK

AWAY = Fault(status=503, message="away")


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """What runs, for all tests of this file; each starts the gateways that it ends."""

    site: GuestSite
    redis: RedisServer
    serve: GuestProcess
    stays: GuestProcess


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with ExitStack() as running:
        redis = running.enter_context(RedisServer())
        folder = tmp_path_factory.mktemp("town")
        site = running.enter_context(guest_site(folder, store_url=redis.url))
        serve = running.enter_context(site.serving())
        stays = running.enter_context(site.gateway("stays"))
        yield Town(site=site, redis=redis, serve=serve, stays=stays)
        for process in (serve, stays):
            assert "Traceback" not in process.log, process.log


@pytest.fixture
def leaves(town: Town) -> Iterator[GuestProcess]:
    with town.site.gateway("leaves") as process:
        yield process


@pytest.fixture
def jar(town: Town, request: pytest.FixtureRequest) -> Jar:
    """A browser: nobody's, or that of somebody who is signed in."""
    return town.site.signed_in()[1] if request.param == "person" else Jar()


@pytest.fixture
def ids() -> tuple[str, str]:
    """What a page gives its messages, to be known again by."""
    return str(uuid.uuid4()), str(uuid.uuid4())


both = pytest.mark.parametrize("jar", ["nobody", "person"], indirect=True)


def heard(town: Town, name: str) -> list[str]:
    """What Genesys heard in this test."""
    return [text for text in town.site.heard if text.startswith(name)]


def come_back(town: Town, page: GuestPage) -> GuestPage:
    """Connect to the gateway that stays, as the page's script does."""
    again = town.site.page(town.stays, page.jar)
    assert again.open(encryptedSessionId=page.created["encryptedSessionId"])["resumed"]
    return again


@both
def test_killed_while_genesys_has_heard_but_not_answered(
    town: Town,
    leaves: GuestProcess,
    jar: Jar,
    ids: tuple[str, str],
) -> None:
    name = f"heard {len(jar.cookies)}"
    page = town.site.page(leaves, jar)
    page.open()
    page.say(f"{name}: before")
    page.until("message_delivered", seq=1)
    with town.site.stage.genesys.lock:
        # It is written to Genesys, who takes it after the gateway has died.
        page.say(f"{name}: one", message_id=ids[0])
        page.say(f"{name}: two", message_id=ids[1])
        page.until("message_accepted", seq=3)
        leaves.told(signal.SIGKILL).gone()
        page.until_closed()
    words = [f"{name}: {what}" for what in ("before", "one", "two", "after")]
    # One message is under way at a time: the second is not with Genesys yet,
    # and the page says it again.
    until(lambda: heard(town, name) == words[:2], "nothing had been written")
    began = monotonic()
    with come_back(town, page) as again:
        back = monotonic() - began
        again.say(f"{name}: one", message_id=ids[0])
        again.say(f"{name}: two", message_id=ids[1])
        for seq in (1, 2):
            again.until("message_delivered", seq=seq)
        delivered = monotonic() - began
        again.say(f"{name}: after")
        again.until("message_delivered", seq=3)
    figures.info("came back after %.3f s, all delivered after %.3f s", back, delivered)
    assert back < 1
    assert heard(town, name) == words


@both
def test_killed_while_genesys_has_heard_nothing_yet(
    town: Town,
    leaves: GuestProcess,
    jar: Jar,
    ids: tuple[str, str],
) -> None:
    name = f"unheard {len(jar.cookies)}"
    faults = town.site.stage.genesys.faults
    faults.order(Door.UPGRADE, AWAY, times=50)
    page = town.site.page(leaves, jar)
    page.open()
    page.say(f"{name}: one", message_id=ids[0])
    page.say(f"{name}: two", message_id=ids[1])
    page.until("message_accepted", seq=2)
    leaves.told(signal.SIGKILL).gone()
    faults.clear()
    page.until_closed()
    began = monotonic()
    with come_back(town, page) as again:
        back = monotonic() - began
        again.say(f"{name}: one", message_id=ids[0])
        again.say(f"{name}: two", message_id=ids[1])
        for seq in (1, 2):
            again.until("message_delivered", seq=seq)
    figures.info("came back after %.3f s", back)
    assert back < 1
    assert heard(town, name) == [f"{name}: one", f"{name}: two"]


@both
def test_told_to_go_it_delivers_what_is_in_flight_and_the_page_goes_on_elsewhere(
    town: Town, leaves: GuestProcess, jar: Jar, ids: tuple[str, str]
) -> None:
    name = f"told {len(jar.cookies)}"
    page = town.site.page(leaves, jar)
    page.open()
    page.say(f"{name}: before")
    page.until("message_delivered", seq=1)
    with town.site.stage.genesys.lock:
        page.say(f"{name}: one", message_id=ids[0])
        page.until("message_accepted", seq=2)
        leaves.told(signal.SIGTERM)
        # It is not read any more, so not accepted, so said again elsewhere.
        until(lambda: _is_closed(leaves), "it takes new pages")
        page.say(f"{name}: two", message_id=ids[1])
    page.until("message_delivered", seq=2)
    assert page.until_closed() == (1012, "restart")
    assert not [frame for frame in page.seen if frame["type"] == "error"]
    with come_back(town, page) as again:
        again.say(f"{name}: two", message_id=ids[1])
        again.until("message_delivered", seq=1)
    assert leaves.gone(within_s=8) == 0
    assert leaves.is_clean, leaves.log
    assert heard(town, name) == [f"{name}: {what}" for what in ("before", "one", "two")]


def _is_closed(gateway: GuestProcess) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, gateway.port)) != 0


def test_what_it_cannot_deliver_before_it_goes_is_delivered_elsewhere(
    town: Town, leaves: GuestProcess, ids: tuple[str, str]
) -> None:
    faults = town.site.stage.genesys.faults
    faults.order(Door.UPGRADE, AWAY, times=50)
    page = town.site.page(leaves)
    page.open()
    page.say("late: one", message_id=ids[0])
    page.until("message_accepted", seq=1)
    leaves.told(signal.SIGTERM)
    assert page.until_closed() == (1012, "restart")
    assert leaves.gone() == 0
    faults.clear()
    with come_back(town, page) as again:
        again.say("late: one", message_id=ids[0])
        again.until("message_delivered", seq=1)
    assert heard(town, "late") == ["late: one"]
    assert "Traceback" not in leaves.log, leaves.log
