"""What a relay cannot do without waiting for a store or for Genesys, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from bff.guests.frame_errors import FrameCode, GuestEnd
from bff.guests.guest_binding import GuestSessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGuest:
    """Make a session for this browser, or continue the one whose id it holds."""

    address: str
    browser_secret: str = field(repr=False)
    session_token: str | None = field(repr=False)
    device_id: str | None = field(repr=False)
    profile: Mapping[str, str] | None = field(repr=False)
    encrypted_session_id: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendGuest:
    """Let a session in use live on."""

    session_id: GuestSessionId = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGuest:
    """Give an anonymous session to the person who has signed in."""

    session_id: GuestSessionId = field(repr=False)
    person: str
    session_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndGuest:
    """Forget a session; if its person has signed out, the tokens at Genesys as well."""

    session_id: GuestSessionId = field(repr=False)
    session_key: str | None
    reason: GuestEnd
    # Whose conversation it is, also where the session itself is no more.
    guest_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchJwt:
    """Get the Genesys JWT of a signed-in session; `refused` is one that Genesys did not take."""

    session_key: str
    refused: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchHistory:
    """Get a page of what was said."""

    jwt: str = field(repr=False)
    page: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAgain:
    """See whether the session, and the sign-in that it belongs to, are still there."""

    session_id: GuestSessionId = field(repr=False)
    session_key: str | None


Task: TypeAlias = (
    OpenGuest | ExtendGuest | OwnGuest | EndGuest | FetchJwt | FetchHistory | LookAgain
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestOpened:
    """The session of an `OpenGuest`; `person` and `session_key` say who is signed in, if anybody.

    `owner` is whose the session is already: None while its guest is anonymous. `profile` is what
    was remembered of a guest who came back without the session's id.
    """

    session_id: GuestSessionId = field(repr=False)
    encrypted_session_id: str = field(repr=False)
    guest_id: str
    genesys_token: str = field(repr=False)
    expires_at: datetime
    resumed: bool
    profile: Mapping[str, str] = field(default_factory=dict, repr=False)
    owner: str | None = None
    person: str | None = None
    session_key: str | None = None
    signed_in_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestNotOpened:
    """There is none, and why; with `retry_after` the page may ask again then."""

    code: FrameCode
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestExtended:
    """The session lives until then, under a fresh id to come back with."""

    encrypted_session_id: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestOwned:
    """The session is this person's from now on."""

    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestNotOwned:
    """It could not be given to the person: another's already, or the store is away."""

    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestGone:
    """The session is no more, and what a page is told about that."""

    reason: GuestEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestStillThere:
    """Session and sign-in are as they were. `signed_in_until` is None for an anonymous guest."""

    signed_in_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NobodyKnows:
    """The store is away: nothing has changed as far as we know; ask again after a while."""

    task: Task
    retry_after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtHere:
    """A JWT, to be used at once."""

    jwt: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoJwt:
    """There is none: the sign-in is over (`refused`), or nobody could be asked."""

    refused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryHere:
    """A page of the history, as Genesys spelled it."""

    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoHistory:
    """It could not be fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestForgotten:
    """An `EndGuest` is done."""


Answer: TypeAlias = (
    GuestOpened
    | GuestNotOpened
    | GuestExtended
    | GuestOwned
    | GuestNotOwned
    | GuestGone
    | GuestStillThere
    | NobodyKnows
    | JwtHere
    | NoJwt
    | HistoryHere
    | NoHistory
    | GuestForgotten
)
