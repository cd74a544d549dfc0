"""A WebSocket over a blocking socket, for shells of threads or greenlets: `websockets` inside.

The library's sans-I/O protocol reads and spells the frames. A reader thread carries bytes and
nothing else; whoever owns the socket calls everything, so that nothing here needs a lock. Of what
the other end sends, a few chunks at most wait for the owner: then nothing more is read, and TCP
slows it down.
"""

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Protocol, Side, State
from websockets.server import ServerProtocol
from websockets.typing import Origin
from websockets.uri import parse_uri

from bff.adapters.http_client import dial_address, is_loopback_name
from bff.ports import Clock

CHUNK_BYTES: Final = 16 * 1024
CHUNKS_WAITING: Final = 4
SWITCHING_PROTOCOLS: Final = 101
# After the other end has hung up, whatever was being done with the socket fails in one of these.
_GONE: Final = (OSError, ValueError, AttributeError)

log = logging.getLogger(__name__)
quiet: Final = logging.getLogger("bff.sockets")
quiet.setLevel(logging.WARNING)  # at DEBUG the library writes down whole frames


class Kind(StrEnum):
    """What kind of message came."""

    TEXT = "text"
    BINARY = "binary"
    SIGN_OF_LIFE = "sign of life"


class Incoming(NamedTuple):
    """One whole message, its fragments put together; or a ping or pong."""

    kind: Kind
    data: bytes


class UpgradeRefusedError(Exception):
    """The other end answered the upgrade with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class UpgradeFailedError(Exception):
    """There is nobody, or nobody that speaks WebSocket."""


class FramedSocket:
    """One open connection. Nothing here raises for what the other end does."""

    def __init__(self, sock: socket.socket, protocol: Protocol) -> None:
        self._sock = sock
        self._protocol = protocol
        self._credit = threading.Semaphore(CHUNKS_WAITING)
        self._parts: list[bytes] = []
        self._kind = Kind.TEXT
        self._cut = False

    @property
    def open(self) -> bool:
        """Say whether messages may travel: neither end has closed."""
        return not self._cut and self._protocol.state is State.OPEN

    @property
    def finished(self) -> bool:
        """Say whether the other end has hung up, or was cut off."""
        return self._cut or self._protocol.state is State.CLOSED

    @property
    def closed_with(self) -> tuple[int | None, str]:
        """Return the close code and reason that the other end gave, if it did."""
        close = self._protocol.close_rcvd
        return (None, "") if close is None else (close.code, close.reason)

    def listen(self, take: Callable[[bytes], None]) -> None:
        """Read in a thread of its own; `take` queues each chunk for the owner, b"" is the end."""
        threading.Thread(target=self._read, args=(take,), daemon=True).start()

    def received(self, chunk: bytes) -> list[Incoming]:
        """Return the messages that are whole with this chunk, and answer what must be answered."""
        if not self._protocol.reader.eof:
            if chunk:
                self._protocol.receive_data(chunk)
            else:
                self._protocol.receive_eof()
        whole = [one for frame in self._protocol.events_received() if (one := self._whole(frame))]
        self._flush()
        self._credit.release()
        return whole

    def send(self, text: bytes) -> None:
        """Send a text message. If the other end does not take it in time, it is cut off."""
        if self.open:
            self._protocol.send_text(text)
            self._flush()

    def ping(self) -> None:
        """Ask for a sign of life."""
        if self.open:
            self._protocol.send_ping(b"")
            self._flush()

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye; the other end answers and hangs up, or is `cut` after a while."""
        if self.open:
            self._protocol.send_close(code, reason)
            self._flush()

    def cut(self) -> None:
        """Hang up. Whatever the reader still brings means nothing."""
        self._cut = True
        with suppress(*_GONE):
            self._sock.shutdown(socket.SHUT_RDWR)
        if self._protocol.side is Side.CLIENT:
            # A server's socket is the server's: it still wants to find it broken, not closed.
            with suppress(*_GONE):
                self._sock.close()
        self._credit.release()

    def _whole(self, frame: object) -> Incoming | None:
        if not isinstance(frame, Frame):
            return None
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY:
                self._kind = Kind.TEXT if frame.opcode is Opcode.TEXT else Kind.BINARY
                self._parts = []
            case Opcode.CONT:
                pass
            case _:
                return Incoming(Kind.SIGN_OF_LIFE, b"")
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return None
        data, self._parts = b"".join(self._parts), []
        return Incoming(self._kind, data)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            try:
                if data:
                    self._sock.sendall(data)
                elif self._protocol.side is Side.SERVER:
                    self._sock.shutdown(socket.SHUT_WR)
            except _GONE:
                # Also a time-out: who does not read is not waited for any longer.
                self.cut()
                return

    def _read(self, take: Callable[[bytes], None]) -> None:
        while not self._cut:
            self._credit.acquire()
            chunk = self._received_bytes()
            while chunk is None and not self._cut:
                chunk = self._received_bytes()
            take(chunk or b"")
            if not chunk:
                return

    def _received_bytes(self) -> bytes | None:
        """Return what came, b"" at the end, None if nothing came for as long as a send may take."""
        try:
            return self._sock.recv(CHUNK_BYTES)
        except TimeoutError:
            return None
        except _GONE:
            return b""
        except Exception:
            # The owner waits for the end of this connection, and must learn of it.
            log.exception("a connection could not be read")
            return b""


