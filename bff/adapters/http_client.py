"""HTTP to the outside: time-outs, no redirects, no POST sent twice, no way to inner hosts."""

import ipaddress
import socket
from typing import Any, Final, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.util.retry import Retry

CONNECT_TIMEOUT_S: Final = 5
READ_TIMEOUT_S: Final = 30

_SAFE_TO_REPEAT: Final = frozenset({"GET", "HEAD"})


def is_loopback_name(host: str) -> bool:
    """Say whether `host` can only mean this machine (RFC 6761 section 6.3)."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def dial_address(host: str) -> str:
    """RFC 6761 lets us resolve `*.localhost` ourselves; many resolvers do not."""
    return "127.0.0.1" if host.lower().rstrip(".").endswith(".localhost") else host


def _refuse_inner_address(connection: HTTPConnection, sock: socket.socket) -> None:
    """Check the peer that answered, after DNS: a name that rebinds is caught as well."""
    address = ipaddress.ip_address(sock.getpeername()[0].split("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    forbidden = address.is_link_local or address.is_multicast or address.is_unspecified
    if address.is_loopback and not is_loopback_name(connection.host):
        forbidden = True
    if forbidden:
        sock.close()
        raise NewConnectionError(connection, f"{connection.host} leads to an inner address")


class _GuardedHTTPConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        self._dns_host: str = dial_address(self._dns_host)
        sock: socket.socket = super()._new_conn()
        _refuse_inner_address(self, sock)
        return sock


class _GuardedHTTPSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        self._dns_host: str = dial_address(self._dns_host)
        sock: socket.socket = super()._new_conn()
        _refuse_inner_address(self, sock)
        return sock


class _GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTPConnection


class _GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPSConnection


class _GuardedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _GuardedHTTPPool,
            "https": _GuardedHTTPSPool,
        }

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        return super().send(request, *args, **kwargs)


S = TypeVar("S", bound=requests.Session)


def guard(session: S) -> S:
    """Make `session` safe for servers: every rule of this room applies to it."""
    retry = Retry(
        total=2,
        connect=1,
        read=1,
        status=0,
        other=0,
        backoff_factor=0.1,
        allowed_methods=_SAFE_TO_REPEAT,
        redirect=False,
        raise_on_redirect=False,
        # The caller reads Retry-After and decides; the library must not wait on its own.
        respect_retry_after_header=False,
    )
    session.trust_env = False
    session.max_redirects = 0
    for scheme in ("http://", "https://"):
        session.mount(scheme, _GuardedAdapter(max_retries=retry))
    return session


def http_session() -> requests.Session:
    """Return a guarded session."""
    return guard(requests.Session())
