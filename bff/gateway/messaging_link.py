"""Genesys' end: one socket to web messaging, in the name of a page, dialled nowhere else."""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

from picows import WSError, WSFrame, WSInvalidStatusError, WSListener, WSTransport
from picows.picows import WSAutoPingStrategy

from bff.adapters.http_client import dial_address, is_loopback_name
from bff.gateway.outgoing import Outgoing
from bff.gateway.read_portions import PortionProtocol
from bff.gateway.wire_words import (
    CLOSE,
    CONTINUATION,
    GOING_AWAY,
    NO_CODE,
    PROTOCOL_BROKEN,
    READ_BUFFER_BYTES,
    TEXT,
    TOO_BIG,
    close_code,
    quiet,
)
from bff.guests.guest_house import SocketRules

log = logging.getLogger(__name__)


class LinkOwner(Protocol):
    """Hears how dialling went, exactly once; then what comes, and once that it is over."""

    def genesys_opened(self) -> None:
        """The socket is open."""

    def genesys_refused(self, status: int) -> None:
        """The upgrade was answered with a status."""

    def genesys_sent(self, text: bytes) -> None:
        """One whole text message."""

    def genesys_closed(self, code: int | None, reason: str) -> None:
        """The socket has closed, or nobody is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagingHost:
    """Where web messaging is, worked out once for all sockets."""

    address: str
    port: int
    host_header: str
    tls: ssl.SSLContext | None
    tls_name: str | None

    @classmethod
    def at(cls, messaging_url: str) -> "MessagingHost":
        """Return the host of `wss://…`; `ws://` is for loopback only."""
        parts = urlsplit(messaging_url)
        name = parts.hostname or ""
        secure = parts.scheme == "wss"
        if not name or not (secure or (parts.scheme == "ws" and is_loopback_name(name))):
            raise ValueError("web messaging is dialled by wss:, and in the clear on loopback only")
        return cls(
            address=dial_address(name),
            port=parts.port or (443 if secure else 80),
            host_header=parts.netloc,
            # One for all: each would read the machine's certificates again, and keep them.
            tls=ssl.create_default_context() if secure else None,
            tls_name=name if secure else None,
        )


class MessagingLink(WSListener):
    """One attempt to reach Genesys, and the connection that comes of it.

    It is in the set `where` while there is a socket of it.
    """

    __slots__ = (
        "_dialling",
        "_given_up",
        "_host",
        "_limit",
        "_origin",
        "_outgoing",
        "_owner",
        "_parts",
        "_paused",
        "_rules",
        "_told",
        "_transport",
        "_where",
    )

    def __init__(
        self,
        owner: LinkOwner,
        host: MessagingHost,
        *,
        origin: str,
        rules: SocketRules,
        outgoing: Outgoing,
        where: set["MessagingLink"],
    ) -> None:
        self._owner = owner
        self._outgoing = outgoing
        self._where = where
        self._host = host
        self._origin = origin
        self._rules = rules
        self._dialling: asyncio.TimerHandle | asyncio.Task[None] | None = None
        self._transport: WSTransport | None = None
        self._parts: bytearray | None = None
        self._paused = False
        self._told = False
        self._given_up = False
        # Of dialling first, of a close without an answer later.
        self._limit: asyncio.TimerHandle | None = None

    # What the owner asks for

    def dial(self, path: str, *, after: timedelta) -> None:
        """Wait, then open the socket."""
        loop = asyncio.get_running_loop()
        self._dialling = loop.call_later(after.total_seconds(), self._dial_now, path)

    def send(self, text: bytes) -> None:
        """Send one text message."""
        if self._transport is not None:
            self._outgoing.send_ahead(self._transport, text)

    def hang_up(self, code: int) -> None:
        """Close the socket, or give up dialling. Nothing more is told."""
        self._given_up = True
        if self._transport is not None:
            self._outgoing.flush()
            self._say_goodbye(self._transport, code)
        elif self._dialling is not None:
            self._dialling.cancel()

    def cut(self) -> None:
        """Hang up without a word; the process leaves."""
        self.hang_up(GOING_AWAY)
        if self._transport is not None:
            self._transport.underlying_transport.abort()

    def read(self, *, wanted: bool) -> None:
        """Read what Genesys sends, or leave it in TCP for the while."""
        self._paused = not wanted
        if self._transport is not None:
            below = self._transport.underlying_transport
            (below.resume_reading if wanted else below.pause_reading)()

    # Dialling

    def _dial_now(self, path: str) -> None:
        loop = asyncio.get_running_loop()
        self._dialling = dialling = loop.create_task(self._open(path))
        patience = self._rules.dial_patience.total_seconds()
        self._limit = loop.call_later(patience, dialling.cancel)
        self._where.add(self)

    async def _open(self, path: str) -> None:
        """Dial, and tell what came of it; that it is open is told by `on_ws_connected`."""
        try:
            await self._reach(self._protocol(path))
        except WSInvalidStatusError as refused:
            status = int(refused.response.status) if refused.response else 0
            self._tell_refused(status)
        except (OSError, WSError) as error:
            # A certificate that is not believed is an OSError as well.
            log.info("web messaging: %s", type(error).__name__)
        finally:
            if self._transport is None:
                # Also without any error: a hang-up instead of an answer is none for picows.
                self._drop_limit()
                self._where.discard(self)
                self._tell_closed(None, "")

    async def _reach(self, protocol: PortionProtocol) -> None:
        host = self._host
        await asyncio.get_running_loop().create_connection(
            lambda: protocol,
            host.address,
            host.port,
            ssl=host.tls,
            server_hostname=host.tls_name,
        )
        try:
            await protocol.wait_until_handshake_complete()
        except BaseException:
            # Also if nobody wants it any more: else it would stay until somebody answers.
            protocol.transport.underlying_transport.abort()
            raise

    def _protocol(self, path: str) -> PortionProtocol:
        """Return what `picows.ws_connect` makes, without its redirects, proxies and time-outs."""
        return PortionProtocol(
            host_port=self._host.host_header,
            ws_path=path,
            is_client_side=True,
            ws_listener_factory=lambda: self,
            logger=quiet,
            disconnect_on_exception=True,
            websocket_handshake_timeout=None,
            enable_auto_ping=False,
            auto_ping_idle_timeout=0,
            auto_ping_reply_timeout=0,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            enable_auto_pong=True,
            max_frame_size=self._rules.max_genesys_bytes,
            extra_headers=[("Origin", self._origin)],
            read_buffer_init_size=READ_BUFFER_BYTES,
        )

    # What picows tells

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade was granted, perhaps after we have given up."""
        # From now on nobody cancels the task: uvloop would close the socket and tell nobody.
        self._transport = transport
        self._dialling = None
        self._drop_limit()
        transport.request.headers.clear()
        transport.response.headers.clear()
        if self._given_up:
            self._say_goodbye(transport, PROTOCOL_BROKEN)
            return
        if self._paused:
            self.read(wanted=False)
        self._owner.genesys_opened()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame."""
        kind = frame.msg_type
        if kind == CLOSE:
            self._answer_close(transport, frame)
        elif self._given_up or self._told:
            return
        elif kind == TEXT and frame.fin and self._parts is None:
            self._owner.genesys_sent(frame.get_payload_as_bytes())
        elif kind in (TEXT, CONTINUATION):
            self._piece(frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is gone."""
        del transport
        self._where.discard(self)
        self._drop_limit()
        self._tell_closed(None, "")

    def pause_writing(self) -> None:
        """Genesys reads slowly. What it is sent is bounded by what may be without an echo."""

    def resume_writing(self) -> None:
        """Genesys reads again."""

    def _piece(self, frame: WSFrame) -> None:
        parts = self._parts
        if (parts is None) is (frame.msg_type == CONTINUATION):
            self._break_off(PROTOCOL_BROKEN)
            return
        if parts is None:
            parts = self._parts = bytearray()
        if len(parts) + frame.payload_size > self._rules.max_genesys_bytes:
            self._break_off(TOO_BIG)
            return
        parts += frame.get_payload_as_memoryview()
        if frame.fin:
            self._parts = None
            self._owner.genesys_sent(bytes(parts))

    def _answer_close(self, transport: WSTransport, frame: WSFrame) -> None:
        code = int(frame.get_close_code())  # type: ignore[call-overload]  # it is an IntEnum
        transport.send_close(close_code(code))
        transport.disconnect()
        self._cut_later(transport)
        self._tell_closed(None if code == NO_CODE else code, frame.get_close_reason() or "")

    def _break_off(self, code: int) -> None:
        self._parts = None
        if self._transport is not None:
            self._say_goodbye(self._transport, code)
        self._tell_closed(code, "")

    def _say_goodbye(self, transport: WSTransport, code: int) -> None:
        transport.send_close(close_code(code))
        # A socket that nobody reads hears neither an answer nor an end.
        transport.underlying_transport.resume_reading()
        self._cut_later(transport)

    def _cut_later(self, transport: WSTransport) -> None:
        if self._limit is None:
            patience = self._rules.close_patience.total_seconds()
            below = transport.underlying_transport
            self._limit = asyncio.get_running_loop().call_later(patience, below.abort)

    def _drop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _tell_refused(self, status: int) -> None:
        if not self._told and not self._given_up:
            self._told = True
            self._owner.genesys_refused(status)

    def _tell_closed(self, code: int | None, reason: str) -> None:
        if not self._told and not self._given_up:
            self._told = True
            self._owner.genesys_closed(code, reason)
