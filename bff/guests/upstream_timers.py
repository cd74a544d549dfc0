"""When an upstream wants to be woken, and what for."""

from datetime import datetime
from enum import StrEnum


class Timer(StrEnum):
    """What can become due."""

    REACH = "reach"
    ECHO = "echo"
    PACE = "pace"
    PING = "ping"
    PONG = "pong"
    RENEW = "renew"
    HISTORY = "history"
    STEP_UP = "step_up"
    END = "end"
    DRAIN = "drain"


class Timers:
    """At most one time for each purpose."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due: dict[Timer, datetime] = {}

    def set(self, timer: Timer, at: datetime) -> None:
        """Let `timer` become due at `at`, in place of any earlier wish."""
        self._due[timer] = at

    def drop(self, timer: Timer) -> None:
        """Forget."""
        self._due.pop(timer, None)

    def keep_only(self, *timers: Timer) -> None:
        """Forget all others."""
        self._due = {timer: at for timer, at in self._due.items() if timer in timers}

    def is_set(self, timer: Timer) -> bool:
        """Say whether `timer` is still to become due."""
        return timer in self._due

    def next(self) -> datetime | None:
        """Return when the first becomes due."""
        due = self._due
        return min(due.values()) if due else None

    def take_due(self, now: datetime) -> list[Timer]:
        """Return what is due, oldest first, and forget it."""
        due = sorted((at, timer) for timer, at in self._due.items() if at <= now)
        for _, timer in due:
            del self._due[timer]
        return [timer for _, timer in due]
