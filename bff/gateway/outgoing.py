"""What is written at the end of the loop's turn, for all sockets together.

A frame that is written at once wakes the other end for itself; by the next one it has fallen
asleep again, and waking it is what costs most. So frames are collected while sockets are read.

Not without end: a loop that was kept from its work finds megabytes on one socket and reads them in
one turn. Only what has been written tells that a page does not read, and holds Genesys back.
"""

import asyncio
import logging
from typing import Final

from picows import WSTransport

from bff.gateway.wire_words import HEADER_ROOM, TEXT

log = logging.getLogger(__name__)

COPIED_AT_ONCE: Final = 8 * 1024
COLLECTED_BYTES: Final = 128 * 1024


class Outgoing:
    """The text frames of one turn: for each socket in the order in which they were said.

    Those for Genesys go first. A page that was told `message_accepted` may come back with the next
    gateway if this one dies a moment later; by then the message has left.
    """

    __slots__ = ("_ahead", "_bytes", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ahead: list[tuple[WSTransport, bytes]] = []
        self._waiting: list[tuple[WSTransport, bytes]] = []
        # Of what waits for pages; what goes to Genesys is bounded by what may be without an echo.
        self._bytes = 0

    def send(self, transport: WSTransport, text: bytes) -> None:
        """Send a page one text frame soon."""
        if self._bytes >= COLLECTED_BYTES:
            # Before this frame and not behind it: what it tells accepted comes after it.
            self.flush()
        self._bytes += len(text)
        if not self._waiting and not self._ahead:
            self._loop.call_soon(self.flush)
        self._waiting.append((transport, text))

    def send_ahead(self, transport: WSTransport, text: bytes) -> None:
        """Send Genesys one text frame soon."""
        if not self._waiting and not self._ahead:
            self._loop.call_soon(self.flush)
        self._ahead.append((transport, text))

    def flush(self) -> None:
        """Write everything now: at the end of a turn, or before a close."""
        waiting = self._ahead + self._waiting if self._ahead else self._waiting
        self._ahead, self._waiting, self._bytes = [], [], 0
        for transport, text in waiting:
            try:
                if len(text) > COPIED_AT_ONCE:
                    # If the other end reads slowly, picows keeps a view of its header for later,
                    # and writes the next header over it. What comes with room for one is copied.
                    whole = bytearray(HEADER_ROOM) + text
                    transport.send_reuse_external_bytearray(TEXT, whole, HEADER_ROOM)
                else:
                    transport.send(TEXT, text)
            except Exception:
                # One socket's fault is not the others'.
                log.exception("guest socket: writing")
