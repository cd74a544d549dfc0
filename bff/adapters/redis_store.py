"""Short-lived state in Redis, shared by processes on many machines."""

import zlib
from datetime import timedelta
from typing import Any, Final

from redis.exceptions import NoScriptError

from bff.adapters import redis_scripts as scripts
from bff.adapters.redis_connections import translated
from bff.adapters.redis_links import RedisLinks
from bff.adapters.redis_subscription import RedisSubscription
from bff.adapters.system import SystemEntropy
from bff.errors import StoreDownError
from bff.ports import Count, Entropy, Entry, Lease

# Each tag keeps one number for ever; 64 of them spread over a cluster's nodes and stay few.
TAGS: Final = 64


class RedisStore:
    """Keeps `ports.Store` on Redis 6.2 or later. Safe for threads, greenlets and processes.

    Times are measured by Redis, so that machines with different clocks agree. A version or a
    fence is never given twice: it comes from a number that belongs to the hash tag instead of
    the key, is kept without expiry, and is raised to the clock of Redis in microseconds. An
    entry that was deleted and made again has a greater version than it ever had, so a writer
    that still holds an old one cannot replace it.

    How long the look-up of a host name takes is the resolver's business; everything else is
    over within a second if Redis does not answer. If it does, and more than `places` callers of
    this process ask at once, the others wait in line, for five seconds at most.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "bff:",
        entropy: Entropy | None = None,
        places: int | None = None,
    ) -> None:
        self._links = RedisLinks(url, places=places)
        self._place = self._links.place
        self._prefix = prefix
        self._entropy = entropy or SystemEntropy()
        self._closed = False

    def __repr__(self) -> str:
        """Say where, and never with which password."""
        return f"RedisStore({self._place!r}, prefix={self._prefix!r})"

    def get(self, key: str) -> Entry | None:
        """Return the entry, or None if there is none."""
        raw = self._ask("GET", self._key("entry", key))
        return None if raw is None else _entry(raw)

    def put(self, key: str, value: bytes, *, ttl: timedelta) -> int:
        """Write unconditionally; return the new version."""
        return int(self._run(scripts.PUT, self._keys("entry", key), value, _milliseconds(ttl)))

    def add(self, key: str, value: bytes, *, ttl: timedelta) -> bool:
        """Write only if the key is free; say whether this call wrote it."""
        keys = self._keys("entry", key)
        return self._run(scripts.ADD, keys, value, _milliseconds(ttl)) is not None

    def replace(self, key: str, value: bytes, *, version: int, ttl: timedelta) -> int | None:
        """Write only if the entry still has `version`; return its new version, else None."""
        keys = self._keys("entry", key)
        number = self._run(scripts.REPLACE, keys, value, _milliseconds(ttl), _number(version))
        return None if number is None else int(number)

    def take(self, key: str) -> bytes | None:
        """Return the value and delete it, for exactly one caller."""
        raw = self._ask("GETDEL", self._key("entry", key))
        return None if raw is None else _entry(raw).value

    def delete(self, key: str) -> bool:
        """Delete; say whether there was anything."""
        return bool(self._ask("DEL", self._key("entry", key)))

    def acquire_lease(self, name: str, *, ttl: timedelta) -> Lease | None:
        """Take the lease if it is free, else None. The fence is taken in the same step."""
        owner = self._entropy.token(16)
        keys = self._keys("lease", name)
        number = self._run(scripts.ADD, keys, owner, _milliseconds(ttl))
        return None if number is None else Lease(name=name, owner=owner, fence=int(number))

    def renew_lease(self, lease: Lease, *, ttl: timedelta) -> bool:
        """Hold on for `ttl` from now; False if it was lost meanwhile."""
        keys = [self._key("lease", lease.name)]
        return bool(self._run(scripts.RENEW_LEASE, keys, _holder(lease), _milliseconds(ttl)))

    def release_lease(self, lease: Lease) -> bool:
        """Give it back; False if it was lost meanwhile."""
        return bool(
            self._run(scripts.RELEASE_LEASE, [self._key("lease", lease.name)], _holder(lease))
        )

    def count(self, name: str, *, window: timedelta) -> Count:
        """Count one more in a fixed window that starts with its first count."""
        keys = [self._key("count", name)]
        value, left = self._run(scripts.COUNT, keys, _milliseconds(window))
        return Count(value=value, resets_in=timedelta(milliseconds=left))

    def join(self, group: str, member: str, *, ttl: timedelta) -> None:
        """Add `member` to `group` for `ttl`; joining again moves the end."""
        self._run(scripts.JOIN, [self._key("group", group)], member, _milliseconds(ttl))

    def leave(self, group: str, member: str) -> bool:
        """Remove `member`; say whether it was there."""
        return bool(self._run(scripts.LEAVE, [self._key("group", group)], member))

    def members(self, group: str) -> list[str]:
        """Return the members that have not expired, in no order."""
        found = self._run(scripts.MEMBERS, [self._key("group", group)])
        return [member.decode() for member in found]

    def publish(self, channel: str, message: bytes) -> None:
        """Tell every subscription of `channel` in every process."""
        self._ask("PUBLISH", f"{self._prefix}channel:{channel}", message)

    def subscribe(self, *channels: str) -> RedisSubscription:
        """Listen from now on, on a connection of its own."""
        self._refuse_if_closed()
        prefix = f"{self._prefix}channel:"
        return RedisSubscription(self._links, prefix=prefix, channels=channels)

    def ping(self) -> None:
        """Raise StoreDownError unless the store answers."""
        self._ask("PING")

    def close(self) -> None:
        """Release connections. Idempotent."""
        self._closed = True
        with translated(self._place):
            self._links.close()

    def _key(self, kind: str, name: str) -> str:
        tag = zlib.crc32(name.encode()) % TAGS
        return f"{self._prefix}{{{tag}}}:{kind}:{name}"

    def _keys(self, kind: str, name: str) -> list[str]:
        """Return the key and its tag's number, which live on the same node of a cluster."""
        tag = zlib.crc32(name.encode()) % TAGS
        return [self._key(kind, name), f"{self._prefix}{{{tag}}}:number"]

    def _run(self, script: scripts.Script, keys: list[str], *arguments: str | bytes | int) -> Any:
        self._refuse_if_closed()
        with translated(self._place):
            try:
                return self._links.send("EVALSHA", script.sha, len(keys), *keys, *arguments)
            except NoScriptError:
                # A restarted Redis has forgotten it; nothing ran, so this is no repetition.
                return self._links.send("EVAL", script.text, len(keys), *keys, *arguments)

    def _ask(self, *command: str | bytes | int) -> Any:
        self._refuse_if_closed()
        with translated(self._place):
            return self._links.send(*command)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreDownError(f"{self._place}: closed")


def _milliseconds(duration: timedelta) -> int:
    """Return at least one: Redis refuses zero, and what is over at once is no fault."""
    return max(1, -(-duration // timedelta(milliseconds=1)))


def _number(value: int) -> str:
    return f"{value:0{scripts.NUMBER_WIDTH}d}"


def _holder(lease: Lease) -> str:
    return _number(lease.fence) + lease.owner


def _entry(raw: bytes) -> Entry:
    return Entry(value=raw[scripts.NUMBER_WIDTH :], version=int(raw[: scripts.NUMBER_WIDTH]))
