"""What an upstream wants done and what it has to tell: values that nothing hangs on.

The three that come with each message are msgspec structs: they cost a quarter to make.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct


class EndReason(StrEnum):
    """Why a session is over for good: its token is worth nothing any more."""

    ENDED = "ended"
    EXPIRED = "expired"
    NOT_FOUND = "not_found"
    CLEARED = "cleared"
    LOGGED_OUT = "logged_out"
    SIGNED_IN_ELSEWHERE = "signed_in_elsewhere"
    CONVERSATION_OVER = "conversation_over"
    READ_ONLY = "read_only"
    CANNOT_DOWNGRADE = "cannot_downgrade"
    SIGN_IN_REFUSED = "sign_in_refused"
    REFUSED = "refused"


class LeaveReason(StrEnum):
    """Why this upstream stops although the session lives on: another may take the token up."""

    UNREACHABLE = "unreachable"
    DISPLACED = "displaced"
    DRAINED = "drained"


class FailureCode(StrEnum):
    """Why a message was not delivered."""

    MALFORMED = "message_malformed"
    TEXT_TOO_LONG = "text_too_long"
    ATTRIBUTES_TOO_LARGE = "attributes_too_large"
    READ_ONLY = "read_only"
    RATE_LIMITED = "rate_limited"
    REFUSED = "message_refused"
    TOO_MANY_WAITING = "too_many_waiting"
    OUTCOME_UNKNOWN = "outcome_unknown"
    NOT_REACHED = "service_unavailable"
    SESSION_OVER = "session_over"


# What the shell must do, in the order in which it is given.


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Wait for `after`, then dial `path` at the web messaging host, with the page's Origin."""

    after: timedelta
    path: str


class Write(Struct, frozen=True, kw_only=True, gc=False):
    """Send one text frame: JSON, already UTF-8."""

    text: bytes

    def __repr__(self) -> str:
        return f"Write({len(self.text)} bytes)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    """Close the socket, or give up dialling; nothing more is to be reported about either."""

    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskJwt:
    """Answer with `jwt_ready` or `jwt_failed`; with `refresh` the last one was refused."""

    refresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AskHistory:
    """Fetch a page of the history with this JWT; answer `history` or `history_failed`."""

    jwt: str = field(repr=False)
    page: int


# What the page must know.


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The session is open at Genesys for the first time in this upstream."""

    new_session: bool
    authenticated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """Genesys cannot be reached; what is sent meanwhile waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """Genesys is reached again; with `history_wanted` what was missed is still to come."""

    history_wanted: bool


class Delivered(Struct, frozen=True, kw_only=True, gc=False):
    """Genesys has heard a message; `body` is the echo, if there was one."""

    tracing_id: str
    body: bytes | None = None

    def __repr__(self) -> str:
        return f"Delivered(tracing_id={self.tracing_id!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A message was not delivered, or nobody knows (OUTCOME_UNKNOWN). The session goes on."""

    tracing_id: str
    code: FailureCode
    retry_after: timedelta | None = None


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """A message of Genesys, as it was spelled; each is told once."""

    body: bytes
    from_history: bool = False

    def __repr__(self) -> str:
        return f"Event(from_history={self.from_history})"


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppedUp:
    """Genesys knows the guest as the signed-in person from now on."""

    cleared_existing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpFailed:
    """The session goes on anonymously; unless `refused`, a later attempt may succeed."""

    refused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The session is over and its binding is to be dropped. The last word of an upstream."""

    reason: EndReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """This upstream is over, the session is not: keep the binding. The last word, too."""

    reason: LeaveReason


Action: TypeAlias = (
    Connect
    | Write
    | Disconnect
    | AskJwt
    | AskHistory
    | Ready
    | Paused
    | Resumed
    | Delivered
    | Failed
    | Event
    | SteppedUp
    | StepUpFailed
    | Ended
    | Left
)
