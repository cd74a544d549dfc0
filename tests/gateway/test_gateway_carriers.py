"""What a relay asks of the gateway: threads, news, the clock; and two gateways on one port."""

import queue
import threading
from datetime import timedelta
from typing import Any

import pytest
from gateway_rig import GatewayRig, Raise
from raw_page import RawPage
from redis_server import free_port
from scripted_house import LIMIT_S, Script, ScriptedRelay

from bff.guests.frame_errors import GuestEnd
from bff.guests.guest_binding import GuestSessionId
from bff.guests.guest_tasks import (
    Answer,
    FetchJwt,
    GuestForgotten,
    GuestStillThere,
    LookAgain,
    NoJwt,
    OpenGuest,
    Task,
)
from bff.signin.records import EndReason, SessionKey
from bff.signin.session_news import CHANNEL, SessionEnded, announce

TEXT = 1
KEY = SessionKey("k" * 64)
LOOK = LookAgain(session_id=GuestSessionId("s"), session_key=None)
OPEN = OpenGuest(
    address="a",
    browser_secret="b",
    session_token=None,
    device_id=None,
    profile=None,
    encrypted_session_id=None,
)


def test_the_desk_works_in_threads_and_answers_on_the_loop(
    gateway: GatewayRig, script: Script
) -> None:
    where: list[threading.Thread] = []

    def perform(_: Task) -> Answer:
        where.append(threading.current_thread())
        return GuestStillThere()

    script.perform = perform
    script.on["answered"] = lambda *_: where.append(threading.current_thread())
    with RawPage(gateway.port):
        relay = script.relay()
        gateway.here(lambda: relay.hands.ask(LOOK))
        assert relay.until("answered") == GuestStillThere()
    assert where[0] is not gateway.thread
    assert where[1] is gateway.thread


@pytest.mark.parametrize("slow", [FetchJwt(session_key="k"), OPEN])
def test_a_slow_genesys_keeps_nobody_from_the_store(
    gateway: GatewayRig, script: Script, slow: Task
) -> None:
    hold = threading.Event()

    def perform(task: Task) -> Answer:
        if type(task) is type(slow):
            hold.wait(LIMIT_S)
            return NoJwt(refused=False)
        return GuestForgotten()

    script.perform = perform
    with RawPage(gateway.port) as page:
        relay = script.relay()
        for _ in range(100):
            gateway.here(lambda: relay.hands.ask(slow))
        gateway.here(lambda: relay.hands.ask(LOOK))
        assert relay.until("answered") == GuestForgotten()
        page.send(TEXT, b"and frames go on")
        assert relay.until("page_sent") == b"and frames go on"
        hold.set()
        for _ in range(100):
            assert relay.until("answered") == NoJwt(refused=False)


def test_an_answer_that_comes_after_the_page_has_gone_is_still_told(
    gateway: GatewayRig, script: Script
) -> None:
    hold = threading.Event()

    def perform(_: Task) -> Answer:
        hold.wait(LIMIT_S)
        return GuestForgotten()

    def ask(relay: ScriptedRelay, _: Any) -> None:
        relay.busy = True
        relay.hands.ask(LOOK)

    script.perform = perform
    script.on["page_sent"] = ask
    script.on["answered"] = lambda relay, _: setattr(relay, "busy", False)
    with RawPage(gateway.port) as page:
        page.send(TEXT, b"ask")
        relay = script.relay()
        relay.until("page_sent")
    relay.until("page_gone")
    assert gateway.pages == 1
    hold.set()
    assert relay.until("answered") == GuestForgotten()
    assert gateway.pages == 0


def test_news_of_its_sign_in_reach_the_relay_and_no_other(
    gateway: GatewayRig, script: Script
) -> None:
    with RawPage(gateway.port), RawPage(gateway.port):
        one, other = script.relay(), script.relay()
        gateway.here(lambda: one.hands.watch(KEY))
        gateway.here(lambda: other.hands.watch("o" * 64))
        with gateway.gateway.crowd.news.inbox(KEY) as inbox:
            announce(script.store, SessionEnded(key=KEY, reason=EndReason.SIGNED_OUT))
            assert inbox.get(timeout=LIMIT_S) is not None
        while (end := one.until("heard_of_session")) is None:
            pass  # it was there before anything could be heard, and was told to look
        assert end is GuestEnd.SIGNED_OUT
        gateway.here(lambda: None)
        assert GuestEnd.SIGNED_OUT not in ends_of(other)


def ends_of(relay: ScriptedRelay) -> set[Any]:
    ends = set()
    while not relay.heard.empty():
        what, value = relay.heard.get_nowait()
        if what == "heard_of_session":
            ends.add(value)
    return ends


