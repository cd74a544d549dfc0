"""However Genesys stalls, bursts and says "too early": all is delivered, once, in its order."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_genesys import Whim
from upstream_world import UpstreamWorld

from bff.guests.upstream_news import Delivered, Ended, Failed, FailureCode, LeaveReason, Left
from bff.guests.upstream_policy import UpstreamPolicy

# Only one page's patience is not what is looked at here.
POLICY = UpstreamPolicy(give_up_after=timedelta(hours=2))
TYPING = {"type": "Event", "events": [{"eventType": "Typing", "typing": {"type": "On"}}]}
JOIN = {"type": "Event", "events": [{"eventType": "Presence", "presence": {"type": "Join"}}]}
MOMENTS = st.floats(min_value=0.01, max_value=25)
WHIMS = st.builds(
    Whim,
    refuses=st.booleans(),
    retry_after=st.sampled_from([None, 0, 0.05, 1, 3, 60]),
    names_it=st.sampled_from([True, True, True, False]),
)

Step = Callable[[UpstreamWorld], Any]


def say(world: UpstreamWorld) -> None:
    count = len(world.accepted)
    if world.upstream.waiting < POLICY.max_waiting:
        world.send(f"line {count}", f"t-{count}")


def burst(world: UpstreamWorld) -> None:
    for _ in range(8):
        say(world)


def types(world: UpstreamWorld) -> None:
    world.do(world.upstream.send(TYPING, f"typing-{len(world.log)}"))


def another_tab(world: UpstreamWorld) -> None:
    while world.genesys.take_up(world.clock.now()):
        pass


def moves(world: UpstreamWorld) -> None:
    world.carry_up()
    world.carry_down()
    world.dial()
    world.answer_history()


def waits(seconds: float) -> Step:
    return lambda world: world.wait(timedelta(seconds=seconds))


STEPS = st.lists(
    st.one_of(
        st.sampled_from([say, say, burst, types, another_tab, moves, moves]),
        MOMENTS.map(waits),
    ),
    max_size=40,
)


@given(steps=STEPS, whims=st.lists(WHIMS, max_size=30))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_each_accepted_message_is_delivered_once_and_in_order(
    steps: list[Step], whims: list[Whim]
) -> None:
    world = UpstreamWorld(policy=POLICY).live()
    world.genesys.is_strict = True
    world.genesys.whims.extend(whims)

    for step in steps:
        step(world)
    world.settle()

    assert world.genesys.heard == world.delivered == world.accepted
    assert world.genesys.complaints == []
    assert not [failed for failed in world.told(Failed) if "typing" not in failed.tracing_id]


def test_a_stall_of_eighteen_seconds_costs_nothing() -> None:
    world = UpstreamWorld().live()
    world.genesys.is_strict = True
    for _ in range(8):
        say(world)
        world.wait(timedelta(seconds=2.2))

    world.settle()

    assert world.genesys.heard == world.delivered == world.accepted
    # Genesys counts when a message arrives; so do we, and it has no reason to refuse any.
    assert world.genesys.refused.total() == 0


def test_what_another_tab_used_up_is_waited_for() -> None:
    world = UpstreamWorld().live()
    world.genesys.is_strict = True
    another_tab(world)
    burst(world)

    world.settle()

    assert world.genesys.heard == world.delivered == world.accepted
    assert world.genesys.refused["t-0"] == 1


@pytest.mark.parametrize(
    ("name", "code", "body"),
    [
        ("TooManyRequestsErrorMessage", 429, {"retryAfter": 2, "errorCode": 4029}),
        ("TooManyRequestsErrorMessage", 429, {"retryAfter": "2", "errorCode": "4029"}),
        ("TooManyRequestsErrorMessage", 200, "slowly"),
        ("ErrorMessage", 429, {"errorCode": 4029}),
        ("string", 4029, "Message rate too high for this session"),
        ("string", 429, "Too many requests"),
    ],
)
def test_too_early_is_known_in_every_form(name: str, code: int, body: object) -> None:
    world = UpstreamWorld().live()
    world.send("hello", "t-0")
    world.up.clear()

    told = world.push(name, body, code=code, type="response", tracingId="t-0")
    world.settle()

    assert told == []
    assert world.genesys.heard == world.delivered == ["t-0"]


def test_a_presence_that_was_too_early_goes_again() -> None:
    world = UpstreamWorld().live()
    world.genesys.whims.append(Whim())
    world.do(world.upstream.send(JOIN, "join"))
    world.carry_up()
    world.carry_down()
    assert (world.genesys.heard, world.upstream.waiting) == ([], 1)

    world.settle()

    assert world.genesys.heard == ["join"]
    assert not world.told(Failed)


def test_a_presence_that_is_always_too_early_is_told() -> None:
    world = UpstreamWorld().live()
    world.genesys.whims.extend([Whim()] * 9)
    world.do(world.upstream.send(JOIN, "join"))
    for _ in range(9):
        world.settle()

    assert world.failed["join"].code is FailureCode.RATE_LIMITED
    assert world.genesys.refused["join"] == world.policy.tries_of_a_message


def test_who_is_always_too_early_is_as_good_as_away() -> None:
    world = UpstreamWorld().live()
    world.genesys.whims.extend([Whim(retry_after=20)] * 100)
    world.send("hello", "t-0")

    world.settle()

    # The page comes back later and says it again: it is known that nobody has heard it.
    assert world.told(Left) == [Left(reason=LeaveReason.UNREACHABLE)]
    assert world.failed["t-0"].code is FailureCode.NOT_REACHED
    assert world.genesys.refused["t-0"] == 16


def test_an_end_that_was_too_early_is_asked_for_again() -> None:
    world = UpstreamWorld().live()
    world.do(world.upstream.end())
    asked = world.written[-1]
    world.up.clear()
    body = {"retryAfter": 2, "errorCode": 4029}

    world.push("TooManyRequestsErrorMessage", body, code=429, tracingId=asked["tracingId"])
    assert not world.told(Ended)
    world.wait(timedelta(seconds=2))

    assert [frame["action"] for frame in world.written] == ["closeSession"]
    world.settle()
    assert len(world.told(Ended)) == 1


def test_a_history_asked_too_early_is_no_reason_to_give_a_message_up() -> None:
    world = UpstreamWorld().live()
    world.send("hello", "t-0")
    world.cut(heard=1)
    body = {"retryAfter": 20, "errorCode": 4029}
    for _ in range(5):
        while not (world.up and world.written[-1]["action"] == "getJwt"):
            world.wait(timedelta(seconds=1))
            world.dial()
            if world.up and world.written[-1]["action"].startswith("configure"):
                world.carry_up()
                world.carry_down()
        name = world.written[-1]["tracingId"]
        world.up.clear()
        world.push("TooManyRequestsErrorMessage", body, code=429, tracingId=name)

    world.settle()

    assert world.told(Delivered)[0].tracing_id == "t-0"
    assert world.genesys.heard == ["t-0"]


def test_a_health_check_that_was_too_early_holds_nothing_back() -> None:
    world = UpstreamWorld().live()
    world.wait(world.policy.ping_after)
    check = world.written[-1]
    world.up.clear()
    body = {"retryAfter": 30, "errorCode": 4029}
    world.push("TooManyRequestsErrorMessage", body, code=429, tracingId=check["tracingId"])

    world.send("hello", "t-0")

    assert [frame["tracingId"] for frame in world.written] == ["t-0"]


def test_typing_leaves_the_requests_to_the_messages() -> None:
    world = UpstreamWorld().live()
    for _ in range(100):
        types(world)
    world.quiet()
    started = world.clock.now()

    for _ in range(25):
        say(world)
        world.settle()

    assert world.delivered == world.accepted
    assert world.clock.now() - started < timedelta(seconds=7)
