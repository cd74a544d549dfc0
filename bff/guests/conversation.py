"""All rules of the guest socket, without the socket: text and news in, frames and intents out.

One conversation is one connection; one caller at a time. It never raises for what it is sent.

A `seq` is spent by the answer to its frame, unless that is an error with `retryAfter`: then the
very same frame is welcome later, and whatever comes between is told as a gap with the `seq` that
is `expected`. So the order in which a person wrote is the order in which Genesys reads.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeAlias

from msgspec import Raw

from bff.crypto.frame_signing import ForgedFrameError
from bff.errors import BffError
from bff.guests.conversation_acts import (
    Act,
    CloseConnection,
    Delivered,
    Ended,
    EndSession,
    EventCame,
    Extended,
    ExtendSession,
    News,
    NoMoreFates,
    NotDelivered,
    Opened,
    OpeningRefused,
    OpenSession,
    Paused,
    PersonSignedIn,
    Resumed,
    SendUpstream,
    SteppedUp,
    StepUp,
    StepUpFailed,
)
from bff.guests.conversation_stages import ConversationPolicy, Stage
from bff.guests.frame_errors import FrameCode, FrameRefusedError, GuestEnd
from bff.guests.frame_faults import FaultCount
from bff.guests.frame_schemes import Handshake, Scheme, Verifier
from bff.guests.frames import (
    End,
    EventPushed,
    FrameError,
    Init,
    Message,
    MessageAccepted,
    MessageDelivered,
    ServerFrame,
    SessionAuthenticated,
    SessionCreated,
    SessionEnded,
    SessionPaused,
    SessionRenewed,
    SessionResumed,
    SignedFrame,
    parse,
)
from bff.guests.guest_messages import GuestMessage, parsed_message
from bff.guests.session_pace import FrameKind, Pace
from bff.ports import Clock, Entropy

CONNECTION_BYTES: Final = 16
NORMAL: Final = 1000
POLICY_VIOLATION: Final = 1008
EXTENSIONS_A_LIFETIME: Final = 12
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_SHORTLY: Final = timedelta(seconds=1)
# A member of an enum is looked up slowly (Python 3.11), and these are asked for with each frame.
_OPEN: Final = Stage.OPEN
_ENDING: Final = Stage.ENDING
_CLOSED: Final = Stage.CLOSED
_TYPING: Final = FrameKind.TYPING
_MESSAGE: Final = FrameKind.MESSAGE
_UNKNOWN: Final = FrameCode.DELIVERY_UNKNOWN

_Ear: TypeAlias = Callable[[Any, Any], tuple[Act, ...]]


class Conversation:
    """One connection of one page."""

    __slots__ = (
        "_clock",
        "_ended_by",
        "_extend_at",
        "_faults",
        "_handshake",
        "_in_flight",
        "_last_seq",
        "_pace",
        "_paused",
        "_person",
        "_policy",
        "_scheme",
        "_session_id",
        "_stepping_up",
        "_verifier",
        "_waiting_for_retry",
        "connection",
        "expires_at",
        "stage",
    )

    def __init__(
        self,
        *,
        clock: Clock,
        entropy: Entropy,
        scheme: Scheme,
        policy: ConversationPolicy | None = None,
    ) -> None:
        self.connection: Final = entropy.token(CONNECTION_BYTES)
        self.stage = Stage.NEW
        self._clock = clock
        self._scheme = scheme
        self._policy = policy or ConversationPolicy()
        self._session_id = ""
        self._handshake: Handshake | None = None
        self._verifier: Verifier | None = None
        self._pace: Pace | None = None
        self._person: str | None = None
        self._stepping_up: str | None = None
        self._last_seq = 0
        self._waiting_for_retry = False
        self._in_flight: dict[str, int] = {}
        self.expires_at = _NEVER  # unless the session is used
        self._extend_at = _NEVER
        self._ended_by: GuestEnd | None = None
        self._paused = False
        self._faults = FaultCount(self._policy.faults)

    @property
    def in_flight(self) -> int:
        """How many messages Genesys has not echoed yet."""
        return len(self._in_flight)

    def receive(self, raw: bytes | bytearray | memoryview) -> tuple[Act, ...]:
        """Take one frame as it came from the page."""
        if self.stage is _CLOSED:
            return ()
        try:
            frame = parse(raw)
            return self._begin(frame) if isinstance(frame, Init) else self._take(frame)
        except FrameRefusedError as refused:
            return self._refused(refused)

    def refuse(self, code: FrameCode) -> tuple[Act, ...]:
        """Refuse a frame that the shell did not even read: too large, or binary."""
        return () if self.stage is Stage.CLOSED else self._refused(FrameRefusedError(code))

    def hear(self, news: News) -> tuple[Act, ...]:
        """Take what the shell has to tell. What comes too late to matter says nothing."""
        ears = self._EARS_IF_OPEN if self.stage is _OPEN else self._EARS_ELSE
        if self.stage is _ENDING:
            ears = self._EARS_AT_LAST
        ear = ears.get(type(news))
        return () if ear is None else ear(self, news)

    def look_at_clock(self) -> tuple[Act, ...]:
        """End the session if it has expired; for the shell to call at `deadline`."""
        deadline = self.deadline
        if deadline is None or self._clock.now() < deadline:
            return ()
        return self._end(GuestEnd.EXPIRED) if self.stage is _OPEN else self._last_word()

    @property
    def deadline(self) -> datetime | None:
        """Return when the clock is to be looked at, if it matters."""
        return self.expires_at if self.stage is _OPEN or self.stage is _ENDING else None

    def _begin(self, frame: Init) -> tuple[Act, ...]:
        if self.stage in {Stage.ENDING, Stage.OVER}:
            raise FrameRefusedError(FrameCode.SESSION_OVER)
        if self.stage is not Stage.NEW:
            raise FrameRefusedError(FrameCode.ALREADY_STARTED)
        asked = frame.payload
        self._handshake = self._scheme.begin(asked)
        self.stage = Stage.OPENING
        return (
            OpenSession(
                device_id=asked.device_id,
                profile=asked.profile,
                encrypted_session_id=asked.encrypted_session_id,
            ),
        )

    def _opened(self, news: Opened) -> tuple[Act, ...]:
        if self._handshake is None:
            return ()
        agreed = self._handshake.agree(
            session_id=news.encrypted_session_id, connection=self.connection
        )
        self._handshake = None
        self._session_id = news.encrypted_session_id
        self._verifier, self._pace, self._person = agreed.verifier, news.pace, news.person
        self._lives_until(news.expires_at)
        self.stage = Stage.OPEN
        return (
            SessionCreated(
                guest_id=news.guest_id,
                encrypted_session_id=news.encrypted_session_id,
                connection=self.connection,
                expires_at=news.expires_at.isoformat(),
                resumed=news.resumed,
                profile=news.profile or None,
                public_key=agreed.public_key,
                salt=agreed.salt,
                token=agreed.token,
            ),
        )

    def _opening_refused(self, news: OpeningRefused) -> tuple[Act, ...]:
        if self.stage is not Stage.OPENING:
            return ()
        self.stage, self._handshake = Stage.NEW, None
        return self._refused(FrameRefusedError(news.code, retry_after=news.retry_after))

    def _take(self, frame: SignedFrame) -> tuple[Act, ...]:
        """Take a signed frame: from what costs least to what tells most."""
        now = self._clock.now()
        verifier = self._verifier
        if verifier is None or self.stage is not _OPEN:
            raise self._out_of_stage(frame.seq)
        if now >= self.expires_at:
            late = FrameRefusedError(FrameCode.SESSION_EXPIRED, seq=frame.seq)
            return (*self._refused(late), *self._end(GuestEnd.EXPIRED))
        if frame.session_id != self._session_id:
            raise FrameRefusedError(FrameCode.SESSION_FOREIGN, seq=frame.seq)
        payload = frame.payload.encode()
        try:
            verifier.check(frame, payload)
        except ForgedFrameError:
            raise FrameRefusedError(FrameCode.SIGNATURE_WRONG, seq=frame.seq) from None
        if frame.seq != self._last_seq + 1:
            raise self._out_of_order(frame.seq)
        if isinstance(frame, End):
            self._last_seq = frame.seq
            return self._end(GuestEnd.ENDED)
        return self._pass_on(frame, payload, now)

    def _out_of_stage(self, seq: int) -> FrameRefusedError:
        over = self.stage in {Stage.ENDING, Stage.OVER}
        return FrameRefusedError(FrameCode.SESSION_OVER if over else FrameCode.NOT_STARTED, seq=seq)

    def _out_of_order(self, seq: int) -> FrameRefusedError:
        gap = seq > self._last_seq
        code = FrameCode.SEQUENCE_GAP if gap else FrameCode.SEQUENCE_REPLAYED
        return FrameRefusedError(code, seq=seq, expected=self._last_seq + 1)

    def _pass_on(self, frame: Message, payload: bytes, now: datetime) -> tuple[Act, ...]:
        try:
            message = parsed_message(payload)
        except FrameRefusedError as refused:
            # Authentic, and wrong for ever: it has had its answer and its turn.
            self._spend(frame.seq)
            refused.seq = frame.seq
            raise
        seq = frame.seq
        tracked = message.events is None  # Genesys echoes messages, and no events
        if tracked and len(self._in_flight) >= self._policy.max_in_flight:
            raise self._later(FrameCode.TOO_MANY_IN_FLIGHT, seq, _SHORTLY)
        self._admit(message, seq, now)
        self._spend(seq)
        tracing_id = f"{self.connection}.{seq}"
        if tracked:
            self._in_flight[tracing_id] = seq
        sending = SendUpstream(
            tracing_id=tracing_id,
            payload=message.spell(),
            tracked=tracked,
            message_id=message.metadata.get("id") if message.metadata else None,
        )
        accepted = MessageAccepted(seq=seq)
        if now >= self._extend_at:
            return (sending, accepted, self._extension(now))
        return (sending, accepted)

    def _admit(self, message: GuestMessage, seq: int, now: datetime) -> None:
        """Ask the limits. What cannot be counted just now waits, and is not lost."""
        typing = message.events is not None and message.is_typing
        kind = _TYPING if typing else _MESSAGE
        try:
            wait = self._pace.admit(kind, now=now) if self._pace else None
        except BffError as error:
            wait = error.retry_after or _SHORTLY
            raise self._later(FrameCode.SERVICE_UNAVAILABLE, seq, wait) from error
        if wait is not None:
            raise self._later(FrameCode.RATE_LIMITED, seq, wait)

    def _later(self, code: FrameCode, seq: int, wait: timedelta) -> FrameRefusedError:
        self._waiting_for_retry = True
        return FrameRefusedError(code, seq=seq, retry_after=wait)

    def _spend(self, seq: int) -> None:
        self._last_seq = seq
        self._waiting_for_retry = False

    def _refused(self, refused: FrameRefusedError) -> tuple[Act, ...]:
        told = FrameError.telling(refused)
        if not self._faults.one_too_many(refused, behind_a_retry=self._waiting_for_retry):
            return (told,)
        self.stage, self._handshake, self._verifier = Stage.CLOSED, None, None
        self._in_flight.clear()
        last = FrameError.telling(FrameRefusedError(FrameCode.TOO_MANY_FAULTS))
        return (told, last, CloseConnection(code=POLICY_VIOLATION, reason=last.code))

    def _extension(self, now: datetime) -> ExtendSession:
        # Asked again only after a while: the store may be away, and must not be stormed.
        self._extend_at = now + (self.expires_at - now) / EXTENSIONS_A_LIFETIME
        return ExtendSession()

    def _lives_until(self, expires_at: datetime) -> None:
        now = self._clock.now()
        self.expires_at = expires_at
        self._extend_at = now + (expires_at - now) / EXTENSIONS_A_LIFETIME

    def _extended(self, news: Extended) -> tuple[Act, ...]:
        self._lives_until(news.expires_at)
        return (
            SessionRenewed(
                encrypted_session_id=news.encrypted_session_id,
                expires_at=news.expires_at.isoformat(),
            ),
        )

    def _delivered(self, news: Delivered) -> tuple[Act, ...]:
        seq = self._in_flight.pop(news.tracing_id, None)
        if seq is not None:
            return (MessageDelivered(seq=seq, body=news.body),)
        # Written in another tab, or before this connection: this page shows it as well.
        return () if news.body is None else self._event(news.body)

    def _not_delivered(self, news: NotDelivered) -> tuple[Act, ...]:
        seq = self._in_flight.pop(news.tracing_id, None)
        if seq is None:
            return ()
        return (FrameError.telling(FrameRefusedError(news.code, seq=seq)),)

    def _event_came(self, news: EventCame) -> tuple[Act, ...]:
        return self._event(news.body)

    def _event(self, body: Raw) -> tuple[Act, ...]:
        now = self._clock.now()
        if now >= self.expires_at:
            return self._end(GuestEnd.EXPIRED)
        pushed = EventPushed(body=body)
        return (pushed, self._extension(now)) if now >= self._extend_at else (pushed,)

    def _pause(self, _: Paused) -> tuple[Act, ...]:
        return self._turned(SessionPaused(), paused=True)

    def _resume(self, _: Resumed) -> tuple[Act, ...]:
        return self._turned(SessionResumed(), paused=False)

    def _turned(self, frame: ServerFrame, *, paused: bool) -> tuple[Act, ...]:
        if self._paused is paused:
            return ()
        self._paused = paused
        return (frame,)

    def _signed_in(self, news: PersonSignedIn) -> tuple[Act, ...]:
        known = self._person or self._stepping_up
        if known is None:
            self._stepping_up = news.person
            return (StepUp(person=news.person),)
        # A person's conversation is never carried over to another one.
        return () if known == news.person else self._end(GuestEnd.SOMEBODY_ELSE)

    def _stepped_up(self, news: SteppedUp) -> tuple[Act, ...]:
        self._person, self._stepping_up = news.person, None
        return (SessionAuthenticated(),)

    def _step_up_failed(self, news: StepUpFailed) -> tuple[Act, ...]:
        self._stepping_up = None
        failed = FrameRefusedError(FrameCode.STEP_UP_FAILED, retry_after=news.retry_after)
        return (FrameError.telling(failed),)

    def _ended(self, news: Ended) -> tuple[Act, ...]:
        # Also while the session is being opened: who has signed out by then gets none.
        if self.stage not in {Stage.OPENING, Stage.OPEN}:
            return ()
        return self._end(news.reason, elsewhere=True)

    def _end(self, reason: GuestEnd, *, elsewhere: bool = False) -> tuple[Act, ...]:
        """End at once; only the page's last frame waits until it has heard of its messages."""
        self._handshake = self._verifier = None
        if self._in_flight:
            self.stage, self._ended_by = Stage.ENDING, reason
            self.expires_at = self._clock.now() + self._policy.last_fates
            return (EndSession(reason=reason, waits=True, elsewhere=elsewhere),)
        self.stage = Stage.OVER
        return (SessionEnded(reason=reason), EndSession(reason=reason, elsewhere=elsewhere))

    # The session is over. Nothing more is told of it but what became of the page's own messages.

    def _fate(self, news: Delivered | NotDelivered) -> tuple[Act, ...]:
        if news.tracing_id not in self._in_flight:
            return ()
        told = self._delivered(news) if isinstance(news, Delivered) else self._not_delivered(news)
        return told if self._in_flight else (*told, *self._last_word())

    def _last_word(self, _: NoMoreFates | None = None) -> tuple[Act, ...]:
        reason = self._ended_by or GuestEnd.ENDED
        unknown = [FrameRefusedError(_UNKNOWN, seq=seq) for seq in self._in_flight.values()]
        self._in_flight.clear()
        self.stage = Stage.OVER
        return (
            *(FrameError.telling(refused) for refused in unknown),
            SessionEnded(reason=reason),
            CloseConnection(code=NORMAL, reason=reason),
        )

    _EARS_AT_LAST: ClassVar[Mapping[type[News], _Ear]] = MappingProxyType(
        {Delivered: _fate, NotDelivered: _fate, NoMoreFates: _last_word}
    )
    _EARS_ELSE: ClassVar[Mapping[type[News], _Ear]] = MappingProxyType(
        {Opened: _opened, OpeningRefused: _opening_refused, Ended: _ended}
    )
    _EARS_IF_OPEN: ClassVar[Mapping[type[News], _Ear]] = MappingProxyType(
        {
            Extended: _extended,
            Delivered: _delivered,
            NotDelivered: _not_delivered,
            EventCame: _event_came,
            Paused: _pause,
            Resumed: _resume,
            PersonSignedIn: _signed_in,
            SteppedUp: _stepped_up,
            StepUpFailed: _step_up_failed,
            Ended: _ended,
        }
    )
