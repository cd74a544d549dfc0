"""Short-lived state in one SQLite file: the embedded default, for a single machine."""

import os
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bff.adapters.sqlite_connections import SqliteConnections
from bff.adapters.sqlite_messages import SqliteFeed, SqliteSubscription
from bff.ports import Clock, Count, Entropy, Entry, Lease

# Each write sweeps this many expired rows of its table: more than it can add, never a long stop.
SWEEP: Final = 8
# A message is for those who listen now; a process that has not looked for so long starts again.
MESSAGE_LIFE: Final = timedelta(seconds=60)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_NEXT_NUMBER: Final = "UPDATE number SET last = last + 1 RETURNING last"
_PUT: Final = (
    "INSERT INTO entries VALUES (:name, :value, :version, :ends) ON CONFLICT (name) DO UPDATE"
    " SET value = :value, version = :version, ends = :ends"
)
_ADD: Final = f"{_PUT} WHERE entries.ends <= :now"
_REPLACE: Final = (
    "UPDATE entries SET value = :value, version = :version, ends = :ends"
    " WHERE name = :name AND version = :expected AND ends > :now"
)
_TAKE: Final = "DELETE FROM entries WHERE name = :name AND ends > :now RETURNING value"
_GET: Final = "SELECT value, version FROM entries WHERE name = :name AND ends > :now"
_ACQUIRE: Final = (
    "INSERT INTO leases VALUES (:name, :owner, :fence, :ends) ON CONFLICT (name) DO UPDATE"
    " SET owner = :owner, fence = :fence, ends = :ends WHERE leases.ends <= :now"
)
_HELD: Final = "name = :name AND owner = :owner AND fence = :fence AND ends > :now"
_RENEW: Final = f"UPDATE leases SET ends = :ends WHERE {_HELD}"  # noqa: S608 - from our own words
_RELEASE: Final = f"DELETE FROM leases WHERE {_HELD}"  # noqa: S608 - from our own words
_COUNT: Final = (
    "INSERT INTO counts VALUES (:name, 1, :ends) ON CONFLICT (name) DO UPDATE"
    " SET value = CASE WHEN ends > :now THEN value + 1 ELSE 1 END,"
    " ends = CASE WHEN ends > :now THEN ends ELSE :ends END RETURNING value, ends"
)
_JOIN: Final = (
    "INSERT INTO members VALUES (:name, :member, :ends) ON CONFLICT (name, member) DO UPDATE"
    " SET ends = :ends"
)
_LEAVE: Final = "DELETE FROM members WHERE name = :name AND member = :member AND ends > :now"
_MEMBERS: Final = "SELECT member FROM members WHERE name = :name AND ends > :now"
_PUBLISH: Final = "INSERT INTO messages (channel, message, ends) VALUES (:channel, :body, :ends)"

_EXPIRED: Final = tuple(
    f"DELETE FROM {table} WHERE ends <= :now"  # noqa: S608 - from our own words
    for table in ("entries", "leases", "counts", "members", "messages")
)
_SWEEPS: Final = {
    table: f"DELETE FROM {table} WHERE ({key}) IN"  # noqa: S608 - built from the words below
    f" (SELECT {key} FROM {table} WHERE ends <= :now ORDER BY ends LIMIT {SWEEP})"
    for table, key in {
        "entries": "name",
        "leases": "name",
        "counts": "name",
        "members": "name, member",
        "messages": "id",
    }.items()
}


