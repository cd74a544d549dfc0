"""Connections to one SQLite file: each used by one thread at a time, none waits for long."""

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from bff.errors import StoreDownError

# The store promises an answer within a second; opening and the work itself need the rest.
BUSY_SECONDS: Final = 0.7
# SQLite's own busy handler sleeps up to 0.1 s and starves a writer among many; asking again
# every few milliseconds does not, and under gevent it lets the other greenlets run meanwhile.
PAUSE_SECONDS: Final = 0.002
RETRY_AFTER: Final = timedelta(seconds=1)

# SQLite's names of faults (SQLITE_READONLY_DIRECTORY, …), in public words.
_REASONS: Final = {
    "SQLITE_READONLY": "read_only",
    "SQLITE_FULL": "full",
    "SQLITE_IOERR": "disk_failed",
    "SQLITE_PERM": "no_permission",
}
IDLE_CONNECTIONS: Final = 16
SCHEMA_VERSION: Final = 1
REBUILD_LIMIT_BYTES: Final = 32 * 2**20
"""A file of this size is written anew in about 0.3 s, in which nobody else writes."""
_BYTES: Final = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

SCHEMA: Final = """
-- One row: the last version or fence that was given to anybody. It only grows.
CREATE TABLE number (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL);
INSERT INTO number VALUES (1, 0);
CREATE TABLE entries (
  name TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, ends INTEGER NOT NULL
);
CREATE TABLE leases (
  name TEXT PRIMARY KEY, owner TEXT NOT NULL, fence INTEGER NOT NULL, ends INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE counts (
  name TEXT PRIMARY KEY, value INTEGER NOT NULL, ends INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE members (
  name TEXT NOT NULL, member TEXT NOT NULL, ends INTEGER NOT NULL, PRIMARY KEY (name, member)
) WITHOUT ROWID;
-- AUTOINCREMENT: a number is not used again after its message was pruned.
CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, message BLOB NOT NULL,
  ends INTEGER NOT NULL
);
CREATE INDEX entries_ends ON entries (ends);
CREATE INDEX leases_ends ON leases (ends);
CREATE INDEX counts_ends ON counts (ends);
CREATE INDEX members_ends ON members (ends);
CREATE INDEX messages_ends ON messages (ends);
"""

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]


class SqliteConnections:
    """Lends connections of one process to whoever works, and takes them back.

    Borrowing instead of one connection for each thread: a server that makes a thread or a
    greenlet for each request would open the file for each request. `thorough` overwrites what
    is deleted, which costs a write more each time.
    """

    def __init__(self, path: Path, *, thorough: bool = False) -> None:
        self._path = path
        self._thorough = thorough
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False

    def write(self, work: Work[Result]) -> Result:
        """Run `work` alone among all processes, all or nothing."""
        return self._insist(work, begin="BEGIN IMMEDIATE")

    def read(self, work: Work[Result]) -> Result:
        """Run `work`, one query, without stopping anybody."""
        return self._insist(work, begin=None)

    def scrub(self, *, rebuild: bool = False) -> bool:
        """Let nothing of what was deleted stay behind in the file and the log beside it.

        The log is written back and cut; a process that reads all the time can prevent that.
        `rebuild` writes a file that is not too large anew before: overwriting what is deleted
        leaves a stale copy of a row now and then, where SQLite has moved rows between pages.
        False if it was prevented. Raises StoreDownError.
        """
        if rebuild:
            self.read(write_anew)
        deadline = time.monotonic() + BUSY_SECONDS
        while not self.read(checkpoint):
            if time.monotonic() > deadline:
                return False
            threading.Event().wait(PAUSE_SECONDS)
        return True

    def close(self) -> None:
        """Close what is idle now, and what is borrowed when it comes back. Idempotent."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def open(self) -> sqlite3.Connection:
        """Return a new connection that the caller closes. May raise sqlite3.Error or OSError."""
        _create_private(self._path)
        connection = sqlite3.connect(
            self._path, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # WAL without a sync for each commit: a killed process loses nothing, a power cut may
        # lose the last moments, the file stays whole either way.
        connection.execute("PRAGMA synchronous = NORMAL")
        if self._thorough:
            connection.execute("PRAGMA secure_delete = ON").close()
        with closing(connection.execute("PRAGMA journal_mode")) as found:
            mode = str(found.fetchone()[0])
        if mode != "wal":
            connection.execute("PRAGMA journal_mode = WAL").close()
        if _schema_version(connection) != SCHEMA_VERSION:
            self._furnish(connection)

    @staticmethod
    def _furnish(connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        found = _schema_version(connection)
        if found > SCHEMA_VERSION:
            raise sqlite3.DatabaseError("the file was made by a newer version of this program")
        if found == 0:
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")

    def _insist(self, work: Work[Result], *, begin: str | None) -> Result:
        """Try until it works, or the file has been busy for too long.

        A try that failed left nothing behind: the transaction was rolled back.
        """
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            if self._closed:
                raise StoreDownError("the SQLite store is closed")
            try:
                return self._try(work, begin=begin)
            except sqlite3.Error as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise store_down(error) from error
            except OSError as error:
                raise store_down(error) from error
            threading.Event().wait(PAUSE_SECONDS)

    def _try(self, work: Work[Result], *, begin: str | None) -> Result:
        connection = self._borrow()
        try:
            if begin is not None:
                connection.execute(begin)
            result = work(connection)
            if begin is not None:
                connection.execute("COMMIT")
        except BaseException as error:
            self._undo(connection, keep=isinstance(error, sqlite3.Error) and _is_busy(error))
            raise
        self._give_back(connection)
        return result

    def _undo(self, connection: sqlite3.Connection, *, keep: bool) -> None:
        """Roll back; a connection with a fault of its own is not lent again."""
        if not keep:
            connection.close()
            return
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        self._give_back(connection)

    def _borrow(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self.open()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed or len(self._idle) >= IDLE_CONNECTIONS:
            connection.close()
        else:
            self._idle.append(connection)


def checkpoint(connection: sqlite3.Connection) -> bool:
    """Write the log beside a file back and cut it; False if a reader or a writer is in the way."""
    with closing(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")) as found:
        busy, *_ = found.fetchone()
    return not busy


def write_anew(connection: sqlite3.Connection) -> bool:
    """Write a file anew without a trace of deleted rows; False if it is too large for that.

    Raises sqlite3.OperationalError if somebody else writes.
    """
    with closing(connection.execute(_BYTES)) as found:
        if found.fetchone()[0] > REBUILD_LIMIT_BYTES:
            return False
    # VACUUM makes a whole copy on the way: not in a file of /tmp.
    connection.execute("PRAGMA temp_store = MEMORY").close()
    connection.execute("VACUUM").close()
    return True


def store_down(error: Exception) -> StoreDownError:
    """Say what kind of fault it was; SQLite's own text may name what was being written."""
    kind = getattr(error, "sqlite_errorname", None) or type(error).__name__
    reason = next((word for begin, word in _REASONS.items() if kind.startswith(begin)), "")
    return StoreDownError(f"the SQLite store: {kind}", retry_after=RETRY_AFTER, reason=reason)


def _is_busy(error: sqlite3.Error) -> bool:
    # The low byte is the kind of fault, the rest says more about it.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY


def _schema_version(connection: sqlite3.Connection) -> int:
    with closing(connection.execute("PRAGMA user_version")) as found:
        return int(found.fetchone()[0])


def _create_private(path: Path) -> None:
    """Create the file for its owner only; SQLite gives its side files the same rights."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
