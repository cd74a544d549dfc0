"""The frames of the guest socket, both ways: what they hold, how they are read and written.

These are msgspec structs and not dataclasses, because several are made for each message that a
person sends: reading one into checked fields costs less than a plain `json.loads`.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from bff.crypto.frame_signing import MAX_SEQ
from bff.guests.frame_errors import SENTENCES, FrameCode, FrameRefusedError, GuestEnd

MAX_FRAME_BYTES: Final = 64 * 1024
MAX_ID_CHARS: Final = 512
MAX_PROFILE_FIELDS: Final = 32
_MILLISECOND: Final = timedelta(milliseconds=1)

Seq: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_SEQ)]
SealedId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARS)]
_ProfileName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
_ProfileValue: TypeAlias = Annotated[str, Meta(max_length=256)]
Profile: TypeAlias = Annotated[
    dict[_ProfileName, _ProfileValue], Meta(max_length=MAX_PROFILE_FIELDS)
]


class InitPayload(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Who opens: a fresh public key, perhaps a device, a profile, and a session to continue."""

    public_key: Annotated[str, Meta(max_length=256)] | None = None
    device_id: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    profile: Profile | None = None
    encrypted_session_id: SealedId | None = None

    def __repr__(self) -> str:
        # A profile is personal data, an encrypted id is half of a credential: not for a log.
        return "InitPayload(...)"


class _ClientFrame(
    Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", forbid_unknown_fields=True
):
    """What a page may send. Unknown fields are refused: they would be neither signed nor used."""


class Init(_ClientFrame, frozen=True, kw_only=True, tag="init"):
    """The first frame of a connection."""

    payload: InitPayload


class Message(_ClientFrame, frozen=True, kw_only=True, tag="message", gc=False):
    """A signed message; `payload` is the JSON text of a Genesys message object, as signed."""

    session_id: str
    seq: Seq
    payload: str
    signature: str

    def __repr__(self) -> str:
        return f"Message(seq={self.seq})"


class End(_ClientFrame, frozen=True, kw_only=True, tag="end", gc=False):
    """The person ends the session. Signed as a message is, with the purpose `end`."""

    session_id: str
    seq: Seq
    payload: str = ""
    signature: str

    def __repr__(self) -> str:
        return f"End(seq={self.seq})"


SignedFrame: TypeAlias = Message | End
ClientFrame: TypeAlias = Init | Message | End

_read: Callable[[bytes | bytearray | memoryview], ClientFrame] = msgspec.json.Decoder(
    ClientFrame
).decode
_TYPES: Final = frozenset({"init", "message", "end"})


def parse(raw: bytes | bytearray | memoryview) -> ClientFrame:
    """Return the frame. Raises FrameRefusedError for everything that is not one."""
    if len(raw) > MAX_FRAME_BYTES:
        raise FrameRefusedError(FrameCode.FRAME_TOO_LARGE)
    try:
        return _read(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _fault(bytes(raw)) from None


def _fault(raw: bytes) -> FrameRefusedError:
    """Look closer at a frame that could not be read: what is wrong, and which `seq` it names."""
    try:
        found = msgspec.json.decode(raw.decode())
    except UnicodeDecodeError:
        return FrameRefusedError(FrameCode.FRAME_NOT_UTF8)
    except (msgspec.MsgspecError, RecursionError):
        return FrameRefusedError(FrameCode.FRAME_MALFORMED)
    if not isinstance(found, dict):
        return FrameRefusedError(FrameCode.FRAME_MALFORMED)
    kind, seq = found.get("type"), found.get("seq")
    known = isinstance(kind, str) and kind in _TYPES
    code = FrameCode.FRAME_FIELDS_WRONG if known else FrameCode.FRAME_TYPE_UNKNOWN
    named = type(seq) is int and 1 <= seq <= MAX_SEQ
    return FrameRefusedError(code, seq=seq if named else None)


class ServerFrame(
    Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", omit_defaults=True
):
    """What the page is told."""

    def spell(self) -> bytes:
        """Return the frame as it travels."""
        return _spell(self)


class SessionCreated(ServerFrame, frozen=True, kw_only=True, tag="session_created"):
    """The session is open: what the page needs to derive its key and to come back."""

    guest_id: str
    encrypted_session_id: str
    connection: str
    expires_at: str
    resumed: bool
    profile: Mapping[str, str] | None = None
    public_key: str | None = None
    salt: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return f"SessionCreated(guest_id={self.guest_id!r}, resumed={self.resumed})"


class SessionRenewed(ServerFrame, frozen=True, kw_only=True, tag="session_renewed"):
    """The id to come back with, sealed anew; frames of this connection keep the first one."""

    encrypted_session_id: str
    expires_at: str

    def __repr__(self) -> str:
        return f"SessionRenewed(expires_at={self.expires_at!r})"


class MessageAccepted(ServerFrame, frozen=True, kw_only=True, tag="message_accepted", gc=False):
    """The frame `seq` is on its way to Genesys."""

    seq: int


class MessageDelivered(ServerFrame, frozen=True, kw_only=True, tag="message_delivered"):
    """Genesys has echoed the message of the frame `seq`."""

    seq: int
    body: Raw | None = None


class EventPushed(ServerFrame, frozen=True, kw_only=True, tag="event"):
    """A message of Genesys, as Genesys spelled it."""

    body: Raw


class SessionPaused(ServerFrame, frozen=True, kw_only=True, tag="session_paused"):
    """Genesys cannot be reached for the moment; what is accepted waits."""


class SessionResumed(ServerFrame, frozen=True, kw_only=True, tag="session_resumed"):
    """Genesys is reached again."""


class SessionAuthenticated(ServerFrame, frozen=True, kw_only=True, tag="session_authenticated"):
    """The anonymous guest is the signed-in person from here on."""


class SessionEnded(ServerFrame, frozen=True, kw_only=True, tag="session_ended"):
    """The session is over, and why."""

    reason: GuestEnd


class FrameError(ServerFrame, frozen=True, kw_only=True, tag="error"):
    """A frame was refused; with `retry_after` (seconds) the same frame is welcome then."""

    code: FrameCode
    message: str
    seq: int | None = None
    retry_after: float | None = None
    expected: int | None = None

    @classmethod
    def telling(cls, refused: FrameRefusedError) -> "FrameError":
        """Return what the page may know about it."""
        wait = refused.retry_after
        return cls(
            code=refused.code,
            message=SENTENCES[refused.code],
            seq=refused.seq,
            retry_after=None if wait is None else _seconds(wait),
            expected=refused.expected,
        )


def _seconds(wait: timedelta) -> float:
    """Return whole milliseconds, never too few: who waits as long as told must be let in."""
    return max(0, -(-wait // _MILLISECOND)) / 1000


_spell = msgspec.json.Encoder().encode
