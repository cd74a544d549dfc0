"""HTTP to the outside: every size and time is bounded, no redirects, no way to inner hosts."""

import io
import ipaddress
import json
import socket
import time
from contextlib import ExitStack
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any, Final, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util.retry import Retry

CONNECT_TIMEOUT_S: Final = 5
READ_TIMEOUT_S: Final = 30
TOTAL_TIMEOUT_S: Final = 30
"""For one request with all of its tries: headers and body, however slowly they come."""

LONGEST_BODY: Final = 1_048_576
"""In bytes, after decompression."""

CHUNK: Final = 16_384

_SAFE_TO_REPEAT: Final = frozenset({"GET", "HEAD"})


class AnswerTooLongError(requests.RequestException):
    """The body is longer than `LONGEST_BODY` after decompression; the rest was not read."""


class InnerAddressError(requests.ConnectionError):
    """The host resolves to an address of this machine or its link; nothing was sent there."""


class _InnerAddressFoundError(NewConnectionError):
    """Found before connecting. urllib3 handles its own errors only."""


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


def json_object(response: requests.Response) -> dict[str, Any] | None:
    """Return the body if it is a JSON object; None for anything else, however deep it nests."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _is_inner(address: str, host: str) -> bool:
    ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return not is_loopback_name(host)
    return ip.is_link_local or ip.is_multicast or ip.is_unspecified


_deadline: ContextVar[float] = ContextVar("deadline")


class _BoundedReader(io.RawIOBase):
    """Reads a socket until the deadline of its request; a byte a second does not move it."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, until: float) -> None:
        self._raw = raw
        self._sock = sock
        self._limit = sock.gettimeout()
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._sock.settimeout(left if self._limit is None else min(left, self._limit))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        until = _deadline.get(time.monotonic() + TOTAL_TIMEOUT_S)
        raw: Any = self.fp.detach()
        self.fp = io.BufferedReader(_BoundedReader(raw, sock, until))


class _Guarded(HTTPConnection):
    """Dials only addresses that are not inner ones, each of them looked at before it is dialled."""

    response_class = _BoundedResponse

    def _new_conn(self) -> socket.socket:
        named, dialled = self.host, dial_address(self._dns_host)
        try:
            found = socket.getaddrinfo(dialled, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            # It resolves to nothing: urllib3 says so in its own words.
            return super()._new_conn()
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            if _is_inner(address, named):
                raise _InnerAddressFoundError(
                    self, f"{named} resolves to {address}, an inner address: it is not called"
                )
        return self._first_that_answers(addresses)

    def _first_that_answers(self, addresses: list[str]) -> socket.socket:
        before = self._dns_host
        for address in addresses[:-1]:
            try:
                self._dns_host: str = address
                return super()._new_conn()
            except HTTPError:
                continue
            finally:
                self._dns_host = before
        try:
            # Never the name again: it could resolve to something else the second time.
            self._dns_host = addresses[-1]
            return super()._new_conn()
        finally:
            self._dns_host = before


class _GuardedHTTPConnection(_Guarded):
    pass


class _GuardedHTTPSConnection(_Guarded, HTTPSConnection):
    pass


class _GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTPConnection


class _GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPSConnection


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, *, total_s: float, **kwargs: Any) -> None:
        self._total_s = total_s
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _GuardedHTTPPool,
            "https": _GuardedHTTPSPool,
        }

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        if timeout is None:
            timeout = (CONNECT_TIMEOUT_S, min(READ_TIMEOUT_S, self._total_s))
        mark = _deadline.set(time.monotonic() + self._total_s)
        try:
            response = super().send(
                request, stream=True, timeout=timeout, verify=verify, cert=cert, proxies=proxies
            )
            if not stream:
                _read_all(response)
        except requests.ConnectionError as error:
            reason = getattr(error.args[0] if error.args else None, "reason", None)
            if isinstance(reason, _InnerAddressFoundError):
                raise InnerAddressError(str(reason), request=request) from None
            raise
        finally:
            _deadline.reset(mark)
        return response


def _read_all(response: requests.Response) -> None:
    """Read the body as `requests` would, and stop where it is too long."""
    body = bytearray()
    with ExitStack() as unless_whole:
        unless_whole.callback(response.close)
        for piece in response.iter_content(CHUNK):
            body += piece
            if len(body) > LONGEST_BODY:
                raise AnswerTooLongError(f"the answer is longer than {LONGEST_BODY} bytes")
        unless_whole.pop_all()
    response._content = bytes(body)  # noqa: SLF001 - where requests keeps what it has read


S = TypeVar("S", bound=requests.Session)


def guard(session: S, *, total_s: float = TOTAL_TIMEOUT_S) -> S:
    """Make `session` safe for servers: every rule of this module applies to it.

    `total_s` bounds each request with its second try, in seconds.
    """
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
    # A redirect is an answer as any other: who asked decides what it means.
    session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]  # noqa: ARG005 - as requests calls it
    for scheme in ("http://", "https://"):
        session.mount(scheme, _GuardedAdapter(total_s=total_s, max_retries=retry))
    return session


def http_session(*, total_s: float = TOTAL_TIMEOUT_S) -> requests.Session:
    """Return a guarded session."""
    return guard(requests.Session(), total_s=total_s)
