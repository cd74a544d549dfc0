"""Connections to Redis that give up within a second, and what is said when they do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qs, urlsplit

import redis
from redis.sentinel import SentinelConnectionPool

from bff.adapters.redis_options import NO_LIMIT, OPTIONS
from bff.adapters.redis_sentinels import SENTINEL_SCHEMES, sentinel_client
from bff.errors import SettingsError, StoreDownError

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
    }
)

FORMS: Final = {
    "redis": "redis://host:port/0",
    "redis+sentinel": "redis+sentinel://host:port,host:port/primary-name",
    "rediss+sentinel": "rediss+sentinel://host:port,host:port/primary-name",
}

# What only a server says that is not the primary of what it was asked for.
_WRONG_SERVER: Final = frozenset({"READONLY", "MASTERDOWN", "MOVED", "ASK", "CLUSTERDOWN"})

# Redis 6 puts the word of a script's command inside of its answer.
_WORD_INSIDE: Final = re.compile(r"-(READONLY|MASTERDOWN|OOM|MISCONF|NOREPLICAS|NOPERM)\b")
_WORDS: Final = {
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.BusyLoadingError: "LOADING",
    redis.exceptions.MasterDownError: "MASTERDOWN",
    redis.exceptions.ClusterDownError: "CLUSTERDOWN",
    redis.exceptions.MovedError: "MOVED",
    redis.exceptions.AskError: "ASK",
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.NoPermissionError: "NOPERM",
}
_REASONS: Final = {
    "READONLY": "read_only",
    "MASTERDOWN": "read_only",
    "LOADING": "loading",
    "OOM": "full",
    "MISCONF": "disk_failed",
    "NOREPLICAS": "too_few_replicas",
    "NOPERM": "no_permission",
}
_MEANINGS: Final = {
    "READONLY": "a replica, which cannot be written to",
    "LOADING": "it is still reading its data from disk",
    "MASTERDOWN": "a replica that has lost its primary",
    "CLUSTERDOWN": "the cluster has no server for some slots",
    "MOVED": "another server of a cluster has this",
    "OOM": "it is full (maxmemory)",
    "MISCONF": "it cannot save to its disk",
    "NOREPLICAS": "too few replicas are there to write",
    "NOPERM": "its user lacks a right",
}


def client_for(url: str) -> redis.Redis:
    """Prepare a client for a Redis URL; nothing is dialled yet.

    `redis+sentinel://` names sentinels, who are asked for the primary whenever one is dialled.
    Raises SettingsError if the URL cannot be used. Its text never holds the URL: that may carry
    the password.
    """
    scheme = urlsplit(url).scheme
    form = FORMS.get(scheme, FORMS["redis"])
    try:
        query = parse_qs(urlsplit(url).query)
        client = sentinel_client(url) if scheme in SENTINEL_SCHEMES else _direct_client(url)
        # Made and dropped: a connection that is not dialled yet refuses unknown options already.
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError):
        raise SettingsError(f"the Redis URL is not of the form {form}") from None
    if decided := sorted(_DECIDED_HERE & query.keys()):
        raise SettingsError(f"the Redis URL must not set {', '.join(decided)}")
    return client


def _direct_client(url: str) -> redis.Redis:
    client: redis.Redis = redis.Redis.from_url(url, **OPTIONS)
    # Also if the URL names one: that is for the line before it, which subscriptions do not join.
    client.connection_pool.max_connections = NO_LIMIT
    return client


def place_of(client: redis.Redis) -> str:
    """Return where the client connects, without user and password."""
    pool = client.connection_pool
    options = pool.connection_kwargs
    if isinstance(pool, SentinelConnectionPool):
        return f"the primary {pool.service_name!r} of the sentinels/{options.get('db', 0)}"
    where = options.get("path") or f"{options.get('host')}:{options.get('port')}"
    return f"{where}/{options.get('db', 0)}"


def places_of(url: str) -> int | None:
    """Return how many calls at a time the URL allows, if it says so (`max_connections`).

    Raises SettingsError if that is no number above zero.
    """
    said = parse_qs(urlsplit(url).query).get("max_connections")
    if said is None:
        return None
    if not said[-1].isascii() or not said[-1].isdigit() or int(said[-1]) < 1:
        raise SettingsError("max_connections in the Redis URL is no number above zero")
    return int(said[-1])


def wrong_server(error: Exception) -> bool:
    """Say whether somebody else than the primary has answered."""
    return _word_of(error) in _WRONG_SERVER


def _word_of(error: Exception) -> str | None:
    """Return Redis' own word for an error, in capitals; None if it has none."""
    for kind, word in _WORDS.items():
        if isinstance(error, kind):
            return word
    if not isinstance(error, redis.ResponseError):
        return None
    inside = _WORD_INSIDE.search(str(error))
    if inside:
        return inside[1]
    # Redis may quote the arguments of a command in its answer: only its first word is told.
    word = str(error).split(" ", 1)[0]
    return word if word.isalpha() and word.isupper() else None


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn every fault of Redis into StoreDownError, in words that hold no value and no key."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        word = _word_of(error)
        if word is not None:
            meaning = f", {_MEANINGS[word]}" if word in _MEANINGS else ""
            told = f"{place} refused: {word}{meaning}"
        elif isinstance(error, redis.ResponseError):
            told = f"{place} refused: {type(error).__name__}"
        else:
            told = f"{place}: {type(error).__name__}"
        reason = _REASONS.get(word or "", "")
        raise StoreDownError(told, retry_after=RETRY_AFTER, reason=reason) from None
