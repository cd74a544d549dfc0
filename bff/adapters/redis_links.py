"""What leads to Redis: calls in turn, subscriptions apart, and none to a server that is wrong."""

import time
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import redis
from redis.sentinel import SentinelConnectionPool

from bff.adapters.redis_connections import client_for, place_of, places_of, wrong_server
from bff.adapters.turnstile import Turnstile

PLACES: Final = 64
"""Calls at a time in one process, unless somebody says otherwise."""

PATIENCE: Final = timedelta(seconds=5)
"""How long a call waits for a place while others are answered: its own limit."""

LOOK_SECONDS: Final = 1.0
BLIND_SECONDS: Final = 10.0

_NOBODY_ANSWERED: Final = (redis.ConnectionError, redis.TimeoutError, OSError)


class RedisLinks:
    """The connections of one store. Safe for threads, greenlets and after a fork.

    A call has a connection for as long as it takes, and no more than `places` (or `max_connections`
    in the URL, which comes first) have one at a time;
    the others wait, instead of being refused. A subscription keeps its own, which is not counted.

    An answer that only a server gives which is not, or no longer, the primary says that every
    connection leads to the wrong place, and so does silence: what is idle is dropped, and the next
    call resolves and dials anew.
    """

    def __init__(self, url: str, *, places: int | None = None) -> None:
        self._client = client_for(url)
        self.place = place_of(self._client)
        self._turnstile = Turnstile(
            places_of(url) or places or PLACES,
            line=f"the line to {self.place}",
            patience_s=PATIENCE.total_seconds(),
            unreachable=_NOBODY_ANSWERED,
        )
        self._moves = 0
        self._primary: tuple[str, int] | None = None
        self._look_due = 0.0

    @property
    def moves(self) -> int:
        """Count how often the server was the wrong one: a subscription there may be deaf."""
        return self._moves

    def send(self, *command: str | bytes | int) -> Any:
        """Send one command in turn; return its answer. Raises what redis-py raises.

        Raises StoreDownError if there was no place for it. Nothing is ever sent twice.
        """
        with self._turnstile.passage():
            self.look()
            try:
                return self._client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py's own
            except (redis.RedisError, OSError) as error:
                if wrong_server(error):
                    self._moves += 1
                    self._drop_idle()
                elif isinstance(error, _NOBODY_ANSWERED):
                    self._drop_idle()
                raise

    def look(self) -> None:
        """Ask the sentinels, if there are any, whether the primary is still the same one.

        Once a second at most. One that is being replaced goes on for seconds as if it were not,
        and what it is told then is lost.
        """
        pool, now = self._client.connection_pool, time.monotonic()
        if not isinstance(pool, SentinelConnectionPool) or now < self._look_due:
            return
        self._look_due = now + LOOK_SECONDS
        try:
            # Drops what is idle if it is another one.
            primary: tuple[str, int] = pool.get_master_address()  # type: ignore[no-untyped-call]  # its own
        except (redis.RedisError, OSError):
            # Calls go on to where they went. Not again for a while: each look may take long.
            self._look_due = now + BLIND_SECONDS
            return
        if self._primary not in {None, primary}:
            self._moves += 1
        self._primary = primary

    def connection(self) -> Any:
        """Return a connection for a subscription; `give_back` takes it again."""
        # redis-py leaves half of a connection's methods without types.
        return self._client.connection_pool.get_connection()

    def give_back(self, connection: Any) -> None:
        """Close it. What was subscribed on it must not reach anybody else."""
        connection.disconnect()
        self._client.connection_pool.release(connection)

    def close(self) -> None:
        """Hang up. Idempotent."""
        self._client.close()
        pool = self._client.connection_pool
        if isinstance(pool, SentinelConnectionPool):
            pool.sentinel_manager.close()

    def _drop_idle(self) -> None:
        # Those in use belong to callers that are told the same, each by itself.
        with suppress(redis.RedisError, OSError):
            self._client.connection_pool.disconnect(inuse_connections=False)
