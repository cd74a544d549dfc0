"""A connection is lost: the page sees a pause and not a loss."""

from datetime import timedelta

import pytest
from upstream_world import UpstreamWorld

from bff.guests.upstream_frames import Channel, Said
from bff.guests.upstream_memory import MAX_KEYS, MAX_MARKS, MAX_RIDDLES, UpstreamMemory
from bff.guests.upstream_news import (
    AskHistory,
    Connect,
    Disconnect,
    Event,
    FailureCode,
    LeaveReason,
    Paused,
    Resumed,
)
from bff.guests.upstream_policy import UpstreamPolicy

ZERO = timedelta(0)


@pytest.fixture
def world() -> UpstreamWorld:
    return UpstreamWorld()


def test_the_page_sees_a_pause_and_not_a_loss(world: UpstreamWorld) -> None:
    world.live().send("before", "t-0")
    world.quiet()
    told = world.cut()
    world.send("meanwhile", "t-1")
    world.agent_says("anybody there?")
    world.settle()

    assert told[0] == Paused()
    assert world.told(Resumed) == [Resumed(history_wanted=True)]
    assert world.delivered == ["t-0", "t-1"]
    assert [event["text"] for event in world.events] == ["anybody there?"]
    assert world.told(Event)[0].from_history


@pytest.mark.parametrize("keeps_metadata", [True, False])
@pytest.mark.parametrize(("heard", "late"), [(0, 0), (1, 0), (3, 0), (0, 3), (1, 1)])
def test_a_cut_message_is_heard_exactly_once(keeps_metadata: bool, heard: int, late: int) -> None:
    world = UpstreamWorld(keeps_metadata=keeps_metadata).live()
    for name in ("t-1", "t-2", "t-3"):
        world.send("the same words", name)

    world.cut(heard=heard, late=late)
    world.settle()

    assert world.genesys.heard == ["t-1", "t-2", "t-3"]
    assert sorted(world.delivered) == ["t-1", "t-2", "t-3"]


def test_the_history_is_turned_until_the_gap_is_closed(world: UpstreamWorld) -> None:
    world.live().send("lost in the crowd", "t-1")
    world.carry_up()
    for count in range(60):
        world.agent_says(f"line {count}")
    world.cut()
    world.settle()

    assert [ask.page for ask in world.told(AskHistory)] == [1, 2, 3]
    assert world.delivered == ["t-1"]
    assert len(world.events) == 60


def test_without_a_history_nobody_knows(world: UpstreamWorld) -> None:
    world.live().send("who knows", "t-1")
    world.cut(heard=1)
    world.send("later", "t-2")
    for _ in range(40):
        world.wait(timedelta(seconds=2))
        world.dial()
        world.carry_up()
        world.carry_down()
        world.answer_history(found=False)

    assert world.failed["t-1"].code is FailureCode.OUTCOME_UNKNOWN
    assert world.delivered == ["t-2"]
    assert world.genesys.heard == ["t-1", "t-2"]


def test_a_message_that_never_arrives_is_given_up(world: UpstreamWorld) -> None:
    world.live().send("void", "t-1")
    for _ in range(world.policy.tries_of_a_message):
        world.cut(heard=0)
        while not world.up and world.upstream.waiting:
            world.wait(timedelta(seconds=1))
            if world.dial():
                world.carry_up()
            world.carry_down()
            if any(frame["action"] == "getJwt" for frame in world.written):
                world.carry_up()
                world.carry_down()
            world.answer_history()

    assert world.failed["t-1"].code is FailureCode.NOT_REACHED
    assert world.genesys.heard == []


def test_a_page_that_sends_again_is_not_heard_again(world: UpstreamWorld) -> None:
    world.live().send("hello", "one.1", metadata={"id": "m-1"})
    world.carry_up()
    # The process dies before the echo; the page comes back on another one.
    world.socket = False
    world.down.clear()
    world.upstream = world.another()
    world.live()

    world.send("hello", "two.1", metadata={"id": "m-1"})
    world.settle()

    assert world.genesys.heard == ["one.1"]
    assert world.delivered == ["two.1"]


def test_a_page_that_sends_again_while_it_waits_hears_of_both(world: UpstreamWorld) -> None:
    world.send("hello", "one.1", metadata={"id": "m-1"})
    world.send("hello", "two.1", metadata={"id": "m-1"})
    world.live()

    assert world.genesys.heard == ["one.1"]
    assert world.delivered == ["one.1", "two.1"]


def test_attempts_are_spread_and_end_after_five_minutes(world: UpstreamWorld) -> None:
    world.live().send("x", "t-1")
    world.cut()
    began = world.clock.now()
    waits = []
    while world.dial_at is not None:
        waits.append(world.dial_at - world.clock.now())
        world.wait(waits[-1])
        world.fail_to_dial(None)

    assert world.last_word is LeaveReason.UNREACHABLE
    assert all(wait <= timedelta(seconds=30) for wait in waits)
    assert len(set(waits)) == len(waits) > 10
    assert timedelta(seconds=240) < world.clock.now() - began <= timedelta(seconds=300)
    assert world.failed["t-1"].code is FailureCode.OUTCOME_UNKNOWN


