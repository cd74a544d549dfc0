"""Messages: accepted, paced, refused, echoed, told once."""

from datetime import timedelta
from typing import Any

import pytest
from tiny_genesys import GOOD_JWT, TOKEN
from upstream_world import UpstreamWorld

from bff.guests.upstream_news import (
    Connect,
    Delivered,
    Failed,
    FailureCode,
    Ready,
    Write,
)
from bff.guests.upstream_policy import UpstreamPolicy
from bff.guests.upstream_state import Stage

ZERO = timedelta(0)
# As if order did not matter: several are under way at once.
WIDE = UpstreamPolicy(max_in_flight=16)


@pytest.fixture
def world() -> UpstreamWorld:
    return UpstreamWorld()


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (4011, FailureCode.TEXT_TOO_LONG),
        (4013, FailureCode.ATTRIBUTES_TOO_LARGE),
        (409, FailureCode.READ_ONLY),
        (400, FailureCode.REFUSED),
        (4000, FailureCode.REFUSED),
    ],
)
def test_a_refused_message_costs_only_itself(code: int, failure: FailureCode) -> None:
    world = UpstreamWorld(policy=WIDE)
    world.live().send("one", "t-1")
    world.send("two", "t-2")

    told = world.refuse(code, tracing_id="t-1")

    assert told == [Failed(tracing_id="t-1", code=failure)]
    assert world.upstream.stage is Stage.LIVE
    assert world.upstream.waiting == 1


def test_too_fast_is_no_fate_it_goes_again_before_the_rest(world: UpstreamWorld) -> None:
    world.live().send("one", "t-1")
    body = {"retryAfter": 3, "errorCode": 4029, "errorMessage": "Message rate too high"}

    told = world.push("TooManyRequestsErrorMessage", body, code=429, tracingId="t-1")
    world.up.clear()
    world.send("two", "t-2")

    wait = timedelta(seconds=3)
    assert told == []
    assert not world.up
    world.wait(wait)
    assert [frame["tracingId"] for frame in world.written] == ["t-1"]
    world.quiet()
    assert world.delivered == world.genesys.heard == ["t-1", "t-2"]


def test_messages_keep_to_five_a_second() -> None:
    world = UpstreamWorld(policy=WIDE)
    world.live()
    for count in range(12):
        world.send("x", f"t-{count}")
    bursts = [len(world.up)]
    for _ in range(2):
        world.carry_up()
        world.carry_down()
        world.wait(timedelta(seconds=1.2))
        bursts.append(len(world.up))

    assert bursts == [5, 5, 2]


def test_a_full_queue_says_so(world: UpstreamWorld) -> None:
    world.live().cut()
    for count in range(world.policy.max_waiting):
        world.send("x", f"t-{count}")

    (told,) = world.send("one too many", "t-x")

    assert told.code is FailureCode.TOO_MANY_WAITING
    assert told.retry_after > ZERO


def test_a_queue_is_full_of_bytes_too() -> None:
    world = UpstreamWorld(policy=UpstreamPolicy(max_waiting_bytes=10_000))
    world.send("x" * 1_900, "t-1")

    (told,) = world.send("x" * 1_900, "t-2")

    assert told.code is FailureCode.TOO_MANY_WAITING


@pytest.mark.parametrize("payload", [b"", b"[]", "7", b'{"text":1}', '{"metadata":[]}', b"\xff{}"])
def test_what_is_no_message_is_not_sent(world: UpstreamWorld, payload: bytes | str) -> None:
    assert world.live().upstream.send(payload, "t") == [
        Failed(tracing_id="t", code=FailureCode.MALFORMED)
    ]


def test_a_message_keeps_its_own_metadata_and_gets_a_mark(world: UpstreamWorld) -> None:
    world.live().send("hello", "t-1", metadata={"colour": "blue"}, channel={"metadata": {}})

    (frame,) = world.written
    assert frame["message"] == {
        "type": "Text",
        "text": "hello",
        "metadata": {"colour": "blue", "customMessageId": "t-1"},
        "channel": {"metadata": {}},
    }


