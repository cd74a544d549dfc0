"""Listens on channels of Redis, on a connection of its own that notices when it is dead."""

import threading
import time
from datetime import timedelta
from typing import Any, Final, Self

from bff.adapters.redis_connections import RETRY_AFTER, translated
from bff.adapters.redis_links import RedisLinks
from bff.adapters.redis_options import ANSWER_SECONDS
from bff.errors import StoreDownError

# A peer that vanished without a word looks like silence. After this much silence we ask.
SILENCE_SECONDS: Final = 3.0
PATIENCE_SECONDS: Final = 1.0


class RedisSubscription:
    """Keeps `ports.Subscription`. One thread receives; any thread may close.

    redis-py's own PubSub reconnects silently, and whoever listens never learns that messages
    were missed in between. This one stays broken, and says so.
    """

    def __init__(self, links: RedisLinks, *, prefix: str, channels: tuple[str, ...]) -> None:
        self._links = links
        self._place = links.place
        self._moves = links.moves
        self._prefix = prefix.encode()
        self._broken = False
        self._reading = threading.Lock()
        self._heard = time.monotonic()
        self._asked: float | None = None
        with translated(self._place):
            self._connection: Any = links.connection()
        try:
            self._begin([prefix + channel for channel in channels])
        except StoreDownError:
            self.close()
            raise

    def receive(self, timeout: timedelta) -> tuple[str, bytes] | None:
        """Return the next (channel, message), or None if none came within `timeout`.

        Raises StoreDownError if the connection was lost: messages may have been missed.
        """
        deadline = time.monotonic() + timeout.total_seconds()
        with self._reading:
            while not self._broken:
                reply = self._reply(self._wait_until(deadline))
                if reply is not None and reply[0] == b"message":
                    return reply[1].removeprefix(self._prefix).decode(), reply[2]
                if reply is None and time.monotonic() >= deadline:
                    return None
        raise StoreDownError(f"{self._place}: the subscription has ended")

    def close(self) -> None:
        """Stop listening. Idempotent; wakes a thread that is receiving."""
        if self._broken:
            return
        self._broken = True
        # Closing a socket under a reader would pull it away mid-call; the reader looks at
        # `_broken` after at most a slice.
        with self._reading:
            self._links.give_back(self._connection)

    def _begin(self, names: list[str]) -> None:
        with translated(self._place):
            self._connection.send_command("SUBSCRIBE", *names)
            # Redis confirms each channel; from the confirmation on nothing is missed.
            for _ in names:
                self._connection.read_response()

    def _wait_until(self, deadline: float) -> float:
        """Return how long to listen before the deadline or the connection wants a look."""
        now = time.monotonic()
        due = self._heard + SILENCE_SECONDS if self._asked is None else self._asked_until()
        return max(0.0, min(deadline - now, due - now, ANSWER_SECONDS))

    def _asked_until(self) -> float:
        return (self._asked or 0.0) + PATIENCE_SECONDS

    def _reply(self, seconds: float) -> list[bytes] | None:
        try:
            with translated(self._place):
                if self._connection.can_read(timeout=seconds):
                    self._heard, self._asked = time.monotonic(), None
                    reply: list[bytes] = self._connection.read_response()
                    return reply
                self._ask_if_silent()
                self._stay_only_at_the_primary()
        except StoreDownError:
            self._give_up()
            raise
        return None

    def _ask_if_silent(self) -> None:
        now = time.monotonic()
        if self._asked is None:
            if now >= self._heard + SILENCE_SECONDS:
                self._connection.send_command("PING")
                self._asked = now
        elif now >= self._asked_until():
            raise StoreDownError(f"{self._place}: silence on a subscription")

    def _stay_only_at_the_primary(self) -> None:
        """Raise StoreDownError if a call has met a server that is not, or no longer, the primary.

        This connection may lead to the same one, where nobody publishes any more.
        """
        self._links.look()
        if self._links.moves != self._moves:
            told = f"{self._place}: another server is the primary now"
            raise StoreDownError(told, retry_after=RETRY_AFTER)

    def _give_up(self) -> None:
        if not self._broken:
            self._broken = True
            self._links.give_back(self._connection)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()
