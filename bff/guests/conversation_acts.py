"""What a conversation wants done, and what it can be told: values that nothing hangs on."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

from msgspec import Raw, Struct

from bff.guests.frame_errors import FrameCode, GuestEnd
from bff.guests.frames import Profile, ServerFrame
from bff.guests.session_pace import Pace


class Intent(Struct, frozen=True, kw_only=True):
    """What the shell must do, in the order in which it is given."""


class OpenSession(Intent, frozen=True, kw_only=True):
    """Make a session, or continue one, and say `Opened` or `OpeningRefused`."""

    device_id: str | None
    profile: Profile | None
    encrypted_session_id: str | None

    def __repr__(self) -> str:
        return f"OpenSession(resuming={self.encrypted_session_id is not None})"


class SendUpstream(Intent, frozen=True, kw_only=True, gc=False):
    """Send the message `payload` (JSON) to Genesys, once.

    If `tracked`, say `Delivered` or `NotDelivered` with its `tracing_id` in the end. `message_id`
    is the id that the page gave it, the same when it is sent again after a lost connection.
    """

    tracing_id: str
    payload: bytes
    tracked: bool
    message_id: str | None = None

    def __repr__(self) -> str:
        return f"SendUpstream(tracing_id={self.tracing_id!r})"


class ExtendSession(Intent, frozen=True, kw_only=True):
    """The session is in use: let it live on, and say `Extended`, or `Ended` if it is gone."""


class StepUp(Intent, frozen=True, kw_only=True):
    """Continue as this person on the same Genesys token; say `SteppedUp` or `StepUpFailed`."""

    person: str


class EndSession(Intent, frozen=True, kw_only=True):
    """End the session here and at Genesys, behind what was accepted.

    The page has been told, unless it `waits` for the fates of its messages; tell them, and then
    `NoMoreFates`. It is told the end, and its connection closed, when all are known or it is late.
    `elsewhere`: somebody else has ended it, and other pages may wait as well.
    """

    reason: GuestEnd
    waits: bool = False
    elsewhere: bool = False


class CloseConnection(Intent, frozen=True, kw_only=True):
    """Close the socket with this code and reason; the session lives on."""

    code: int
    reason: str


class News(Struct, frozen=True, kw_only=True):
    """What the shell tells."""


class Opened(News, frozen=True, kw_only=True):
    """The session that was asked for."""

    guest_id: str
    encrypted_session_id: str
    expires_at: datetime
    resumed: bool
    pace: Pace
    person: str | None = None
    profile: Mapping[str, str] | None = None

    def __repr__(self) -> str:
        return f"Opened(guest_id={self.guest_id!r}, resumed={self.resumed})"


class OpeningRefused(News, frozen=True, kw_only=True):
    """There is no session; the page may try again on the same connection."""

    code: FrameCode
    retry_after: timedelta | None = None


class Extended(News, frozen=True, kw_only=True):
    """The session lives until then, and has a fresh id to come back with."""

    encrypted_session_id: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Extended(expires_at={self.expires_at})"


class Delivered(News, frozen=True, kw_only=True):
    """Genesys has echoed a message; `body` is the echo."""

    tracing_id: str
    body: Raw | None = None


class NotDelivered(News, frozen=True, kw_only=True):
    """Genesys refused a message, or it could not be delivered in time; the session goes on."""

    tracing_id: str
    code: FrameCode = FrameCode.MESSAGE_REFUSED


class NoMoreFates(News, frozen=True, kw_only=True):
    """Genesys' side is over: what has no fate by now will have none."""


class EventCame(News, frozen=True, kw_only=True):
    """Genesys pushed a message."""

    body: Raw


class Paused(News, frozen=True, kw_only=True):
    """Genesys cannot be reached; what is sent meanwhile waits."""


class Resumed(News, frozen=True, kw_only=True):
    """Genesys is reached again."""


class PersonSignedIn(News, frozen=True, kw_only=True):
    """The browser of this session has signed in."""

    person: str


class SteppedUp(News, frozen=True, kw_only=True):
    """Genesys knows the guest as this person from now on."""

    person: str


class StepUpFailed(News, frozen=True, kw_only=True):
    """Genesys did not take the person; the session goes on as it was."""

    retry_after: timedelta | None = None


class Ended(News, frozen=True, kw_only=True):
    """The session is over: signed out, revoked, or ended by Genesys."""

    reason: GuestEnd


Act: TypeAlias = ServerFrame | Intent