def test_typing_never_waits(world: UpstreamWorld) -> None:
    event = {"eventType": "Typing", "typing": {"type": "On"}}
    payload = {"type": "Event", "events": [event]}
    world.live().do(world.upstream.send(payload, "t-1"))
    typed = len(world.up)
    world.cut()

    world.do(world.upstream.send(payload, "t-2"))

    assert typed == 1
    assert world.upstream.waiting == 0
    assert not world.told(Failed)


def test_a_refused_event_is_told(world: UpstreamWorld) -> None:
    event = {"eventType": "Presence", "presence": {"type": "Clear"}}
    world.live().do(world.upstream.send({"type": "Event", "events": [event]}, "t-1"))

    told = world.refuse(403, "Presence events Conversation Clear are not supported")

    assert told == [Failed(tracing_id="t-1", code=FailureCode.REFUSED)]


@pytest.mark.parametrize("names", [("id", "messageId"), ("messageId",), ("id",)])
def test_a_message_is_told_once(world: UpstreamWorld, names: tuple[str, ...]) -> None:
    first: dict[str, Any] = {"type": "Text", "text": "hi", "direction": "Outbound"}
    first |= {"id": "raw", "channel": {"messageId": "uuid"}}
    again = {**first}
    if "id" not in names:
        del again["id"]
    if "messageId" not in names:
        again["channel"] = {}
    world.live().push("StructuredMessage", first)

    assert world.push("StructuredMessage", again) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        b"\xff\xfe",
        "[]",
        "{}",
        '{"class":"Tomorrow","type":"message","code":200,"body":{}}',
        '{"class":"GenerateUrlError","type":"response","code":400,"body":"x"}',
        '{"class":"GenerateUrlError","type":"message","code":200,"body":{"errorCode":4001}}',
        '{"class":"string","code":200,"body":null}',
        '{"class":"StructuredMessage","body":[]}',
        '{"class":"SessionResponse","body":{"connected":"yes"}}',
        '{"class":"UploadSuccessEvent","body":{}}',
        "[" * 100_000,
        "x" * 600_000,
    ],
)
def test_junk_changes_nothing(world: UpstreamWorld, text: str | bytes) -> None:
    assert world.live().do(world.upstream.received(text)) == []
    assert world.upstream.stage is Stage.LIVE


def test_no_secret_is_in_a_repr() -> None:
    world = UpstreamWorld(authenticated=True)
    world.do(world.upstream.start())
    world.dial()
    world.answer_jwt()
    world.send("my secret", "t-1")
    world.settle()

    shown = repr([*world.log, world.upstream._state])
    assert world.delivered == ["t-1"]
    for secret in (TOKEN, GOOD_JWT, "my secret"):
        assert secret not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"ping_after": timedelta(seconds=29)},
        {"renew_at_the_latest": timedelta(hours=2)},
        {"renewal_spread": timedelta(hours=2)},
    ],
)
def test_a_policy_keeps_to_the_limits_of_genesys(wrong: dict[str, timedelta]) -> None:
    with pytest.raises(ValueError, match=r"apart|cuts|spread"):
        UpstreamPolicy(**wrong)  # type: ignore[arg-type]  # each is one of its durations


def test_unused_actions_do_not_exist(world: UpstreamWorld) -> None:
    world.live().send("x", "t-1")
    world.quiet()

    kinds = {type(action) for action in world.log}
    assert kinds == {Connect, Write, Ready, Delivered}


def test_typing_that_was_too_fast_holds_no_message_back(world: UpstreamWorld) -> None:
    typing = {"eventType": "Typing", "typing": {"type": "On"}}
    world.live().do(world.upstream.send({"type": "Event", "events": [typing]}, "typing-1"))
    body = {"retryAfter": 3, "errorCode": 4029, "errorMessage": "Typing rate too high"}
    frame = {"type": "response", "code": 429, "tracingId": "typing-1"}

    world.push("TooManyRequestsErrorMessage", body, **frame)
    told = world.send("hello", "t-1")

    assert [type(action) for action in told] == [Write]