@pytest.mark.parametrize("silent", ["dialling", "configuring", "echo"])
def test_silence_is_a_loss(world: UpstreamWorld, silent: str) -> None:
    world.do(world.upstream.start())
    if silent != "dialling":
        world.dial()
    if silent == "echo":
        world.quiet()
        world.send("x", "t-1")

    world.wait(timedelta(seconds=31))

    assert len(world.told(Connect)) >= 2
    assert world.told(Disconnect)


def test_a_quiet_connection_is_asked_whether_it_lives(world: UpstreamWorld) -> None:
    world.live().wait(timedelta(minutes=2))

    (ping,) = world.written
    world.quiet()
    world.wait(timedelta(seconds=30))

    assert ping["action"] == "echo"
    assert world.socket
    assert not world.events


def test_a_dead_connection_is_left(world: UpstreamWorld) -> None:
    world.live().wait(timedelta(minutes=2, seconds=20))

    assert not world.socket
    assert world.told(Paused)


def test_an_idle_connection_is_renewed_before_two_hours_and_nobody_notices(
    world: UpstreamWorld,
) -> None:
    world.live()
    began = world.clock.now()
    while len(world.told(Connect)) == 1:
        world.wait(timedelta(seconds=15))
        world.carry_up()
        world.carry_down()
    age = world.clock.now() - began
    world.settle()

    assert timedelta(hours=1, minutes=45) <= age <= timedelta(hours=1, minutes=56)
    assert world.told(Connect)[1].after == ZERO
    assert not world.told(Paused)
    assert not world.told(Resumed)


def test_a_busy_connection_is_renewed_between_two_messages() -> None:
    world = UpstreamWorld(policy=UpstreamPolicy(renewal_spread=ZERO)).live()
    began = world.clock.now()
    while world.clock.now() < began + timedelta(minutes=114):
        world.wait(timedelta(seconds=30))
        world.quiet()
    world.wait(timedelta(seconds=59))
    world.quiet()
    world.send("just now", "t-1")
    world.wait(timedelta(seconds=5))
    held = len(world.told(Connect))
    world.settle()

    assert held == 1
    assert len(world.told(Connect)) == 2
    assert world.genesys.heard == world.delivered == ["t-1"]


def test_a_new_session_knows_nothing_of_the_doubtful(world: UpstreamWorld) -> None:
    world.live().send("who knows", "t-1")
    world.cut(heard=1)
    world.genesys.began = False
    world.settle()

    assert world.failed["t-1"].code is FailureCode.OUTCOME_UNKNOWN
    assert world.told(Resumed) == [Resumed(history_wanted=False)]


@pytest.mark.parametrize("jwt_body", [None, {"jwt": 7}])
def test_a_history_that_is_refused_is_asked_for_again(
    world: UpstreamWorld, jwt_body: dict[str, int] | None
) -> None:
    world.live().send("doubtful", "t-1")
    world.cut(heard=1)
    while not any(frame["action"] == "getJwt" for frame in world.written):
        world.wait(timedelta(seconds=1))
        world.dial()
        if len(world.written) == 1 and world.written[0]["action"].startswith("configure"):
            world.carry_up()
            world.carry_down()
    if jwt_body is None:
        world.refuse(429)
    else:
        world.push("JwtResponse", jwt_body)
    world.up.clear()
    world.settle()

    assert world.delivered == ["t-1"]
    assert world.genesys.heard == ["t-1"]


def test_two_of_the_same_words_are_not_taken_for_each_other() -> None:
    """Without metadata only words can be compared, and an earlier message had the same ones."""
    world = UpstreamWorld(keeps_metadata=False, policy=UpstreamPolicy(history_tries=1)).live()
    world.send("yes", "t-1")
    world.cut(heard=1)
    for _ in range(15):
        world.wait(timedelta(seconds=1))
        world.dial()
        world.carry_up()
        world.carry_down()
        world.answer_history(found=False)
    world.send("yes", "t-2")
    world.cut(heard=0)
    world.settle()

    assert world.genesys.heard == ["t-1"]
    assert [world.failed[name].code for name in ("t-1", "t-2")] == [FailureCode.OUTCOME_UNKNOWN] * 2


def test_the_mark_tells_them_apart() -> None:
    world = UpstreamWorld(policy=UpstreamPolicy(history_tries=1)).live()
    world.send("yes", "t-1")
    world.cut(heard=1)
    for _ in range(15):
        world.wait(timedelta(seconds=1))
        world.dial()
        world.carry_up()
        world.carry_down()
        world.answer_history(found=False)
    world.send("yes", "t-2")
    world.cut(heard=0)
    world.settle()

    assert world.genesys.heard == ["t-1", "t-2"]
    assert world.delivered == ["t-2"]


def test_what_is_remembered_is_bounded() -> None:
    memory = UpstreamMemory()
    said = Said()
    for count in range(3 * MAX_KEYS):
        channel = Channel(message_id=f"uuid-{count}")
        metadata = {"id": f"mark-{count}"}
        said = Said(id=f"id-{count}", direction="Inbound", channel=channel, metadata=metadata)
        memory.note(said)
        memory.note_riddle(f"text {count}")

    assert len(memory) == MAX_KEYS + MAX_MARKS + MAX_RIDDLES
    assert memory.knows(said)
    assert memory.has_heard(f"mark-{3 * MAX_KEYS - 1}")
    assert not memory.has_heard("mark-0")
    assert memory.is_riddle(f"text {3 * MAX_KEYS - 1}")
    assert not memory.is_riddle("text 0")