def upgraded(
    sock: socket.socket,
    headers: Mapping[str, str],
    *,
    set_cookie: str | None,
    max_bytes: int,
    send_limit: timedelta,
) -> FramedSocket:
    """Answer an upgrade whose request was read already, and return the open connection.

    No extension is agreed to: compressing secrets beside what a stranger writes gives them away.
    Raises UpgradeRefusedError if the request is none (RFC 6455 section 4.2.1).
    """
    protocol = ServerProtocol(max_size=max_bytes, logger=quiet)
    request = Request("/", Headers(headers))
    protocol.receive_data(request.serialize())
    for event in protocol.events_received():
        if isinstance(event, Request):
            response = protocol.accept(event)
            if response.status_code != SWITCHING_PROTOCOLS:
                raise UpgradeRefusedError(response.status_code)
            if set_cookie is not None:
                response.headers["Set-Cookie"] = set_cookie
            protocol.send_response(response)
            sock.settimeout(send_limit.total_seconds())
            connection = FramedSocket(sock, protocol)
            connection._flush()  # noqa: SLF001 - the answer to the upgrade is its first word
            return connection
    raise UpgradeRefusedError(400)


def dialled(
    url: str, *, origin: str, max_bytes: int, limit: timedelta, clock: Clock
) -> FramedSocket:
    """Open a connection to `url` within `limit`, in the name of the page at `origin`.

    Raises UpgradeRefusedError, or UpgradeFailedError if there is nobody to refuse.
    """
    uri = parse_uri(url)
    if not uri.secure and not is_loopback_name(uri.host):
        raise ValueError("web messaging is dialled in the clear on loopback only")
    protocol = ClientProtocol(uri, origin=Origin(origin), max_size=max_bytes, logger=quiet)
    until = clock.now() + limit
    sock: socket.socket | None = None
    try:
        sock = socket.create_connection((dial_address(uri.host), uri.port), limit.total_seconds())
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if uri.secure:
            sock = _tls().wrap_socket(sock, server_hostname=urlsplit(url).hostname)
        protocol.send_request(protocol.connect())
        sock.sendall(b"".join(protocol.data_to_send()))
        while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
            left = until - clock.now()
            sock.settimeout(max(left.total_seconds(), 0.001))
            chunk = sock.recv(CHUNK_BYTES)
            protocol.receive_data(chunk) if chunk else protocol.receive_eof()
        if protocol.handshake_exc is not None:
            raise protocol.handshake_exc
    except InvalidStatus as refused:
        _let_go(sock)
        raise UpgradeRefusedError(refused.response.status_code) from None
    except (OSError, InvalidHandshake, EOFError) as error:
        _let_go(sock)
        raise UpgradeFailedError(str(error)) from error
    sock.settimeout(limit.total_seconds())
    return _without_answer(FramedSocket(sock, protocol), protocol)


def _without_answer(connection: FramedSocket, protocol: ClientProtocol) -> FramedSocket:
    """Take the answer to the upgrade off the events; what came behind it stays."""
    rest = [event for event in protocol.events_received() if not isinstance(event, Response)]
    protocol.events.extend(rest)
    return connection


def _let_go(sock: socket.socket | None) -> None:
    if sock is not None:
        with suppress(*_GONE):
            sock.close()


def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
