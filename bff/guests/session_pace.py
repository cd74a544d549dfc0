"""How fast one session may speak, kept in memory: Genesys' own limits, looked up in no store.

Genesys counts for each session. A session in two tabs has two of these; what they let through
together Genesys refuses, and the page is told as it is told of any refusal.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol


class FrameKind(StrEnum):
    """What is counted apart."""

    MESSAGE = "message"
    TYPING = "typing"


class Pace(Protocol):
    """Admits the frames of one session."""

    def admit(self, kind: FrameKind, *, now: datetime) -> timedelta | None:
        """Return None for one more of `kind`, or how long to wait. What must wait is not counted.

        Raises StoreDownError if it counts in a store that is away.
        """


MESSAGES_A_SECOND: Final = 5
MESSAGES_A_MINUTE: Final = 60
TYPING_EVERY: Final = timedelta(seconds=5)
_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)
_NO_TIME: Final = timedelta(0)
# A member of an enum is looked up slowly (Python 3.11).
_TYPING: Final = FrameKind.TYPING


class SessionPace:
    """Keeps `Pace`: at most so many in any second and any minute, wherever they begin."""

    __slots__ = ("_per_minute", "_per_second", "_times", "_typed_at")

    def __init__(
        self, *, per_second: int = MESSAGES_A_SECOND, per_minute: int = MESSAGES_A_MINUTE
    ) -> None:
        if not 1 <= per_second <= per_minute:
            raise ValueError("a second has at least one message and no more than its minute")
        self._per_second = per_second
        self._per_minute = per_minute
        # As many as a minute may have: when it is full, its oldest decides.
        self._times: list[datetime] = []
        self._typed_at: datetime | None = None

    def admit(self, kind: FrameKind, *, now: datetime) -> timedelta | None:
        """Return None for one more of `kind`, or how long to wait."""
        if kind is _TYPING:
            return self._admit_typing(now)
        times, known = self._times, len(self._times)
        if known and now < times[-1]:
            times.clear()  # the clock was set back: nobody waits for it to catch up
            known = 0
        waits = _NO_TIME
        if known >= self._per_second and now - times[-self._per_second] < _SECOND:
            waits = times[-self._per_second] + _SECOND - now
        if known == self._per_minute and now - times[0] < _MINUTE:
            waits = max(waits, times[0] + _MINUTE - now)
        if waits:
            return waits
        times.append(now)
        if known == self._per_minute:
            del times[0]
        return None

    def _admit_typing(self, now: datetime) -> timedelta | None:
        typed_at = self._typed_at
        if typed_at is not None and _NO_TIME <= now - typed_at < TYPING_EVERY:
            return typed_at + TYPING_EVERY - now
        self._typed_at = now
        return None
