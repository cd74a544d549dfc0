"""Nobody listens any more: what was accepted still has its fate, and then it is over."""

from datetime import timedelta

import pytest
from upstream_world import UpstreamWorld

from bff.guests.upstream_news import LeaveReason


@pytest.fixture
def world() -> UpstreamWorld:
    return UpstreamWorld()


def test_with_nothing_to_say_it_leaves_at_once(world: UpstreamWorld) -> None:
    world.live().do(world.upstream.finish())

    assert world.last_word is LeaveReason.DRAINED


def test_what_was_accepted_before_the_session_was_open_is_said_first(
    world: UpstreamWorld,
) -> None:
    world.do(world.upstream.start())
    world.send("last words", "t-1")
    world.do(world.upstream.finish())
    assert world.last_word is None

    world.settle()

    assert world.delivered == ["t-1"]
    assert world.last_word is LeaveReason.DRAINED


def test_a_cut_on_the_way_out_is_survived(world: UpstreamWorld) -> None:
    world.live().send("last words", "t-1")
    world.do(world.upstream.finish())

    world.cut(heard=1)
    world.settle()

    assert world.delivered == ["t-1"]
    assert world.heard_twice == []


def test_it_does_not_wait_for_ever(world: UpstreamWorld) -> None:
    world.do(world.upstream.start())
    world.send("last words", "t-1")
    world.do(world.upstream.finish())

    for _ in range(100):
        world.wait(timedelta(seconds=1))
        world.fail_to_dial(None)

    assert world.last_word is LeaveReason.DRAINED
    assert "t-1" in world.failed


def test_a_process_that_leaves_meanwhile_does_not_wait_as_long(world: UpstreamWorld) -> None:
    world.do(world.upstream.start())
    world.send("last words", "t-1")
    world.do(world.upstream.finish())

    world.do(world.upstream.drain())

    assert world.last_word is LeaveReason.DRAINED
