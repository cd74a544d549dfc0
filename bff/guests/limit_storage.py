"""Moving windows of the `limits` library on our own store: on SQLite and Redis alike."""

import struct
from datetime import UTC, datetime, timedelta
from typing import Final

from limits.storage import MovingWindowSupport, Storage

from bff.errors import StoreDownError
from bff.ports import Clock, Entry, Store

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class StoreWindows(Storage, MovingWindowSupport):
    """One entry for each limit and key: when the last so many were admitted.

    An entry is changed by compare-and-set only, so that two processes cannot both take the last
    place. A write that loses means that somebody else was admitted, which happens at most
    `limit` times in a window: nobody tries for ever. Whoever is refused writes nothing: a flood
    costs reads, and no memory.
    """

    STORAGE_SCHEME = None

    def __init__(self, store: Store, *, clock: Clock) -> None:
        super().__init__()
        self._store = store
        self._clock = clock

    @property
    def base_exceptions(self) -> type[Exception]:
        """What is raised when the store is away: a limit that cannot be read admits nobody."""
        return StoreDownError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Admit `amount` more, or say that there is no room."""
        while True:
            entry = self._store.get(_name(key))
            now = self._now()
            admitted = _living(entry, now, expiry)
            if len(admitted) + amount > limit:
                return False
            if self._write(key, entry, [*admitted, *[now] * amount], expiry):
                return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return when the oldest that still counts was admitted, and how many there are."""
        del limit
        now = self._now()
        admitted = _living(self._store.get(_name(key)), now, expiry)
        return (admitted[0] if admitted else now) / 1_000_000, len(admitted)

    def check(self) -> bool:
        """Say that the store answers, or raise StoreDownError."""
        self._store.ping()
        return True

    def clear(self, key: str) -> None:
        """Forget who was admitted under `key`."""
        self._store.delete(_name(key))

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Not here: a fixed window lets twice its limit through around its end."""
        raise NotImplementedError("moving windows only")

    def get(self, key: str) -> int:
        """Not here either."""
        raise NotImplementedError("moving windows only")

    def get_expiry(self, key: str) -> float:
        """Not here either."""
        raise NotImplementedError("moving windows only")

    def reset(self) -> int | None:
        """Not here: nobody may empty a store that others use."""
        raise NotImplementedError("windows end by themselves")

    def _write(self, key: str, entry: Entry | None, admitted: list[int], expiry: int) -> bool:
        value = struct.pack(f">{len(admitted)}q", *admitted)
        ttl = timedelta(seconds=expiry)
        if entry is None:
            return self._store.add(_name(key), value, ttl=ttl)
        version = self._store.replace(_name(key), value, version=entry.version, ttl=ttl)
        return version is not None

    def _now(self) -> int:
        return (self._clock.now() - _EPOCH) // _MICROSECOND


def _name(key: str) -> str:
    return f"limit:{key}"


def _living(entry: Entry | None, now: int, expiry: int) -> list[int]:
    """Return the moments that still count, oldest first.

    One that lies ahead was written by a machine whose clock is fast. It counts as now: else that
    clock would decide how long everybody waits.
    """
    if entry is None:
        return []
    moments = struct.unpack(f">{len(entry.value) // 8}q", entry.value)
    return [min(moment, now) for moment in moments if moment > now - expiry * 1_000_000]
