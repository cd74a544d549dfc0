"""picows' protocol with two more eyes: who is calling, and when it gave a connection up."""

from collections.abc import Callable
from typing import Any

from picows import WSUpgradeRequest, WSUpgradeResponseWithListener
from picows.picows import WSAutoPingStrategy

from bff.gateway.read_portions import PortionProtocol
from bff.gateway.wire_words import READ_BUFFER_BYTES, quiet

Answerer = Callable[[WSUpgradeRequest, str], WSUpgradeResponseWithListener]
"""Answers an upgrade from an address."""

HANDSHAKE_S = 10.0


class PageProtocol(PortionProtocol):
    """One TCP connection, in the set `here` while it lasts. `ws_create_server` makes plain ones.

    After a fault in what it read, picows closes and goes on collecting: of a frame of 100 MB,
    whatever arrives until the connection is gone. Here nothing more is read.
    """

    __slots__ = ("_answer", "_here", "_peer")

    def __init__(
        self, answer: Answerer, here: set["PageProtocol"], *, max_frame_bytes: int
    ) -> None:
        super().__init__(
            host_port=None,
            ws_path=None,
            is_client_side=False,
            ws_listener_factory=self._answered,
            logger=quiet,
            disconnect_on_exception=True,
            websocket_handshake_timeout=HANDSHAKE_S,
            # Pinging is ours: picows has a task for it in each connection.
            enable_auto_ping=False,
            auto_ping_idle_timeout=0,
            auto_ping_reply_timeout=0,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            enable_auto_pong=True,
            max_frame_size=max_frame_bytes,
            extra_headers=None,
            read_buffer_init_size=READ_BUFFER_BYTES,
        )
        self._answer = answer
        self._here = here
        self._peer = ""

    def connection_made(self, transport: Any) -> None:
        """Remember who is calling."""
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._here.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it."""
        self._here.discard(self)
        super().connection_lost(exc)

    def cut(self) -> None:
        """Hang up without a word."""
        self.transport.underlying_transport.abort()

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read; stop reading if it was wrong."""
        PortionProtocol.buffer_updated(self, nbytes)
        if self.transport.is_close_frame_sent and self.listener is not None:
            self.listener.broken_off()

    def _answered(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        return self._answer(request, self._peer)