class SqliteStore:
    """Keeps `ports.Store` on one file. Safe for threads, greenlets and processes of a machine.

    Times are those of `clock`. A version or a fence is never given twice: both are the next
    value of one number that belongs to the file instead of the key. An entry that was deleted
    and made again has a greater version than it ever had, so a writer that still holds an old
    one cannot replace it. `thorough` overwrites what is deleted; `scrub` then leaves no copy.
    """

    def __init__(
        self, path: Path | str, clock: Clock, entropy: Entropy, *, thorough: bool = False
    ) -> None:
        self._path = Path(path)
        self._thorough = thorough
        self._clock = clock
        self._entropy = entropy
        # A connection must not cross a fork: the child makes its own and never touches ours.
        self._by_process: dict[int, tuple[SqliteConnections, SqliteFeed]] = {}

    def get(self, key: str) -> Entry | None:
        """Return the entry, or None if there is none."""
        values = {"name": key, "now": self._now()}
        rows = self._connections.read(lambda db: db.execute(_GET, values).fetchall())
        return Entry(value=rows[0][0], version=rows[0][1]) if rows else None

    def put(self, key: str, value: bytes, *, ttl: timedelta) -> int:
        """Write unconditionally; return the new version."""
        now = self._now()

        def work(db: sqlite3.Connection) -> int:
            _sweep(db, "entries", now)
            version = _next_number(db)
            db.execute(_PUT, _row(key, value, version, now, ttl))
            return version

        return self._connections.write(work)

    def add(self, key: str, value: bytes, *, ttl: timedelta) -> bool:
        """Write only if the key is free; say whether this call wrote it."""
        now = self._now()

        def work(db: sqlite3.Connection) -> bool:
            _sweep(db, "entries", now)
            return db.execute(_ADD, _row(key, value, _next_number(db), now, ttl)).rowcount == 1

        return self._connections.write(work)

    def replace(self, key: str, value: bytes, *, version: int, ttl: timedelta) -> int | None:
        """Write only if the entry still has `version`; return its new version, else None."""
        now = self._now()

        def work(db: sqlite3.Connection) -> int | None:
            number = _next_number(db)
            row = _row(key, value, number, now, ttl) | {"expected": version}
            return number if db.execute(_REPLACE, row).rowcount == 1 else None

        return self._connections.write(work)

    def take(self, key: str) -> bytes | None:
        """Return the value and delete it, for exactly one caller."""
        values = {"name": key, "now": self._now()}
        rows = self._connections.write(lambda db: db.execute(_TAKE, values).fetchall())
        return bytes(rows[0][0]) if rows else None

    def delete(self, key: str) -> bool:
        """Delete; say whether there was anything."""
        return self.take(key) is not None

    def acquire_lease(self, name: str, *, ttl: timedelta) -> Lease | None:
        """Take the lease if it is free, else None. The fence is taken in the same step."""
        now = self._now()
        owner = self._entropy.token(16)

        def work(db: sqlite3.Connection) -> Lease | None:
            _sweep(db, "leases", now)
            lease = Lease(name=name, owner=owner, fence=_next_number(db))
            taken = db.execute(_ACQUIRE, _held(lease, now, ttl)).rowcount == 1
            return lease if taken else None

        return self._connections.write(work)

    def renew_lease(self, lease: Lease, *, ttl: timedelta) -> bool:
        """Hold on for `ttl` from now; False if it was lost meanwhile."""
        values = _held(lease, self._now(), ttl)
        return self._connections.write(lambda db: db.execute(_RENEW, values).rowcount == 1)

    def release_lease(self, lease: Lease) -> bool:
        """Give it back; False if it was lost meanwhile."""
        values = _held(lease, self._now(), timedelta(0))
        return self._connections.write(lambda db: db.execute(_RELEASE, values).rowcount == 1)

    def count(self, name: str, *, window: timedelta) -> Count:
        """Count one more in a fixed window that starts with its first count."""
        now = self._now()
        values = {"name": name, "now": now, "ends": now + _microseconds(window)}

        def work(db: sqlite3.Connection) -> Count:
            _sweep(db, "counts", now)
            value, ends = db.execute(_COUNT, values).fetchall()[0]
            return Count(value=value, resets_in=(ends - now) * _MICROSECOND)

        return self._connections.write(work)

    def join(self, group: str, member: str, *, ttl: timedelta) -> None:
        """Add `member` to `group` for `ttl`; joining again moves the end."""
        now = self._now()
        values = {"name": group, "member": member, "ends": now + _microseconds(ttl)}

        def work(db: sqlite3.Connection) -> None:
            _sweep(db, "members", now)
            db.execute(_JOIN, values)

        self._connections.write(work)

    def leave(self, group: str, member: str) -> bool:
        """Remove `member`; say whether it was there."""
        values = {"name": group, "member": member, "now": self._now()}
        return self._connections.write(lambda db: db.execute(_LEAVE, values).rowcount == 1)

    def members(self, group: str) -> list[str]:
        """Return the members that have not expired, in no order."""
        values = {"name": group, "now": self._now()}
        rows = self._connections.read(lambda db: db.execute(_MEMBERS, values).fetchall())
        return [row[0] for row in rows]

    def publish(self, channel: str, message: bytes) -> None:
        """Tell every subscription of `channel` in every process."""
        now = self._now()
        values = {"channel": channel, "body": message, "ends": now + _microseconds(MESSAGE_LIFE)}

        def work(db: sqlite3.Connection) -> None:
            _sweep(db, "messages", now)
            db.execute(_PUBLISH, values)

        self._connections.write(work)
        self._feed.wake()

    def subscribe(self, *channels: str) -> SqliteSubscription:
        """Listen from now on; once this returns, nothing published later is missed."""
        return self._feed.subscribe(frozenset(channels))

    def ping(self) -> None:
        """Raise StoreDownError unless the file can be read."""
        self._connections.read(lambda db: db.execute("SELECT last FROM number").fetchall())

    def scrub(self, *, rebuild: bool = False) -> bool:
        """Let nothing of what was deleted stay behind in the files. Not in `ports.Store`.

        False if that was prevented, and is to be tried again. `rebuild` writes the file anew,
        which makes sure of it, without what has expired. Raises StoreDownError.
        """
        if rebuild:
            values = {"now": self._now()}
            self._connections.write(lambda db: [db.execute(one, values) for one in _EXPIRED])
        return self._connections.scrub(rebuild=rebuild)

    def close(self) -> None:
        """Release connections. Idempotent."""
        self._feed.close()
        self._connections.close()

    @property
    def _connections(self) -> SqliteConnections:
        return self._mine()[0]

    @property
    def _feed(self) -> SqliteFeed:
        return self._mine()[1]

    def _mine(self) -> tuple[SqliteConnections, SqliteFeed]:
        process = os.getpid()
        if process not in self._by_process:
            connections = SqliteConnections(self._path, thorough=self._thorough)
            # Two threads may both come here first; setdefault lets one of them win.
            self._by_process.setdefault(process, (connections, SqliteFeed(connections)))
        return self._by_process[process]

    def _now(self) -> int:
        return _microseconds(self._clock.now() - _EPOCH)


def _microseconds(duration: timedelta) -> int:
    return duration // _MICROSECOND


def _next_number(db: sqlite3.Connection) -> int:
    return int(db.execute(_NEXT_NUMBER).fetchall()[0][0])


def _sweep(db: sqlite3.Connection, table: str, now: int) -> None:
    db.execute(_SWEEPS[table], {"now": now})


def _row(key: str, value: bytes, version: int, now: int, ttl: timedelta) -> dict[str, object]:
    ends = now + _microseconds(ttl)
    return {"name": key, "value": value, "version": version, "now": now, "ends": ends}


def _held(lease: Lease, now: int, ttl: timedelta) -> dict[str, object]:
    ends = now + _microseconds(ttl)
    names = {"name": lease.name, "owner": lease.owner, "fence": lease.fence}
    return names | {"now": now, "ends": ends}
