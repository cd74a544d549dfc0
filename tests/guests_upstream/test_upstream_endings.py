"""How a session ends and how an upstream stops."""

from datetime import timedelta

import pytest
from upstream_world import UpstreamWorld

from bff.guests.upstream_news import (
    Disconnect,
    EndReason,
    Event,
    Failed,
    FailureCode,
    LeaveReason,
    Left,
)

ZERO = timedelta(0)


@pytest.fixture
def world() -> UpstreamWorld:
    return UpstreamWorld()


@pytest.mark.parametrize(
    ("name", "body", "last_word"),
    [
        ("ConnectionClosedEvent", {"reason": "signedIn"}, EndReason.SIGNED_IN_ELSEWHERE),
        ("ConnectionClosedEvent", {}, LeaveReason.DISPLACED),
        ("LogoutEvent", {}, EndReason.LOGGED_OUT),
        ("SessionExpiredEvent", {}, EndReason.EXPIRED),
        ("SessionClearedEvent", {}, EndReason.CLEARED),
    ],
)
def test_genesys_ends_it(
    world: UpstreamWorld, name: str, body: dict[str, str], last_word: str
) -> None:
    world.live().send("on its way", "t-1")

    world.push(name, body)

    assert world.last_word == last_word
    assert world.failed["t-1"].code is FailureCode.OUTCOME_UNKNOWN
    assert world.upstream.wake_at is None
    assert not world.socket


@pytest.mark.parametrize(
    ("code", "reason"), [(4006, EndReason.EXPIRED), (4007, EndReason.NOT_FOUND)]
)
def test_a_message_learns_that_the_session_is_gone(
    world: UpstreamWorld, code: int, reason: EndReason
) -> None:
    world.live().send("hello", "t-1")

    world.refuse(code)

    assert world.last_word is reason


@pytest.mark.parametrize(
    ("metadata", "last_word"),
    [
        ({"readOnly": "true"}, EndReason.CONVERSATION_OVER),
        ({"correlationId": "c"}, None),
        ({}, None),
    ],
)
def test_only_a_read_only_disconnect_ends_it(
    world: UpstreamWorld, metadata: dict[str, str], last_word: EndReason | None
) -> None:
    event = {"eventType": "Presence", "presence": {"type": "Disconnect"}}
    body = {"type": "Event", "direction": "Outbound", "id": "i", "events": [event]}

    told = world.live().push("StructuredMessage", {**body, "metadata": metadata})

    assert isinstance(told[0], Event)
    assert world.last_word is last_word


def test_the_person_ends_it_after_the_last_word(world: UpstreamWorld) -> None:
    world.live().send("goodbye", "t-1")
    world.do(world.upstream.end())
    world.send("too late", "t-2")
    world.quiet()

    assert world.delivered == ["t-1"]
    assert world.failed["t-2"].code is FailureCode.SESSION_OVER
    assert world.last_word is EndReason.ENDED


def test_an_end_that_nobody_answers_is_an_end(world: UpstreamWorld) -> None:
    world.live().do(world.upstream.end())

    world.wait(world.policy.end_patience)

    assert world.last_word is EndReason.ENDED


def test_what_is_over_says_nothing_more(world: UpstreamWorld) -> None:
    world.live().push("LogoutEvent")

    assert world.upstream.send({"type": "Text", "text": "x"}, "t") == [
        Failed(tracing_id="t", code=FailureCode.SESSION_OVER)
    ]
    upstream = world.upstream
    calls = [upstream.start, upstream.opened, upstream.closed, upstream.tick]
    calls += [upstream.step_up, upstream.end, upstream.drain, upstream.history_failed]
    assert [call() for call in calls] == [[]] * len(calls)
    assert upstream.received('{"class":"LogoutEvent"}') == []
    assert upstream.jwt_ready("j") == upstream.jwt_failed(refused=True) == []


def test_a_drain_finishes_what_is_in_flight(world: UpstreamWorld) -> None:
    world.live().send("last", "t-1")
    waiting = world.do(world.upstream.drain())
    refused = world.send("next", "t-2")
    world.quiet()

    assert waiting == []
    assert refused[0].code is FailureCode.NOT_REACHED
    assert world.delivered == ["t-1"]
    assert world.told(Left) == [Left(reason=LeaveReason.DRAINED)]
    assert world.told(Disconnect) == [Disconnect(code=1001)]


def test_a_drain_does_not_wait_for_ever(world: UpstreamWorld) -> None:
    world.live().send("last", "t-1")
    world.do(world.upstream.drain())

    world.wait(world.policy.drain_patience)

    assert world.last_word is LeaveReason.DRAINED
    assert world.failed["t-1"].code is FailureCode.OUTCOME_UNKNOWN
