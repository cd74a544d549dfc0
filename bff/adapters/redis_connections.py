"""Connections to Redis that give up within a second, and what is said when they do."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from bff.errors import SettingsError, StoreDownError

# Together less than a second in the worst case: a name with two addresses that both swallow the
# handshake (2 x 0.25 s), or a server behind TLS that stops after it (0.25 + 2 x 0.35 s).
CONNECT_SECONDS: Final = 0.25
ANSWER_SECONDS: Final = 0.35
RETRY_AFTER: Final = timedelta(seconds=1)

# The values of these in a URL would win over ours and break what the store promises.
_DECIDED_HERE: Final = frozenset(
    {
        "socket_timeout",
        "socket_connect_timeout",
        "retry_on_timeout",
        "protocol",
        "decode_responses",
        "health_check_interval",
        "max_connections",
    }
)


def client_for(url: str) -> redis.Redis:
    """Prepare a client for a redis:// or rediss:// URL; nothing is dialled yet.

    Raises SettingsError if the URL cannot be used. Its text never holds the URL: that may carry
    the password.
    """
    try:
        query = parse_qs(urlsplit(url).query)
        client = redis.Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            # The default, ten retries with pauses, takes seconds; and what is repeated after a
            # lost answer counts twice or finds its own take-once value gone.
            retry=Retry(NoBackoff(), 0),
            retry_on_timeout=False,
            # No greeting and no client library name: a connection is ready when it is made.
            protocol=2,
            driver_info=None,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            decode_responses=False,
        )
        # Made and dropped: a connection that is not dialled yet refuses unknown options already.
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError):
        raise SettingsError("the Redis URL is not of the form redis://host:port/0") from None
    if decided := sorted(_DECIDED_HERE & query.keys()):
        raise SettingsError(f"the Redis URL must not set {', '.join(decided)}")
    return client


def place_of(client: redis.Redis) -> str:
    """Return where the client connects, without user and password."""
    options = client.connection_pool.connection_kwargs
    where = options.get("path") or f"{options.get('host')}:{options.get('port')}"
    return f"{where}/{options.get('db', 0)}"


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn every fault of Redis into StoreDownError, in words that hold no value and no key."""
    try:
        yield
    except redis.ResponseError as error:
        # Redis may quote the arguments of a command in its answer: only its first word is told.
        word = str(error).split(" ", 1)[0]
        told = word if word.isalpha() and word.isupper() else type(error).__name__
        raise StoreDownError(f"{place} refused: {told}", retry_after=RETRY_AFTER) from None
    except (redis.RedisError, OSError) as error:
        told = type(error).__name__
        raise StoreDownError(f"{place}: {told}", retry_after=RETRY_AFTER) from None