def test_when_the_news_are_lost_every_relay_looks_how_things_stand(
    gateway: GatewayRig, script: Script
) -> None:
    news = gateway.gateway.crowd.news
    with news.inbox(KEY), RawPage(gateway.port), RawPage(gateway.port):
        relays = [script.relay(), script.relay()]
        for number, relay in enumerate(relays):
            gateway.here(lambda r=relay, n=number: r.hands.watch(str(n) * 64))  # type: ignore[misc]  # bound now
        script.store.down = True
        for relay in relays:
            assert relay.until("heard_of_session") is None
        script.store.down = False
        for relay in relays:
            assert relay.until("heard_of_session") is None


def test_who_has_gone_is_not_followed_any_more(gateway: GatewayRig, script: Script) -> None:
    news = gateway.gateway.crowd.news
    with RawPage(gateway.port):
        relay = script.relay()
        gateway.here(lambda: relay.hands.watch(KEY))
        assert KEY in news._followers
    relay.until("page_gone")
    assert gateway.pages == 0
    assert KEY not in news._followers


def test_news_that_come_while_the_loop_goes_hurt_nobody(
    raise_gateway: Raise, script: Script
) -> None:
    with raise_gateway(grace=timedelta(0)) as gateway:
        with RawPage(gateway.port):
            relay = script.relay()
            relay.busy = True  # so that it is not over, though everybody has gone
            gateway.here(lambda: relay.hands.watch(KEY))
            gateway.drain()
            assert gateway.gone()
        (follower,) = gateway.gateway.crowd.news._followers[KEY]
        follower(None)
        script.store.publish(CHANNEL, b"nothing that anybody understands")


def test_a_relay_is_woken_when_it_asked_and_not_before(gateway: GatewayRig, script: Script) -> None:
    clock = script.clock

    def wake(relay: ScriptedRelay, text: bytes) -> None:
        relay.wake_at = clock.now() + timedelta(milliseconds=int(text))

    script.on["page_sent"] = wake
    woken: queue.SimpleQueue[Any] = queue.SimpleQueue()
    script.on["tick"] = lambda *_: woken.put(clock.now())
    with RawPage(gateway.port) as page:
        page.send(TEXT, b"3600000")
        with pytest.raises(queue.Empty):
            woken.get(timeout=0.2)
        asked = clock.now()
        page.send(TEXT, b"100")  # earlier than the timer that runs
        assert woken.get(timeout=LIMIT_S) - asked >= timedelta(milliseconds=100)


def test_a_clock_that_is_set_wakes_those_whose_time_has_come(
    gateway: GatewayRig, script: Script
) -> None:
    def wake(relay: ScriptedRelay, _: bytes) -> None:
        relay.wake_at = script.clock.now() + timedelta(hours=1)

    script.on["page_sent"] = wake
    with RawPage(gateway.port) as page:
        page.send(TEXT, b"in an hour")
        relay = script.relay()
        relay.until("page_sent")
        script.clock.shift += timedelta(hours=2)
        relay.until("tick")


def test_one_that_fails_when_it_is_woken_keeps_nobody_asleep(
    gateway: GatewayRig, script: Script
) -> None:
    def wake(relay: ScriptedRelay, _: bytes) -> None:
        relay.wake_at = script.clock.now() + timedelta(hours=1)

    def broken(relay: ScriptedRelay, _: object) -> None:
        wake(relay, b"")
        raise RuntimeError("a fault of this one's")

    with RawPage(gateway.port) as one, RawPage(gateway.port) as other:
        relays = [script.relay(), script.relay()]
        script.on["page_sent"] = wake
        for page in (one, other):
            page.send(TEXT, b"in an hour")
        for relay in relays:
            relay.until("page_sent")
        script.on["tick"] = broken
        # Twice: whatever came of the first glance, there is a second one.
        for _ in range(2):
            script.clock.shift += timedelta(hours=2)
            for relay in relays:
                relay.until("tick")


def test_two_gateways_share_a_port_and_one_can_leave(raise_gateway: Raise) -> None:
    port = free_port()
    with raise_gateway(port=port) as staying:
        with raise_gateway(port=port) as leaving:
            pages = [RawPage(port) for _ in range(20)]
            assert {page.status for page in pages} == {101}
            assert staying.pages + leaving.pages == 20
            assert 0 < staying.pages < 20
            for page in pages:
                page.socket.close()
        with RawPage(port) as again:
            assert again.status == 101
            assert staying.pages >= 1
