"""The page's end: whole messages out of frames, and how long a socket is borne with."""

import math
from collections.abc import Callable
from typing import Protocol

from picows import WSFrame, WSListener, WSTransport

from bff.gateway.outgoing import Outgoing
from bff.gateway.wire_words import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PROTOCOL_BROKEN,
    TEXT,
    TOO_BIG,
    close_code,
)
from bff.guests.frame_errors import FrameCode
from bff.guests.guest_house import SocketRules

NEVER = math.inf


class PageOwner(Protocol):
    """Who hears what the page does."""

    def page_came(self) -> None:
        """The socket is open."""

    def page_sent(self, text: bytes) -> None:
        """One whole text message."""

    def page_sent_badly(self, code: FrameCode) -> None:
        """One whole message that is no text."""

    def page_left(self) -> None:
        """Nobody listens any more. Told once, and not if it was we who closed."""

    def page_finished(self) -> None:
        """The connection is gone. The last thing that is told."""

    def page_stuffed(self, *, stuffed: bool) -> None:
        """The page reads too slowly, or reads again."""


class PageSocket(WSListener):
    """One connection of a page. Its owner calls `look` when it said it would be worth it.

    Sizes are those of whole messages. The clock of all patience is the loop's.
    """

    __slots__ = (
        "_asked_to_wait",
        "_binary",
        "_heard_at",
        "_left_at",
        "_now",
        "_outgoing",
        "_owner",
        "_parts",
        "_pinged_at",
        "_rules",
        "_stuffed_at",
        "_transport",
        "finished",
    )

    _transport: WSTransport

    def __init__(
        self,
        owner: PageOwner,
        rules: SocketRules,
        *,
        outgoing: Outgoing,
        now: Callable[[], float],
    ) -> None:
        self._owner = owner
        self._outgoing = outgoing
        self._rules = rules
        self._now = now
        self._parts: bytearray | None = None
        self._binary = False
        self._heard_at = now()
        self._pinged_at: float | None = None
        self._stuffed_at: float | None = None
        self._left_at: float | None = None
        self._asked_to_wait = False
        self.finished = False

    @property
    def stuffed(self) -> bool:
        """Say whether more waits for the page than it may leave unread."""
        return self._stuffed_at is not None

    # What the owner asks for

    def send(self, text: bytes) -> None:
        """Send one text message; after a close it goes nowhere."""
        if self._left_at is None:
            self._outgoing.send(self._transport, text)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye behind what was sent; the page has a moment to answer."""
        if self._left_at is None:
            self._left_at = self._now()
            self._outgoing.flush()
            self._transport.send_close(close_code(code), reason.encode())
            self._read_on()

    def cut(self) -> None:
        """Hang up without a word, and without waiting for anything to be taken."""
        self._transport.underlying_transport.abort()

    def read(self, *, wanted: bool) -> None:
        """Read the page, or leave what it sends in TCP for the while."""
        self._asked_to_wait = not wanted
        if wanted:
            self._read_on()
        elif self._left_at is None:
            self._transport.underlying_transport.pause_reading()

    def look(self, now: float) -> float:
        """Do what is due; return when it is worth looking again."""
        if self.finished:
            return NEVER
        by = self._next(now)
        if now < by:
            return by
        quiet = self._left_at is None and self._stuffed_at is None
        if quiet and (self._pinged_at is None or self._heard_at >= self._pinged_at):
            self._pinged_at = now
            self._transport.send_ping()
            return now + self._rules.pong_patience.total_seconds()
        self.cut()
        return NEVER

    def _next(self, now: float) -> float:
        rules = self._rules
        if self._left_at is not None:
            return self._left_at + rules.close_patience.total_seconds()
        if self._stuffed_at is not None:
            return self._stuffed_at + rules.unsent_patience.total_seconds()
        if self._asked_to_wait:
            # Whatever it answers stays in TCP: silence proves nothing.
            self._heard_at = now
        if self._pinged_at is not None and self._heard_at < self._pinged_at:
            return self._pinged_at + rules.pong_patience.total_seconds()
        return self._heard_at + rules.ping_every.total_seconds()

    # What picows tells

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The 101 is on its way."""
        self._transport = transport
        # Two kilobytes, and cookies in them, that nobody reads again.
        transport.request.headers.clear()
        transport.response.headers.clear()
        limit = self._rules.unsent_limit
        transport.underlying_transport.set_write_buffer_limits(high=limit)
        self._owner.page_came()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame. Of a page that was said goodbye to, only its answer matters."""
        kind = frame.msg_type
        if self._left_at is not None:
            if kind == CLOSE:
                transport.disconnect()
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            # No extension was agreed to, so nobody may use these (RFC 6455 section 5.2).
            self._fail(PROTOCOL_BROKEN, "no extension was agreed to")
        elif kind == TEXT and frame.fin and self._parts is None:
            self._heard_at = self._now()
            self._owner.page_sent(frame.get_payload_as_bytes())
        elif kind in (TEXT, BINARY, CONTINUATION):
            self._piece(frame)
        elif kind == CLOSE:
            self._answer_close(transport, frame)
        else:
            self._heard_at = self._now()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is gone, whoever ended it."""
        del transport
        self.finished = True
        self._leave()
        self._owner.page_finished()

    def pause_writing(self) -> None:
        """More than the limit waits for the page to read: nothing more is taken in for it."""
        self._stuffed_at = self._now()
        # Its own frames would be answered: a page that only writes would fill us as well.
        self._transport.underlying_transport.pause_reading()
        self._owner.page_stuffed(stuffed=True)

    def resume_writing(self) -> None:
        """The page has read most of it."""
        self._stuffed_at = None
        self._heard_at = self._now()
        self._read_on()
        self._owner.page_stuffed(stuffed=False)

    def broken_off(self) -> None:
        """Picows has found a fault in what the page sent, has said so and hangs up in a moment."""
        if self._left_at is None:
            self._transport.underlying_transport.pause_reading()
            self._leave()

    def _piece(self, frame: WSFrame) -> None:
        """Put a message together; its whole counts, however small its pieces are."""
        parts = self._parts
        if (parts is None) is (frame.msg_type == CONTINUATION):
            self._fail(PROTOCOL_BROKEN, "pieces of messages are out of order")
            return
        if parts is None:
            parts = self._parts = bytearray()
            self._binary = frame.msg_type == BINARY
        if len(parts) + frame.payload_size > self._rules.max_frame_bytes:
            self._fail(TOO_BIG, "too large")
            return
        parts += frame.get_payload_as_memoryview()
        if frame.fin:
            self._parts = None
            self._heard_at = self._now()
            if self._binary:
                self._owner.page_sent_badly(FrameCode.FRAME_NOT_TEXT)
            else:
                self._owner.page_sent(bytes(parts))

    def _answer_close(self, transport: WSTransport, frame: WSFrame) -> None:
        transport.send_close(close_code(int(frame.get_close_code())))  # type: ignore[call-overload]  # it is an IntEnum
        transport.disconnect()
        self._leave()

    def _fail(self, code: int, reason: str) -> None:
        self._parts = None
        self._transport.send_close(close_code(code), reason.encode())
        self._leave()

    def _leave(self) -> None:
        if self._left_at is None:
            self._left_at = self._now()
            self._owner.page_left()

    def _read_on(self) -> None:
        held_back = self._asked_to_wait or self._stuffed_at is not None
        if not held_back or self._left_at is not None:
            self._transport.underlying_transport.resume_reading()
