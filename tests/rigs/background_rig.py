"""A background runner in a hurry, jobs that die to order, and waiting for what becomes of them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from hand_clock import HandClock

from bff.background.jobs import JobHealth, JobState
from bff.background.runner import BackgroundRunner, BackOff

LIMIT_S: Final = 20
AT_ONCE: Final = timedelta(milliseconds=1)
SHORT: Final = BackOff(first=AT_ONCE, longest=AT_ONCE)


@dataclass
class Hurry:
    """The clock of a runner, its seconds, and its haste."""

    clock: HandClock = field(default_factory=HandClock)

    def steady(self) -> float:
        return self.clock.now().timestamp()

    def runner(self, back_off: BackOff = SHORT) -> BackgroundRunner:
        return BackgroundRunner(clock=self.clock, back_off=back_off, steady=self.steady)


@dataclass
class Mortal:
    """Work that dies of whatever is planted, once for each, and counts what it could do."""

    dies_of: list[BaseException] = field(default_factory=list)
    done: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def once(self) -> None:
        if self.dies_of:
            raise self.dies_of.pop(0)
        self.done.release()

    def was_done(self) -> bool:
        return self.done.acquire(timeout=LIMIT_S)


def health_of(runner: BackgroundRunner, name: str) -> JobHealth:
    found = [health for health in runner.health() if health.name == name]
    assert len(found) == 1, runner.health()
    return found[0]


def becomes(runner: BackgroundRunner, name: str, state: JobState) -> bool:
    """Wait until a job is in this state."""
    return eventually(lambda: health_of(runner, name).state is state)


def eventually(true: Callable[[], object]) -> bool:
    """Look until it is true, or for so long that it never will be."""
    over = threading.Event()
    for _ in range(LIMIT_S * 200):
        if true():
            return True
        over.wait(0.005)
    return False
