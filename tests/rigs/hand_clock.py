"""A clock that stands still until a test turns it."""

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


class HandClock:
    """Keeps `ports.Clock`. Waiting turns the clock instead of passing time."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def advance(self, duration: timedelta) -> None:
        with self._lock:
            self._now += duration

    def sleep(self, duration: timedelta) -> None:
        self.advance(duration)
