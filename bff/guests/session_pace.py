"""How fast one session may speak, kept in memory: Genesys' own limits, looked up in no store.

Genesys counts for each session. A session in two tabs has two of these; what they let through
together Genesys refuses, and the page is told as it is told of any refusal.
"""

from collections import deque
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from bff.ports import Clock


class FrameKind(StrEnum):
    """What is counted apart."""

    MESSAGE = "message"
    TYPING = "typing"


class Pace(Protocol):
    """Admits the frames of one session."""

    def admit(self, kind: FrameKind) -> timedelta | None:
        """Return None for one more of `kind`, or how long to wait. What must wait is not counted.

        Raises StoreDownError if it counts in a store that is away.
        """


MESSAGES_A_SECOND: Final = 5
MESSAGES_A_MINUTE: Final = 60
TYPING_EVERY: Final = timedelta(seconds=5)
_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)


class SessionPace:
    """Keeps `Pace`: at most so many in any second and any minute, wherever they begin."""

    __slots__ = ("_clock", "_per_second", "_times", "_typed_at")

    def __init__(
        self,
        clock: Clock,
        *,
        per_second: int = MESSAGES_A_SECOND,
        per_minute: int = MESSAGES_A_MINUTE,
    ) -> None:
        if not 1 <= per_second <= per_minute:
            raise ValueError("a second has at least one message and no more than its minute")
        self._clock = clock
        self._per_second = per_second
        # As many as a minute may have: when it is full, its oldest decides.
        self._times: deque[datetime] = deque(maxlen=per_minute)
        self._typed_at: datetime | None = None

    def admit(self, kind: FrameKind) -> timedelta | None:
        """Return None for one more of `kind`, or how long to wait."""
        now = self._clock.now()
        if kind is FrameKind.TYPING:
            return self._admit_typing(now)
        wait = self._wait(now)
        if wait is None:
            self._times.append(now)
        return wait

    def _admit_typing(self, now: datetime) -> timedelta | None:
        if self._typed_at is not None and (wait := _left(self._typed_at, TYPING_EVERY, now)):
            return wait
        self._typed_at = now
        return None

    def _wait(self, now: datetime) -> timedelta | None:
        times = self._times
        waits = []
        if len(times) >= self._per_second:
            waits.append(_left(times[-self._per_second], _SECOND, now))
        if len(times) == times.maxlen:
            waits.append(_left(times[0], _MINUTE, now))
        return max((wait for wait in waits if wait), default=None)


def _left(since: datetime, window: timedelta, now: datetime) -> timedelta | None:
    """Return what is left of the window. A clock that was set back makes none longer."""
    left = since + window - now
    return min(left, window) if left > timedelta(0) else None
