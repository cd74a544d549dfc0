"""What a background job is, and what is known of one that runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Event
from typing import Final, Protocol

PATIENCE: Final = timedelta(minutes=1)


class Pulse(Protocol):
    """How a job that loops by itself shows that it lives."""

    @property
    def stopping(self) -> bool:
        """Say whether the job is asked to return."""

    def beat(self) -> None:
        """Say that it works: from now on it has `patience` again."""

    def failed(self, error: Exception) -> None:
        """Say that it could not do its work, for a reason that it expects. No beat."""

    def wait(self, duration: timedelta) -> None:
        """Wait, but not longer than the job may go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that goes on as long as its process.

    Exactly one of `once` and `loop` is given. `once` is called each `every`, and at once when
    `wake` is set. `loop` runs until it is asked to return, and beats meanwhile. Errors of the
    kinds `expected` are no death: the next round comes as usual. A job that is at work for longer
    than `patience` without a beat is stalled.
    """

    name: str
    once: Callable[[], object] | None = None
    loop: Callable[[Pulse], object] | None = None
    every: timedelta = timedelta(seconds=5)
    wake: Event | None = field(default=None, repr=False)
    expected: tuple[type[Exception], ...] = ()
    patience: timedelta = PATIENCE

    def __post_init__(self) -> None:
        """Refuse a job that is neither, or both."""
        if (self.once is None) == (self.loop is None):
            raise ValueError("a job either loops or is done once at a time")


class JobState(StrEnum):
    """How a job is."""

    RUNNING = "running"
    RESTARTING = "restarting"
    STALLED = "stalled"
    DEAD = "dead"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHealth:
    """How a job is at this moment. `error` names the kind of its last failure, never its words."""

    name: str
    state: JobState
    restarts: int
    last_success: datetime | None
    error: str | None

    @property
    def well(self) -> bool:
        """Say whether it does its work, or was asked to end."""
        return self.state in {JobState.RUNNING, JobState.STOPPED}
