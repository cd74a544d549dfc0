"""Redis behind sentinels: who the primary is, is asked of them for each new connection."""

from typing import Any, Final
from urllib.parse import unquote, urlsplit

import redis
from redis.connection import Connection, parse_url
from redis.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from bff.adapters.redis_options import NO_LIMIT, OPTIONS

SENTINEL_SCHEMES: Final = frozenset({"redis+sentinel", "rediss+sentinel"})
SENTINEL_PORT: Final = 26_379

# Each sentinel that is away costs this once or twice, before the next one is asked; the one that
# has answered is asked first from then on.
SENTINEL_SECONDS: Final = 0.2


class _Sentinels(Sentinel):
    """Asks as Redis' guide for clients says. redis-py reads a list that lags behind a failover."""

    sentinels: list[redis.Redis]

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return the primary's address. Raises MasterNotFoundError if nobody knows it."""
        asked = list(self.sentinels)
        for sentinel in asked:
            try:
                found: Any = sentinel.sentinel_get_master_addr_by_name(service_name)
            except (redis.ConnectionError, redis.TimeoutError):
                continue
            if found:
                self.sentinels = [sentinel, *(other for other in asked if other is not sentinel)]
                return found[0], int(found[1])
        raise MasterNotFoundError


class _Frank:
    """Hands on what the server says. redis-py would turn READONLY into a lost connection."""

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Return the next answer, or raise what it says."""
        return Connection.read_response(self, *args, **options)  # type: ignore[arg-type]  # mixed in


class _PrimaryConnection(_Frank, SentinelManagedConnection):
    pass


class _SecurePrimaryConnection(_Frank, SentinelManagedSSLConnection):
    pass


def sentinel_client(url: str) -> redis.Redis:
    """Prepare a client for `redis+sentinel://[USER:PASSWORD@]HOST:PORT,HOST:PORT/NAME[/DB]`.

    User and password are those of Redis; the sentinels' own are `sentinel_username` and
    `sentinel_password` in the query. `rediss+sentinel` speaks TLS to both. Raises ValueError.
    """
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    name, _, database = parts.path.removeprefix("/").partition("/")
    if not name or not (database or "0").isdecimal():
        raise ValueError("no name of a primary, or no number of a database")
    sentinels = [_host_and_port(host) for host in hosts.split(",")]
    secure = parts.scheme == "rediss+sentinel"
    plain = "rediss" if secure else "redis"
    # redis-py's own parser knows the type of each option in the query.
    spelled = f"{plain}://{login}{at}host/{database}?{parts.query}"
    options: dict[str, Any] = parse_url(spelled)  # type: ignore[no-untyped-call]  # redis-py's own
    for known in ("host", "port", "connection_class", "max_connections"):
        options.pop(known, None)
    own = {
        key.removeprefix("sentinel_"): options.pop(key)
        for key in ("sentinel_username", "sentinel_password")
        if key in options
    }
    tls = {key: value for key, value in options.items() if key.startswith("ssl_")}
    asked = OPTIONS | {
        "socket_connect_timeout": SENTINEL_SECONDS,
        "socket_timeout": SENTINEL_SECONDS,
        "max_connections": NO_LIMIT,
    }
    asked |= own | (tls | {"ssl": True} if secure else {})
    manager: Any = _Sentinels(sentinels, sentinel_kwargs=asked)  # type: ignore[no-untyped-call]  # its own
    return manager.master_for(  # type: ignore[no-any-return]  # redis-py leaves it without a type
        unquote(name),
        **(options | OPTIONS),
        max_connections=NO_LIMIT,
        connection_class=_SecurePrimaryConnection if secure else _PrimaryConnection,
    )


def _host_and_port(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("no host")
    return parts.hostname, parts.port or SENTINEL_PORT
