"""Asks the store the one question that readiness is about: could a sign-in be written now?"""

import threading
from datetime import datetime, timedelta
from typing import Final

from bff.ports import Clock, Store

KEY: Final = "probe:writable"
EVERY: Final = timedelta(seconds=1)
LIFE: Final = timedelta(seconds=5)


class StoreProbe:
    """Writes a small entry that ends by itself, and not more often than every second.

    In between it asks whether the store answers. A store that answers and takes nothing (a
    replica, a full one, a full disk) is as good as away: whoever comes back from the provider
    would be told so there.
    """

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._written: datetime | None = None

    def check(self) -> None:
        """Raise StoreDownError unless a sign-in could be written; its `reason` says why not."""
        now = self._clock.now()
        with self._lock:
            due = self._written is None or abs(now - self._written) >= EVERY
            if due:
                # Said before it is done: of many that ask at once, one writes.
                self._written = now
        if not due:
            self._store.ping()
            return
        try:
            self._store.put(KEY, b"", ttl=LIFE)
        except BaseException:
            with self._lock:
                self._written = None
            raise
