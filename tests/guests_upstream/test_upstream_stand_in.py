"""An upstream over real sockets, against the stand-in that has its own idea of the contract."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from genesys_rig import GenesysRig, running_genesys
from tiny_genesys import TOKEN
from upstream_driver import HurriedClock, UpstreamDriver, driven

from bff.guests.upstream_news import (
    AskJwt,
    Connect,
    Delivered,
    Ended,
    EndReason,
    Event,
    Failed,
    Paused,
    Ready,
    Resumed,
    SteppedUp,
)


@pytest.fixture
def rig() -> Iterator[GenesysRig]:
    with running_genesys(clock=HurriedClock(), allow_session_upgrade=True) as running:
        yield running


def has_delivered(driver: UpstreamDriver, count: int) -> bool:
    return driver.delivered >= count


def heard(rig: GenesysRig) -> list[str]:
    return [entry["text"] for entry in rig.report()["heard"]]


def advance(rig: GenesysRig, **duration: float) -> None:
    rig.control("clock", advance_s=timedelta(**duration).total_seconds())


def test_a_message_is_echoed_and_the_agent_answers(rig: GenesysRig) -> None:
    with driven(rig, token=TOKEN) as driver:
        driver.send("Where is my order?", "t-1")
        driver.until(lambda: driver.told(Delivered) and len(driver.told(Event)) >= 4)

        (delivered,) = driver.told(Delivered)
        texts = [json.loads(event.body).get("text") for event in driver.told(Event)]

    assert delivered.tracing_id == "t-1"
    assert json.loads(delivered.body)["metadata"] == {"customMessageId": "t-1"}
    assert driver.told(Ready) == [Ready(new_session=True, authenticated=False)]
    assert any(text and "order" in text for text in texts)
    assert heard(rig) == ["Where is my order?"]


def test_every_socket_is_cut_while_twenty_messages_are_sent(rig: GenesysRig) -> None:
    with driven(rig, token=TOKEN) as driver:
        driver.until(lambda: driver.told(Ready))
        for count in range(20):
            driver.send(f"message {count}", f"t-{count}")
            if count in {4, 11, 19}:
                more = driver.delivered + 1
                rig.control("cut")
                driver.until(partial(has_delivered, driver, more))
        driver.until(lambda: len(driver.fates()) == 20)

        resumed = len(driver.told(Resumed))

    assert heard(rig) == [f"message {count}" for count in range(20)]
    assert driver.fates() == {f"t-{count}": 1 for count in range(20)}
    assert not driver.told(Failed)
    assert resumed >= 1
    told = Counter(json.loads(event.body)["id"] for event in driver.told(Event))
    assert max(told.values()) == 1


def test_what_the_agent_said_during_a_cut_is_not_lost(rig: GenesysRig) -> None:
    with driven(rig, token=TOKEN) as driver:
        driver.send("hello", "t-1")
        driver.until(lambda: driver.told(Delivered))
        with rig.state.lock:
            # Both under one lock: nobody can come back in between.
            rig.state.hub.post(rig.state.messaging.cut())
            for name in list(rig.state.messaging.connections):
                rig.state.messaging.close(name)
            rig.state.hub.post(rig.state.messaging.say("are you there?"))
        driver.until(
            lambda: (
                "are you there?"
                in [json.loads(event.body).get("text") for event in driver.told(Event)]
            )
        )

    (missed,) = [e for e in driver.told(Event) if b"are you there?" in e.body]
    assert missed.from_history


def test_an_expired_jwt_is_renewed_and_the_person_is_known(rig: GenesysRig) -> None:
    tokens = rig.tokens()
    advance(rig, minutes=16)
    with driven(rig, tokens=tokens, token=TOKEN) as driver:
        driver.send("hello", "t-1")
        driver.until(lambda: driver.told(Delivered))

    assert driver.told(AskJwt) == [AskJwt(refresh=False), AskJwt(refresh=True)]
    assert rig.report()["heard"][0]["identity"]["email"] == "amira@example.com"


def test_a_logout_while_chatting_ends_it(rig: GenesysRig) -> None:
    tokens = rig.tokens()
    with driven(rig, tokens=tokens, token=TOKEN) as driver:
        driver.send("hello", "t-1")
        driver.until(lambda: driver.told(Delivered))
        rig.revoke(tokens["jwt"])
        driver.until(lambda: driver.is_over)

    assert driver.told(Ended) == [Ended(reason=EndReason.LOGGED_OUT)]


def test_a_guest_signs_in_without_losing_a_line(rig: GenesysRig) -> None:
    with driven(rig, token=TOKEN) as driver:
        driver.send("anonymous", "t-1")
        driver.tokens = rig.tokens()
        driver.call(driver.upstream.step_up)
        driver.send("still the same chat", "t-2")
        driver.until(lambda: any(b"SignIn" in event.body for event in driver.told(Event)))
        driver.until(lambda: driver.told(SteppedUp) and driver.delivered == 2)

    report = rig.report()
    assert heard(rig) == ["anonymous", "still the same chat"]
    assert len({entry["session"] for entry in report["heard"]}) == 1
    assert report["counters"]["stepped_up"] == 1


@pytest.mark.parametrize("minutes", [116, 121])
def test_the_two_hour_cut_is_hardly_noticed(rig: GenesysRig, minutes: int) -> None:
    with driven(rig, token=TOKEN) as driver:
        driver.send("before", "t-1")
        driver.until(lambda: driver.told(Delivered))
        advance(rig, minutes=minutes)
        driver.until(lambda: len(driver.told(Connect)) == 2)
        driver.send("after", "t-2")
        driver.until(lambda: len(driver.told(Delivered)) == 2)

    assert heard(rig) == ["before", "after"]
    assert rig.report()["counters"]["configured_guest"] == 2
    if minutes < 120:
        assert not driver.told(Paused)


def test_the_person_ends_the_session_at_genesys_too(rig: GenesysRig) -> None:
    with driven(rig, token=TOKEN) as driver:
        driver.send("goodbye", "t-1")
        driver.call(driver.upstream.end)
        driver.until(lambda: driver.is_over)

    assert driver.told(Ended) == [Ended(reason=EndReason.ENDED)]
    assert heard(rig) == ["goodbye"]
    assert [session["readOnly"] for session in rig.report()["sessions"]] == [True]
