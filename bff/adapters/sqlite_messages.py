"""Carries published messages from the SQLite file to the subscriptions of this process."""

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Final, NamedTuple, Self

from bff.adapters.sqlite_connections import SqliteConnections
from bff.errors import StoreDownError

# How long a message of another process may stay unseen. Ours wake the reader at once.
POLL_SECONDS: Final = 0.1

log = logging.getLogger(__name__)


class Message(NamedTuple):
    """A row of the messages table."""

    number: int
    channel: str
    body: bytes


class SqliteSubscription:
    """Keeps `ports.Subscription`; the feed fills it."""

    def __init__(
        self,
        channels: frozenset[str],
        *,
        after: int,
        leave: Callable[["SqliteSubscription"], None],
    ) -> None:
        self._channels = channels
        self._after = after
        self._leave = leave
        self._waiting: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._ended = False

    def offer(self, message: Message) -> None:
        """Put a message in line if it is of our channels and not from before we came."""
        if message.channel in self._channels and message.number > self._after:
            self._waiting.put(message)

    def cut(self) -> None:
        """End the line: what came before is still received, then the loss is told."""
        self._waiting.put(None)

    def receive(self, timeout: timedelta) -> tuple[str, bytes] | None:
        """Return the next (channel, message), or None if none came within `timeout`.

        Raises StoreDownError if messages may have been missed, or after `close`.
        """
        if self._ended:
            raise StoreDownError("the subscription has ended")
        try:
            message = self._waiting.get(timeout=max(0.0, timeout.total_seconds()))
        except queue.Empty:
            return None
        if message is None:
            self._ended = True
            raise StoreDownError("the subscription lost its place in the SQLite store")
        return message.channel, message.body

    def close(self) -> None:
        """Stop listening. Idempotent; wakes a thread that is receiving."""
        if not self._ended:
            self._ended = True
            self._leave(self)
            self.cut()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


class SqliteFeed:
    """One reader thread for all subscriptions of a process, alive while there are any."""

    def __init__(self, connections: SqliteConnections) -> None:
        self._connections = connections
        self._lock = threading.Lock()
        self._subscriptions: set[SqliteSubscription] = set()
        self._news = threading.Event()
        self._reader: threading.Thread | None = None
        self._seen = 0

    def subscribe(self, channels: frozenset[str]) -> SqliteSubscription:
        """Return a subscription that misses nothing which is published from now on."""
        last = self._connections.read(_last_number)
        subscription = SqliteSubscription(channels, after=last, leave=self._leave)
        with self._lock:
            if self._reader is None:
                self._seen = last
                self._reader = threading.Thread(target=self._read, name="sqlite-feed", daemon=True)
                self._reader.start()
            self._subscriptions.add(subscription)
        return subscription

    def wake(self) -> None:
        """Say that this process has just published."""
        self._news.set()

    def close(self) -> None:
        """End every subscription and the reader. Idempotent."""
        with self._lock:
            self._cut()
            reader = self._reader
        self._news.set()
        if reader is not None and reader is not threading.current_thread():
            reader.join(timeout=2)

    def _leave(self, subscription: SqliteSubscription) -> None:
        with self._lock:
            self._subscriptions.discard(subscription)
        self._news.set()

    def _cut(self) -> None:
        subscriptions, self._subscriptions = self._subscriptions, set()
        for subscription in subscriptions:
            subscription.cut()

    def _read(self) -> None:
        try:
            with closing(self._connections.open()) as connection:
                self._follow(connection)
        except (StoreDownError, sqlite3.Error, OSError) as error:
            log.warning("store_feed_lost: %s", type(error).__name__)
        except Exception:
            log.exception("store_feed_lost")
        finally:
            with self._lock:
                # Still ours: we were torn away. Whoever listens learns that messages may be
                # missing, and subscribes again.
                if self._reader is threading.current_thread():
                    self._cut()
                    self._reader = None

    def _follow(self, connection: sqlite3.Connection) -> None:
        version = None
        while self._wanted():
            # data_version moves with every commit of another connection: far cheaper to ask for
            # than the messages themselves, most of the time nothing has moved.
            current = connection.execute("PRAGMA data_version").fetchall()[0][0]
            if current != version:
                version = current
                self._deliver(_news(connection, self._seen))
            self._news.wait(POLL_SECONDS)
            self._news.clear()

    def _wanted(self) -> bool:
        """Say whether anybody listens; the last one to leave ends the reader."""
        with self._lock:
            if not self._subscriptions:
                self._reader = None
                return False
            return True

    def _deliver(self, messages: list[Message]) -> None:
        with self._lock:
            for message in messages:
                self._seen = message.number
                for subscription in self._subscriptions:
                    subscription.offer(message)


def _last_number(connection: sqlite3.Connection) -> int:
    query = "SELECT seq FROM sqlite_sequence WHERE name = 'messages'"
    rows = connection.execute(query).fetchall()
    return int(rows[0][0]) if rows else 0


def _news(connection: sqlite3.Connection, seen: int) -> list[Message]:
    """Return what came after `seen`, in order. Raises StoreDownError if some is pruned already."""
    query = "SELECT id, channel, message FROM messages WHERE id > ? ORDER BY id"
    connection.execute("BEGIN")
    last = _last_number(connection)
    messages = [Message(*row) for row in connection.execute(query, (seen,)).fetchall()]
    connection.execute("COMMIT")
    if len(messages) != last - seen:
        raise StoreDownError("messages were pruned before this process saw them")
    return messages
