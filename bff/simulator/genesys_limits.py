"""The limits of web messaging, as one table and a sliding window."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bff.ports import Clock

MAX_TEXT_BYTES: Final = 4_096
MAX_ATTRIBUTE_BYTES: Final = 2_048
MAX_CONNECTIONS: Final = 3
HISTORY_JWT_LIFE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """So many within so long."""

    name: str
    count: int
    window: timedelta


MESSAGES: Final = Limit(name="messages", count=5, window=timedelta(seconds=1))
REQUESTS: Final = Limit(name="requests", count=60, window=timedelta(minutes=1))
CONFIGURES: Final = Limit(name="configures", count=60, window=timedelta(minutes=1))
CONNECTIONS: Final = Limit(name="connections", count=1_000, window=timedelta(minutes=1))
HISTORY: Final = Limit(name="history", count=10, window=timedelta(minutes=1))
HEALTH_CHECKS: Final = Limit(name="health checks", count=2, window=timedelta(minutes=1))
TYPING: Final = Limit(name="typing", count=1, window=timedelta(seconds=5))
PLATFORM_REQUESTS: Final = Limit(name="platform", count=300, window=timedelta(minutes=1))


class TooFast(Exception):  # noqa: N818 - it is an answer on the wire, not a fault of ours
    """A client exceeded a limit."""

    def __init__(self, wait: timedelta, what: str) -> None:
        super().__init__(what)
        self.wait = wait
        self.what = what


class Windows:
    """Counts what was admitted, for each limit and key. Not thread-safe: its owner locks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._admitted: dict[tuple[str, str], deque[datetime]] = {}

    def wait(self, limit: Limit, key: str) -> timedelta | None:
        """Admit one more and return None, or return how long until there is room again."""
        now = self._clock.now()
        admitted = self._admitted.setdefault((limit.name, key), deque())
        while admitted and now - admitted[0] >= limit.window:
            admitted.popleft()
        if len(admitted) >= limit.count:
            return admitted[0] + limit.window - now
        admitted.append(now)
        return None

    def admit(self, limit: Limit, key: str) -> None:
        """Admit one more. Raises TooFast if there is no room."""
        wait = self.wait(limit, key)
        if wait is not None:
            raise TooFast(wait, limit.name)

    def forget(self, key: str) -> None:
        """Drop the counts of `key`."""
        for name, other in [pair for pair in self._admitted if pair[1] == key]:
            del self._admitted[(name, other)]
