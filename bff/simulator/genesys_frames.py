"""The server's frames, spelled as the vendor's samples spell them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

ALLOWED_MEDIA: Final = {"inbound": {"fileTypes": [{"type": "*/*"}], "maxFileSizeKB": 10_240}}
BLOCKED_EXTENSIONS: Final = (".ade", ".adp")
MAX_CUSTOM_DATA_BYTES: Final = 2_048
TYPING_MS: Final = 5_000

Frame = dict[str, Any]


class FrameRefused(Exception):  # noqa: N818 - it is an answer on the wire, not a fault of ours
    """A request that is answered with a `string` frame."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What goes to which connection: a frame, or the end of the connection, or one then the other.

    `after` is how long an agent takes to write: the sender waits before this frame.
    """

    connection: str
    frame: Frame | None = field(default=None, repr=False)
    closes: bool = False
    after: timedelta = timedelta(0)

    @property
    def text(self) -> str:
        """Return the frame as it travels."""
        return json.dumps(self.frame, separators=(",", ":"), ensure_ascii=False)


def wire_time(moment: datetime) -> str:
    """Return ISO 8601 in UTC with milliseconds and `Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def response(name: str, body: Any, *, tracing_id: str | None, code: int = 200) -> Frame:
    """Return an answer to a request; `tracingId` is there only if the request had one."""
    frame: Frame = {"type": "response", "class": name, "code": code, "body": body}
    if tracing_id is not None:
        frame["tracingId"] = tracing_id
    return frame


def pushed(name: str, body: Mapping[str, Any], *, tracing_id: str | None = None) -> Frame:
    """Return a frame that nobody asked for, or the receipt of one's own message."""
    frame: Frame = {"type": "message", "class": name, "code": 200, "body": dict(body)}
    if tracing_id is not None:
        frame["tracingId"] = tracing_id
    return frame


def session_response(  # noqa: PLR0913 - every field of the frame, by name
    *,
    connected: bool,
    new_session: bool,
    read_only: bool,
    cleared_existing: bool,
    duration: timedelta,
    ends_at: datetime,
    tracing_id: str | None,
) -> Frame:
    """Return the answer to a configure. `expirationDate` is in seconds."""
    body = {
        "connected": connected,
        "newSession": new_session,
        "readOnly": read_only,
        "maxCustomDataBytes": MAX_CUSTOM_DATA_BYTES,
        "allowedMedia": ALLOWED_MEDIA,
        "blockedExtensions": list(BLOCKED_EXTENSIONS),
        "clearedExistingSession": cleared_existing,
        "durationSeconds": int(duration.total_seconds()),
        "expirationDate": int(ends_at.timestamp()),
    }
    return response("SessionResponse", body, tracing_id=tracing_id)


def configuration_body(duration: timedelta) -> dict[str, Any]:
    """Return the body of a GetConfigurationResponse."""
    return {
        "allowedMedia": ALLOWED_MEDIA,
        "blockedExtensions": list(BLOCKED_EXTENSIONS),
        "maxCustomDataBytes": MAX_CUSTOM_DATA_BYTES,
        "messageRoutingEnabled": True,
        "sessionDurationSeconds": int(duration.total_seconds()),
    }


def too_many(wait: timedelta, what: str, *, tracing_id: str | None) -> Frame:
    """Return the answer to a client that is too fast."""
    body = {
        "retryAfter": max(1, round(wait.total_seconds())),
        "errorCode": 4029,
        "errorMessage": f"{what.capitalize()} rate too high for this session",
    }
    return response("TooManyRequestsErrorMessage", body, tracing_id=tracing_id, code=429)


def presence(kind: str) -> dict[str, Any]:
    """Return a presence event."""
    return {"eventType": "Presence", "presence": {"type": kind}}


def typing_on() -> dict[str, Any]:
    """Return the event behind the dots."""
    return {"eventType": "Typing", "typing": {"type": "On", "duration": TYPING_MS}}
