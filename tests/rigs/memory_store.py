"""Every promise of `ports.Store`, kept in memory: quick, thread-safe, on any clock."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Self

from hand_clock import HandClock

from bff.errors import StoreDownError
from bff.ports import Clock, Count, Entry, Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timed:
    ends: datetime
    entry: Entry | None = None
    lease: Lease | None = None
    counted: int = 0


class MemorySubscription:
    """Keeps `ports.Subscription`; what is published between two calls waits in line."""

    def __init__(self, store: "MemoryStore", channels: tuple[str, ...]) -> None:
        self.channels = channels
        self.waiting: deque[tuple[str, bytes]] = deque()
        self.news = threading.Condition()
        self.lost = False
        self._store = store

    def receive(self, timeout: timedelta) -> tuple[str, bytes] | None:
        with self.news:
            self.news.wait_for(lambda: self.waiting or self.lost, timeout.total_seconds())
            if self.lost:
                raise StoreDownError("the store was taken down")
            return self.waiting.popleft() if self.waiting else None

    def hand_in(self, channel: str, message: bytes) -> None:
        with self.news:
            self.waiting.append((channel, message))
            self.news.notify_all()

    def lose(self) -> None:
        with self.news:
            self.lost = True
            self.news.notify_all()

    def close(self) -> None:
        self._store.forget(self)
        self.lose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(slots=True)
class _Shelves:
    entries: dict[str, _Timed] = field(default_factory=dict)
    leases: dict[str, _Timed] = field(default_factory=dict)
    counts: dict[str, _Timed] = field(default_factory=dict)
    groups: dict[str, dict[str, datetime]] = field(default_factory=dict)


class MemoryStore:
    """Keeps `ports.Store`. `down = True` makes every method raise, as a lost server would.

    `calls` counts what was asked, so that a test can say that nobody asked at all.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or HandClock()
        self.calls = 0
        self._down = False
        self._lock = threading.RLock()
        self._numbers = count(1)
        self._shelves = _Shelves()
        self._subscriptions: list[MemorySubscription] = []

    @property
    def down(self) -> bool:
        return self._down

    @down.setter
    def down(self, value: bool) -> None:
        with self._lock:
            self._down = value
            listening = list(self._subscriptions) if value else []
        for subscription in listening:
            subscription.lose()

    def get(self, key: str) -> Entry | None:
        with self._asked(key):
            held = self._living(self._shelves.entries, key)
            return None if held is None else held.entry

    def put(self, key: str, value: bytes, *, ttl: timedelta) -> int:
        with self._asked(key):
            return self._write(key, value, ttl)

    def add(self, key: str, value: bytes, *, ttl: timedelta) -> bool:
        with self._asked(key):
            if self._living(self._shelves.entries, key) is not None:
                return False
            self._write(key, value, ttl)
            return True

    def replace(self, key: str, value: bytes, *, version: int, ttl: timedelta) -> int | None:
        with self._asked(key):
            held = self._living(self._shelves.entries, key)
            if held is None or held.entry is None or held.entry.version != version:
                return None
            return self._write(key, value, ttl)

    def take(self, key: str) -> bytes | None:
        with self._asked(key):
            held = self._living(self._shelves.entries, key)
            if held is None or held.entry is None:
                return None
            del self._shelves.entries[key]
            return held.entry.value

    def delete(self, key: str) -> bool:
        return self.take(key) is not None

    def acquire_lease(self, name: str, *, ttl: timedelta) -> Lease | None:
        with self._asked(name):
            if self._living(self._shelves.leases, name) is not None:
                return None
            number = next(self._numbers)
            lease = Lease(name=name, owner=f"owner-{number}", fence=number)
            self._shelves.leases[name] = _Timed(ends=self._end(ttl), lease=lease)
            return lease

    def renew_lease(self, lease: Lease, *, ttl: timedelta) -> bool:
        with self._asked(lease.name):
            if not self._holds(lease):
                return False
            self._shelves.leases[lease.name] = _Timed(ends=self._end(ttl), lease=lease)
            return True

    def release_lease(self, lease: Lease) -> bool:
        with self._asked(lease.name):
            if not self._holds(lease):
                return False
            del self._shelves.leases[lease.name]
            return True

    def count(self, name: str, *, window: timedelta) -> Count:
        with self._asked(name):
            held = self._living(self._shelves.counts, name)
            held = held or _Timed(ends=self._end(window))
            held = _Timed(ends=held.ends, counted=held.counted + 1)
            self._shelves.counts[name] = held
            return Count(value=held.counted, resets_in=held.ends - self.clock.now())

    def join(self, group: str, member: str, *, ttl: timedelta) -> None:
        with self._asked(group):
            self._shelves.groups.setdefault(group, {})[member] = self._end(ttl)

    def leave(self, group: str, member: str) -> bool:
        with self._asked(group):
            ends = self._shelves.groups.get(group, {}).pop(member, None)
            return ends is not None and self.clock.now() < ends

    def members(self, group: str) -> list[str]:
        with self._asked(group):
            now = self.clock.now()
            joined = self._shelves.groups.get(group, {})
            return [member for member, ends in joined.items() if now < ends]

    def publish(self, channel: str, message: bytes) -> None:
        with self._asked(channel):
            listening = [s for s in self._subscriptions if channel in s.channels]
        for subscription in listening:
            subscription.hand_in(channel, message)

    def subscribe(self, *channels: str) -> MemorySubscription:
        with self._asked(*channels):
            subscription = MemorySubscription(self, channels)
            self._subscriptions.append(subscription)
            return subscription

    def ping(self) -> None:
        with self._asked():
            pass

    def close(self) -> None:
        self.down = True

    def forget(self, subscription: MemorySubscription) -> None:
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    def values(self) -> list[bytes]:
        """Return every stored value: what somebody who stole a copy would have."""
        with self._lock:
            return [held.entry.value for held in self._shelves.entries.values() if held.entry]

    def names(self) -> list[str]:
        """Return every key: what somebody who stole a copy would read."""
        with self._lock:
            return [*self._shelves.entries, *self._shelves.groups, *self._shelves.counts]

    @contextmanager
    def _asked(self, *names: str) -> Iterator[None]:
        if self._down:
            raise StoreDownError("the store was taken down")
        for name in names:
            # The real stores promise no more than this; a longer key must fail here too.
            assert name.isascii()
            assert 0 < len(name) <= 256
        with self._lock:
            self.calls += 1
            yield

    def _end(self, ttl: timedelta) -> datetime:
        return self.clock.now() + ttl

    def _write(self, key: str, value: bytes, ttl: timedelta) -> int:
        entry = Entry(value=bytes(value), version=next(self._numbers))
        self._shelves.entries[key] = _Timed(ends=self._end(ttl), entry=entry)
        return entry.version

    def _living(self, shelf: dict[str, _Timed], name: str) -> _Timed | None:
        held = shelf.get(name)
        return held if held is not None and self.clock.now() < held.ends else None

    def _holds(self, lease: Lease) -> bool:
        held = self._living(self._shelves.leases, lease.name)
        return held is not None and held.lease == lease
