"""Counts what happened at the stand-in provider, and lets a test wait for it."""

import threading
from collections import Counter


class Tally:
    """Named counters for all threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._counts: Counter[str] = Counter()

    def add(self, name: str) -> None:
        """Count one more."""
        with self._changed:
            self._counts[name] += 1
            self._changed.notify_all()

    def __getitem__(self, name: str) -> int:
        """Return how many so far."""
        with self._changed:
            return self._counts[name]

    def wait_for(self, name: str, count: int, *, timeout_s: float = 10) -> bool:
        """Wait until there were `count`; say whether there were in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._counts[name] >= count, timeout_s)

    def listed(self) -> dict[str, int]:
        """Return all counters."""
        with self._changed:
            return dict(sorted(self._counts.items()))
