"""Every way in which a frame can be refused and a session can end: stable codes, public words."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class FrameCode(StrEnum):
    """The `code` of an `error` frame. Public and stable."""

    FRAME_TOO_LARGE = "frame_too_large"
    FRAME_NOT_TEXT = "frame_not_text"
    FRAME_NOT_UTF8 = "frame_not_utf8"
    FRAME_MALFORMED = "frame_malformed"
    FRAME_TYPE_UNKNOWN = "frame_type_unknown"
    FRAME_FIELDS_WRONG = "frame_fields_wrong"
    NOT_STARTED = "not_started"
    ALREADY_STARTED = "already_started"
    PUBLIC_KEY_REFUSED = "public_key_refused"
    SESSION_UNKNOWN = "session_unknown"
    SESSION_FOREIGN = "session_foreign"
    SESSION_EXPIRED = "session_expired"
    SESSION_OVER = "session_over"
    SIGNATURE_WRONG = "signature_wrong"
    SEQUENCE_REPLAYED = "sequence_replayed"
    SEQUENCE_GAP = "sequence_gap"
    MESSAGE_MALFORMED = "message_malformed"
    TEXT_TOO_LONG = "text_too_long"
    ATTRIBUTES_TOO_LARGE = "attributes_too_large"
    MESSAGE_REFUSED = "message_refused"
    DELIVERY_UNKNOWN = "delivery_unknown"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_IN_FLIGHT = "too_many_in_flight"
    SERVICE_UNAVAILABLE = "service_unavailable"
    STEP_UP_FAILED = "step_up_failed"
    TOO_MANY_FAULTS = "too_many_faults"


SENTENCES: Final[Mapping[FrameCode, str]] = MappingProxyType(
    {
        FrameCode.FRAME_TOO_LARGE: "This is too large to be sent.",
        FrameCode.FRAME_NOT_TEXT: "Frames are text, not binary.",
        FrameCode.FRAME_NOT_UTF8: "The frame is not UTF-8 text.",
        FrameCode.FRAME_MALFORMED: "The frame is not a JSON object.",
        FrameCode.FRAME_TYPE_UNKNOWN: "There is no such type of frame.",
        FrameCode.FRAME_FIELDS_WRONG: "A field of the frame is missing, unknown or wrong.",
        FrameCode.NOT_STARTED: "The session has not been opened on this connection.",
        FrameCode.ALREADY_STARTED: "A session is open on this connection already.",
        FrameCode.PUBLIC_KEY_REFUSED: "The public key cannot be used.",
        FrameCode.SESSION_UNKNOWN: "This session cannot be continued. Please start a new one.",
        FrameCode.SESSION_FOREIGN: "The frame belongs to another session.",
        FrameCode.SESSION_EXPIRED: "The session has expired. Please start a new one.",
        FrameCode.SESSION_OVER: "The session has ended.",
        FrameCode.SIGNATURE_WRONG: "The signature of the frame is wrong.",
        FrameCode.SEQUENCE_REPLAYED: "This frame has been seen already.",
        FrameCode.SEQUENCE_GAP: "A frame before this one is missing.",
        FrameCode.MESSAGE_MALFORMED: "The message cannot be understood.",
        FrameCode.TEXT_TOO_LONG: "The text is too long.",
        FrameCode.ATTRIBUTES_TOO_LARGE: "The custom attributes are too large.",
        FrameCode.MESSAGE_REFUSED: "The message was refused and has not been delivered.",
        FrameCode.DELIVERY_UNKNOWN: "It is not known whether the message was delivered.",
        FrameCode.RATE_LIMITED: "Too many messages. Please wait a moment.",
        FrameCode.TOO_MANY_IN_FLIGHT: "Earlier messages are still on their way. Please wait.",
        FrameCode.SERVICE_UNAVAILABLE: "The chat cannot be reached. Please try again in a moment.",
        FrameCode.STEP_UP_FAILED: "The chat could not be continued as the signed-in person.",
        FrameCode.TOO_MANY_FAULTS: "Too many wrong frames. The connection is closed.",
    }
)


class GuestEnd(StrEnum):
    """The `reason` of a `session_ended` frame. Public and stable."""

    ENDED = "ended"
    EXPIRED = "expired"
    SIGNED_OUT = "signed_out"
    REVOKED = "revoked"
    CLEARED = "cleared"
    LOGGED_OUT = "logged_out"
    CLOSED = "closed"
    SOMEBODY_ELSE = "somebody_else"


class FrameRefusedError(Exception):
    """A frame is refused: `code` is public, `seq` names the frame if it is known.

    With `retry_after` the very same frame is welcome later; without, it is refused for good.
    `expected` is the `seq` that should have come.
    """

    def __init__(
        self,
        code: FrameCode,
        *,
        seq: int | None = None,
        retry_after: timedelta | None = None,
        expected: int | None = None,
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.seq = seq
        self.retry_after = retry_after
        self.expected = expected
