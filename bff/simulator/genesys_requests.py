"""What a client says on the socket: parsed, measured, and refused with the vendor's codes."""

import json
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from bff.simulator.genesys_frames import FrameRefused
from bff.simulator.genesys_limits import MAX_ATTRIBUTE_BYTES, MAX_TEXT_BYTES

MESSAGE_TYPES: Final = ("Text", "Structured", "Event")


class ErrorCode(IntEnum):
    """The codes of `string` frames that this stand-in uses."""

    BAD_REQUEST = 400
    UNAUTHORIZED = 401
    FORBIDDEN = 403
    READ_ONLY = 409
    FEATURE_UNAVAILABLE = 4000
    SESSION_EXPIRED = 4006
    SESSION_NOT_FOUND = 4007
    MESSAGE_TOO_LONG = 4011
    ATTRIBUTES_TOO_LARGE = 4013
    CANNOT_DOWNGRADE = 4017
    MISSING_PARAMETER = 4020


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketRequest:
    """One frame of a client."""

    action: str
    token: str = field(repr=False)
    tracing_id: str | None
    body: dict[str, Any] = field(repr=False)

    def text_of(self, name: str) -> str:
        """Return a required text field. Raises FrameRefused 4020."""
        value = self.body.get(name)
        if not isinstance(value, str) or not value:
            raise FrameRefused(ErrorCode.MISSING_PARAMETER, f"Missing required parameter: {name}")
        return value


def tracing_id_of(raw: Any) -> str | None:
    """Return the tracing id if there is a usable one."""
    value = raw.get("tracingId") if isinstance(raw, dict) else None
    return value if isinstance(value, str) else None


def parse(text: str) -> dict[str, Any]:
    """Return the JSON object in `text`. Raises FrameRefused 400."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise FrameRefused(ErrorCode.BAD_REQUEST, "Request failed.") from error
    if not isinstance(raw, dict):
        raise FrameRefused(ErrorCode.BAD_REQUEST, "Request failed.")
    return raw


def request_from(raw: dict[str, Any]) -> SocketRequest:
    """Return the request in `raw`. Raises FrameRefused."""
    for name in ("action", "token"):
        if not isinstance(raw.get(name), str) or not raw[name]:
            raise FrameRefused(ErrorCode.MISSING_PARAMETER, f"Missing required parameter: {name}")
    return SocketRequest(
        action=raw["action"], token=raw["token"], tracing_id=tracing_id_of(raw), body=raw
    )


def message_of(request: SocketRequest) -> dict[str, Any]:
    """Return the checked `message` of an onMessage. Raises FrameRefused."""
    message = request.body.get("message")
    if not isinstance(message, dict):
        raise FrameRefused(ErrorCode.MISSING_PARAMETER, "Missing required parameter: message")
    kind = message.get("type", "Text")
    if kind not in MESSAGE_TYPES:
        raise FrameRefused(ErrorCode.BAD_REQUEST, "Request failed.")
    _check_text(message, kind)
    _check_metadata(message.get("metadata"))
    _check_attributes(message.get("channel"))
    return {**message, "type": kind}


def event_of(message: dict[str, Any]) -> tuple[str, str]:
    """Return the kind of event and its own type, as ("Presence", "Join"). Raises FrameRefused."""
    events = message.get("events")
    first = events[0] if isinstance(events, list) and events else None
    if not isinstance(first, dict):
        raise FrameRefused(ErrorCode.MISSING_PARAMETER, "Missing required parameter: events")
    kind = str(first.get("eventType"))
    detail = first.get(kind.lower())
    return kind, str(detail.get("type")) if isinstance(detail, dict) else ""


def _check_text(message: dict[str, Any], kind: str) -> None:
    text = message.get("text")
    if text is None and kind != "Event" and not message.get("content"):
        raise FrameRefused(ErrorCode.MISSING_PARAMETER, "Missing required parameter: text")
    if text is not None and not isinstance(text, str):
        raise FrameRefused(ErrorCode.BAD_REQUEST, "Request failed.")
    if text is not None and len(text.encode()) > MAX_TEXT_BYTES:
        raise FrameRefused(ErrorCode.MESSAGE_TOO_LONG, "message too long")


def _check_metadata(metadata: Any) -> None:
    if metadata is None:
        return
    values = metadata.values() if isinstance(metadata, dict) else [None]
    if not all(isinstance(value, str) for value in values):
        raise FrameRefused(ErrorCode.BAD_REQUEST, "Request failed.")


def _check_attributes(channel: Any) -> None:
    metadata = channel.get("metadata") if isinstance(channel, dict) else None
    attributes = metadata.get("customAttributes") if isinstance(metadata, dict) else None
    spelled = json.dumps(attributes, separators=(",", ":"), ensure_ascii=False)
    if attributes is not None and len(spelled.encode()) > MAX_ATTRIBUTE_BYTES:
        raise FrameRefused(
            ErrorCode.ATTRIBUTES_TOO_LARGE,
            "Custom Attributes in channel metadata is larger than 2048 bytes",
        )
