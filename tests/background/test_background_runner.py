"""The supervised runner: what dies is started again, counted and told; what hangs is told."""

import logging
import threading
from datetime import timedelta

import pytest
from background_rig import AT_ONCE, LIMIT_S, Hurry, Mortal, becomes, eventually, health_of
from gevent import GreenletExit

from bff.background.jobs import Job, JobState, Pulse
from bff.background.runner import BackgroundRunner, BackOff
from bff.errors import StoreDownError

DEATHS = [
    RuntimeError("unforeseen"),
    RecursionError("too deep"),
    MemoryError(),
    KeyError("seq"),
    StoreDownError("not expected by this job"),
    SystemExit(3),
    KeyboardInterrupt(),
    GreenletExit(),
    GeneratorExit(),
]


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: type(death).__name__)
def test_a_round_that_dies_of_anything_is_done_again(
    runner: BackgroundRunner, death: BaseException
) -> None:
    work = Mortal(dies_of=[death])

    runner.start(Job(name="work", once=work.once, every=AT_ONCE))

    assert work.was_done()
    assert becomes(runner, "work", JobState.RUNNING)
    assert health_of(runner, "work").restarts == 1


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: type(death).__name__)
def test_a_loop_that_dies_of_anything_is_begun_again(
    runner: BackgroundRunner, death: BaseException
) -> None:
    deaths, begun = [death], threading.Event()

    def loop(pulse: Pulse) -> None:
        if deaths:
            raise deaths.pop()
        begun.set()
        while not pulse.stopping:
            pulse.beat()
            pulse.wait(AT_ONCE)

    runner.start(Job(name="loop", loop=loop))

    assert begun.wait(LIMIT_S)
    assert becomes(runner, "loop", JobState.RUNNING)
    assert health_of(runner, "loop").restarts == 1


def test_a_loop_that_returns_unasked_has_died(runner: BackgroundRunner) -> None:
    runner.start(Job(name="loop", loop=lambda _: None))

    assert eventually(lambda: health_of(runner, "loop").restarts > 2)
    assert not health_of(runner, "loop").well


def test_whoever_died_is_not_well_until_it_has_done_its_work(hurry: Hurry) -> None:
    runner = hurry.runner(BackOff(first=timedelta(hours=1)))
    work = Mortal(dies_of=[RuntimeError("once")])
    runner.start(Job(name="work", once=work.once, every=AT_ONCE))

    assert becomes(runner, "work", JobState.RESTARTING)
    assert [health.name for health in runner.ailing()] == ["work"]
    assert health_of(runner, "work").error == "RuntimeError"
    assert health_of(runner, "work").last_success is None
    runner.stop()
    assert health_of(runner, "work").state is JobState.STOPPED
    assert not runner.ailing()


def test_a_death_is_written_with_its_trace_once_and_counted_each_time(
    runner: BackgroundRunner, caplog: pytest.LogCaptureFixture
) -> None:
    work = Mortal(dies_of=[ValueError("the same") for _ in range(5)])
    with caplog.at_level(logging.ERROR, "bff.background"):
        runner.start(Job(name="work", once=work.once, every=AT_ONCE))
        assert work.was_done()

    assert len(caplog.records) == health_of(runner, "work").restarts == 5
    assert [record.exc_info is not None for record in caplog.records] == [True] + [False] * 4
    assert "work" in caplog.records[4].getMessage()


def test_what_a_job_expects_is_no_death(runner: BackgroundRunner) -> None:
    work = Mortal(dies_of=[StoreDownError("away")])
    runner.start(Job(name="work", once=work.once, every=AT_ONCE, expected=(StoreDownError,)))

    assert work.was_done()
    assert health_of(runner, "work").restarts == 0
    assert eventually(lambda: health_of(runner, "work").error is None)


def test_a_job_that_hangs_is_stalled_and_well_again_when_it_goes_on(
    runner: BackgroundRunner, hurry: Hurry
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hangs() -> None:
        inside.set()
        assert go_on.wait(LIMIT_S)

    runner.start(Job(name="hangs", once=hangs, every=AT_ONCE, patience=timedelta(minutes=2)))
    assert inside.wait(LIMIT_S)
    hurry.clock.advance(timedelta(minutes=2))
    assert health_of(runner, "hangs").state is JobState.RUNNING
    hurry.clock.advance(timedelta(seconds=1))

    assert health_of(runner, "hangs").state is JobState.STALLED
    go_on.set()
    assert becomes(runner, "hangs", JobState.RUNNING)


def test_a_loop_that_stops_beating_is_stalled(runner: BackgroundRunner, hurry: Hurry) -> None:
    heard, beaten = threading.Event(), threading.Event()

    def loop(pulse: Pulse) -> None:
        pulse.beat()
        beaten.set()
        heard.wait(LIMIT_S)
        while not pulse.stopping:
            pulse.beat()
            pulse.wait(AT_ONCE)

    runner.start(Job(name="loop", loop=loop, patience=timedelta(minutes=1)))
    assert beaten.wait(LIMIT_S)
    hurry.clock.advance(timedelta(minutes=1, seconds=1))

    assert health_of(runner, "loop").state is JobState.STALLED
    heard.set()
    assert becomes(runner, "loop", JobState.RUNNING)


def test_a_job_that_has_nothing_to_do_is_not_stalled(
    runner: BackgroundRunner, hurry: Hurry
) -> None:
    wake = threading.Event()
    work = Mortal()
    runner.start(Job(name="idle", once=work.once, every=timedelta(days=1), wake=wake))
    wake.set()
    assert work.was_done()
    assert eventually(lambda: health_of(runner, "idle").last_success is not None)

    hurry.clock.advance(timedelta(hours=20))

    assert health_of(runner, "idle").well
    wake.set()
    assert work.was_done()


def test_where_no_thread_can_be_had_the_job_is_dead_until_there_is_one(
    runner: BackgroundRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    work = Mortal()
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", none_left)
        runner.start(Job(name="work", once=work.once, every=AT_ONCE))
        assert health_of(runner, "work").state is JobState.DEAD

    # Whoever looks at it next has it started.
    assert becomes(runner, "work", JobState.RUNNING)
    assert work.was_done()


def test_stopping_waits_for_the_round_under_way_and_no_longer_than_it_may(
    runner: BackgroundRunner,
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        inside.set()
        go_on.wait(LIMIT_S)

    running = runner.start(Job(name="slow", once=slow, every=AT_ONCE))
    assert inside.wait(LIMIT_S)
    runner.stop("slow", limit=timedelta(milliseconds=20))
    assert running.is_alive()
    go_on.set()
    runner.stop("slow")
    assert not running.is_alive()


def test_a_job_is_started_once_and_can_come_back_after_it_was_stopped(
    runner: BackgroundRunner,
) -> None:
    work = Mortal()
    job = Job(name="work", once=work.once, every=AT_ONCE)
    assert runner.start(job) is runner.start(job)
    runner.stop("work")

    runner.start(job)

    assert health_of(runner, "work").state is JobState.RUNNING
    assert work.was_done()


@pytest.mark.parametrize("deaths", [1, 2, 3, 4, 40, 4000])
def test_the_pause_grows_and_has_an_end(deaths: int) -> None:
    pause = BackOff().pause(deaths)
    assert pause == timedelta(seconds=min(30, 2 ** min(deaths - 1, 10)))


def test_a_job_either_loops_or_goes_round() -> None:
    with pytest.raises(ValueError, match="either"):
        Job(name="neither")
