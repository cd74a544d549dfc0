"""What goes wrong around a chat: the store, Genesys, the process itself, and hostile pages."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from frame_page import text_message
from guest_page import GuestPage, Jar
from guest_shell import Shell, ShellRig, running_shell
from redis_server import RedisServer
from websockets.exceptions import InvalidStatus

from bff.guests.upstream_policy import UpstreamPolicy
from bff.simulator.genesys_faults import Door, Fault

QUICK = UpstreamPolicy(
    back_off_step=timedelta(milliseconds=50),
    settle=timedelta(milliseconds=100),
    messages_a_second=50,
)


@pytest.fixture
def on_redis(shell: Shell, tmp_path: Path) -> Iterator[ShellRig]:
    with RedisServer() as redis, running_shell(shell, tmp_path, redis=redis) as running:
        yield running


@pytest.fixture
def hasty(shell: Shell, tmp_path: Path) -> Iterator[ShellRig]:
    with running_shell(shell, tmp_path, plan={"upstream": QUICK}) as running:
        yield running


def delivered(page: GuestPage) -> list[int]:
    return [frame["seq"] for frame in page.seen if frame["type"] == "message_delivered"]


def test_a_chat_goes_on_while_redis_is_away(on_redis: ShellRig) -> None:
    rig, jar = on_redis, Jar()
    rig.sign_in(jar)
    assert rig.redis is not None
    with rig.page(jar) as page, rig.page() as newcomer:
        page.open()
        page.say("before")
        page.until("message_delivered", seq=1)
        rig.redis.pause()
        try:
            page.say("without a store")
            page.until("message_delivered", seq=2)
            rig.clock.shift += timedelta(seconds=10)
            page.say("ten seconds later")
            page.until("message_delivered", seq=3)
            newcomer.send(newcomer.keys.init())
            refused = newcomer.next()
            assert refused["code"] == "service_unavailable"
            assert refused["retryAfter"] > 0
        finally:
            rig.redis.resume()
        newcomer.open()
        newcomer.say("at last")
        newcomer.until("message_delivered")
        assert not [frame for frame in page.seen if frame["type"] == "error"]


def test_a_sign_out_after_an_outage_of_redis_still_closes_the_chat(on_redis: ShellRig) -> None:
    rig, jar = on_redis, Jar()
    key: Any = rig.sign_in(jar)
    assert rig.redis is not None
    with rig.page(jar) as page:
        page.open()
        page.say("before")
        page.until("message_delivered", seq=1)
        rig.redis.pause()
        page.say("without a store")
        page.until("message_delivered", seq=2)
        rig.redis.resume()
        rig.services.sign_out.revoke(key)
        assert page.until("session_ended")["reason"] == "revoked"


def test_whatever_genesys_cuts_every_message_is_heard_once_and_told_once(
    hasty: ShellRig,
) -> None:
    with hasty.page() as page:
        page.open()
        for number in range(3):
            page.say(f"line {number}")
            # At another moment each time: while dialling, configuring, reading back, or live.
            hasty.cut_genesys()
            page.until("message_accepted", seq=number + 1)
            hasty.cut_genesys()
        hasty.until(lambda: len(delivered(page)) >= 3, "some were not told")
    assert sorted(delivered(page)) == [1, 2, 3]
    assert hasty.heard == [f"line {number}" for number in range(3)]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_genesys_refusing_to_open_is_a_pause(hasty: ShellRig, status: int) -> None:
    hasty.stage.genesys.faults.order(Door.UPGRADE, Fault(status=status), times=2)
    with hasty.page() as page:
        page.open()
        page.say("in the end")
        page.until("session_paused")
        page.until("session_resumed")
        page.until("message_delivered", seq=1)


def test_a_process_that_leaves_finishes_what_is_in_flight_and_says_come_back(
    rig: ShellRig,
) -> None:
    with rig.page() as page:
        created = page.open()
        page.say("warm up")
        page.until("message_delivered", seq=1)
        page.say("on its way")
        page.until("message_accepted", seq=2)
        rig.drain()
        page.until("message_delivered", seq=2)
        assert page.until_closed() == (1012, "restart")
        # The one says 503, the other has closed its door.
        with pytest.raises((InvalidStatus, OSError)):
            rig.page()
    assert rig.heard == ["warm up", "on its way"]
    assert created["encryptedSessionId"]


def test_a_page_that_vanishes_has_what_was_accepted_delivered(rig: ShellRig) -> None:
    page = rig.page()
    page.open()
    page.say("last words")
    page.until("message_accepted", seq=1)
    page.vanish()
    rig.until(lambda: rig.heard == ["last words"])


def test_a_message_sent_again_after_a_lost_connection_is_heard_once(rig: ShellRig) -> None:
    jar = Jar()
    first = rig.page(jar)
    created = first.open()
    first.say("once only", message_id="3f0e3c52-9a53-4d32-8ea7-6a2b21f0a1aa")
    first.until("message_accepted", seq=1)
    first.vanish()
    with rig.page(jar) as second:
        second.open(encryptedSessionId=created["encryptedSessionId"])
        second.say("once only", message_id="3f0e3c52-9a53-4d32-8ea7-6a2b21f0a1aa")
        second.until("message_delivered", seq=1)
        second.say("and another")
        second.until("message_delivered", seq=2)
    assert rig.heard == ["once only", "and another"]


def test_ten_thousand_wrong_signatures_disturb_nobody(rig: ShellRig) -> None:
    with rig.page() as page, rig.page() as neighbour:
        neighbour.open()
        page.open()
        forged = page.keys.message(text_message("forged"), seq=1, signature="A" * 43).decode()

        def flood() -> None:
            try:
                for _ in range(10_000):
                    page.socket.send(forged)
            except Exception:  # noqa: BLE001 - it is thrown out, that is the point
                return

        flooding = threading.Thread(target=flood)
        flooding.start()
        neighbour.say("not disturbed")
        neighbour.until("message_delivered", seq=1)
        assert page.until_closed()[0] in {1008, None, 1006}
        flooding.join(15)
        assert not flooding.is_alive()
    assert rig.heard == ["not disturbed"]


def test_a_key_rotation_does_not_disturb_a_chat(rig: ShellRig) -> None:
    jar = Jar()
    with rig.page(jar) as page:
        created = page.open()
        page.say("before")
        page.until("message_delivered", seq=1)
        rig.clock.shift += timedelta(minutes=7)
        page.say("use it")
        renewed = page.until("session_renewed")
        rig.clock.shift += timedelta(minutes=50)
        page.say("the keys have rotated by now")
        again = page.until("session_renewed")
    assert (
        len({created["encryptedSessionId"], *(r["encryptedSessionId"] for r in (renewed, again))})
        == 3
    )
    rig.clock.shift += timedelta(minutes=50)
    with rig.page(jar) as back:
        assert back.open(encryptedSessionId=again["encryptedSessionId"])["resumed"]


def test_a_session_that_nobody_uses_expires_and_says_so(rig: ShellRig) -> None:
    with rig.page() as page:
        page.open()
        page.say("hello")
        page.until_text("Hello there! This is Robin. How can I help you today?")
        rig.clock.shift += timedelta(minutes=61)
        assert page.until("session_ended")["reason"] == "expired"


def test_a_fourth_tab_displaces_the_oldest_which_does_not_fight_back(rig: ShellRig) -> None:
    jar = Jar()
    first = rig.page(jar)
    sealed = first.open()["encryptedSessionId"]
    first.say("the first tab")
    first.until("message_delivered")
    others = [rig.page(jar) for _ in range(3)]
    for number, other in enumerate(others):
        other.open(encryptedSessionId=sealed)
        other.say(f"tab {number}")
        other.until_text(f"tab {number}")
    assert first.until_closed() == (4009, "displaced")
    for page in (first, *others):
        page.leave()
