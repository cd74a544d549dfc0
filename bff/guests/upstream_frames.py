"""The frames of web messaging, both ways: spelled for Genesys, read from whatever it answers.

Nothing here raises for what was received: a frame that cannot be read is None.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Raw, Struct, field

MAX_FRAME_BYTES: Final = 512 * 1024
MAX_MARK_CHARS: Final = 128
INBOUND: Final = "Inbound"
OVERHEAD_BYTES: Final = 256
# The id that the vendor's own clients use for the health check.
HEALTH_CHECK_ID: Final = "SGVhbHRoQ2hlY2tNZXNzYWdlSWQ="
# Metadata comes back in echoes and in the history; under this name the vendor's own client
# recognises what it said itself.
MARK: Final = "customMessageId"
LONGEST_WAIT_ASKED_FOR: Final = timedelta(minutes=5)

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


class Code(StrEnum):
    """The codes of refusals that mean something to us."""

    BAD_REQUEST = "400"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    READ_ONLY = "409"
    SESSION_EXPIRED = "4006"
    SESSION_NOT_FOUND = "4007"
    MESSAGE_TOO_LONG = "4011"
    ATTRIBUTES_TOO_LARGE = "4013"
    CANNOT_DOWNGRADE = "4017"
    TOO_FAST = "4029"


class Envelope(Struct, frozen=True, rename={"tracing_id": "tracingId", "name": "class"}):
    """What is around every frame of Genesys."""

    name: str
    type: str = ""
    code: int = 200
    body: Raw = field(default_factory=Raw)
    tracing_id: str | None = None

    def __repr__(self) -> str:
        return f"Envelope(name={self.name!r}, code={self.code})"


class Channel(Struct, rename="camel"):
    """Where a live message has its other name."""

    message_id: str | None = None


class _Presence(Struct):
    type: str = ""


class _Event(Struct, rename="camel"):
    event_type: str = ""
    presence: _Presence | None = None


class Said(Struct, rename="camel"):
    """A StructuredMessage, live or from the history, as far as it matters here."""

    id: str | None = None
    direction: str = ""
    text: str | None = None
    channel: Channel | None = None
    metadata: dict[str, Any] | None = None
    events: list[_Event] | None = None

    def __repr__(self) -> str:
        return f"Said(direction={self.direction!r})"

    @property
    def is_inbound(self) -> bool:
        """Say whether the guest said it."""
        return self.direction == INBOUND

    @property
    def keys(self) -> list[str]:
        """Return the names of the message: live ones have two, the history may know one."""
        keys = []
        channel_id = self.channel.message_id if self.channel else None
        if channel_id and len(channel_id) <= MAX_MARK_CHARS:
            keys.append(channel_id)
        if self.id and len(self.id) <= MAX_MARK_CHARS:
            keys.append(self.id)
        return keys

    @property
    def mark(self) -> str | None:
        """Return the name that its sender gave it."""
        return mark_in(self.metadata)

    @property
    def ends_conversation(self) -> bool:
        """Say whether the other side left and nothing may be written any more."""
        if not self.events or not self.metadata:
            return False
        read_only = str(self.metadata.get("readOnly", "")).lower() == "true"
        kinds = [event.presence.type for event in self.events if event.presence]
        return read_only and "Disconnect" in kinds


class Session(Struct, rename="camel"):
    """The body of a SessionResponse."""

    connected: bool = True
    new_session: bool = False
    read_only: bool = False
    cleared_existing_session: bool = False


class HistoryPage(Struct, rename="camel"):
    """One page of the history, newest first."""

    entities: list[Raw]
    page_number: int = 1
    page_count: int = 1

    @property
    def is_last(self) -> bool:
        """Say whether there is nothing older."""
        return self.page_number >= self.page_count


class _Refused(Struct, rename="camel"):
    retry_after: float | None = None
    error_code: int | None = None
    attachment_id: str | None = None


class Refusal(Struct, frozen=True):
    """A request that Genesys refused; the number is the finer of the two that a frame has."""

    number: int
    text: str = ""
    retry_after: timedelta | None = None

    @property
    def code(self) -> Code | None:
        """Return the code if it is one of those that we know."""
        number = 4029 if self.number == 429 else self.number  # noqa: PLR2004 - HTTP's name for it
        try:
            return Code(str(number))
        except ValueError:
            return None


class _Plain(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What nearly every message is. It is read and spelled at once, everything else in parts."""

    type: Literal["Text"]
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)


_read_envelope = msgspec.json.Decoder(Envelope).decode
_read_said = msgspec.json.Decoder(Said).decode
_read_session = msgspec.json.Decoder(Session).decode
_read_refused = msgspec.json.Decoder(_Refused).decode
_read_page = msgspec.json.Decoder(HistoryPage).decode
_read_object = msgspec.json.Decoder(dict[str, Raw]).decode
_read_plain = msgspec.json.Decoder(_Plain).decode
_read_metadata = msgspec.json.Decoder(dict[str, Any]).decode
_spell = msgspec.json.Encoder().encode


def read_frame(text: str | bytes | bytearray | memoryview) -> Envelope | None:
    """Return the envelope, or None for what is not one."""
    if len(text) > MAX_FRAME_BYTES:
        return None
    try:
        return _read_envelope(text)
    except _UNREADABLE:
        return None


def read_said(body: Raw) -> Said | None:
    """Return the message in a body, or None."""
    try:
        return _read_said(body)
    except _UNREADABLE:
        return None


def read_session(body: Raw) -> Session | None:
    """Return the body of a SessionResponse, or None."""
    try:
        return _read_session(body)
    except _UNREADABLE:
        return None


def read_text(body: Raw, name: str) -> str | None:
    """Return one text field of a body, or None."""
    try:
        value = _read_metadata(body).get(name)
    except _UNREADABLE:
        return None
    return value if isinstance(value, str) and value else None


def read_history(body: bytes | str | Mapping[str, Any]) -> HistoryPage | None:
    """Return a page of the history from the text or the object of the answer, or None."""
    try:
        return _read_page(_spell(body) if isinstance(body, Mapping) else body)
    except (*_UNREADABLE, TypeError):
        return None


def read_refusal(frame: Envelope) -> Refusal:
    """Return what was refused: a `string` has its code outside, others have it in the body."""
    # Its name says it, whatever is in it.
    known = int(Code.TOO_FAST) if frame.name == "TooManyRequestsErrorMessage" else None
    try:
        inner = _read_refused(frame.body)
    except _UNREADABLE:
        return Refusal(number=known or frame.code, text=_plain(frame.body))
    seconds = inner.retry_after or 0.0
    wait = timedelta(seconds=max(0.0, min(seconds, LONGEST_WAIT_ASKED_FOR.total_seconds())))
    number = known or inner.error_code or frame.code
    return Refusal(number=number, retry_after=wait or None)


def _plain(body: Raw) -> str:
    try:
        value = msgspec.json.decode(body, type=str)
    except _UNREADABLE:
        return ""
    return value[:200]


def mark_in(metadata: Mapping[str, Any] | None) -> str | None:
    """Return the name of a message in its metadata: the vendor's field, else the usual one."""
    if not metadata:
        return None
    for name in (MARK, "id"):
        value = metadata.get(name)
        if isinstance(value, str) and 0 < len(value) <= MAX_MARK_CHARS:
            return value
    return None


class Payload(Struct, frozen=True):
    """A message to be sent: marked, so that it is recognised wherever it comes back."""

    message: bytes
    mark: str
    text: str | None
    # How much memory it takes: the text is kept to compare it with the history.
    size: int
    is_event: bool = False
    is_typing: bool = False

    def __repr__(self) -> str:
        return f"Payload({len(self.message)} bytes)"


def read_payload(payload: bytes | str | Mapping[str, Any], tracing_id: str) -> Payload | None:
    """Return the message with a mark in its metadata, or None if it is no JSON object."""
    if not isinstance(payload, (bytes, str)):
        return _read_any(payload, tracing_id)
    try:
        plain = _read_plain(payload)
        mark = plain.metadata[MARK] = mark_in(plain.metadata) or tracing_id
        message = _spell(plain)
        size = len(message) + 4 * len(plain.text) + OVERHEAD_BYTES
        return Payload(message, mark, plain.text, size)
    except _UNREADABLE:
        return _read_any(payload, tracing_id)


def _read_any(payload: bytes | str | Mapping[str, Any], tracing_id: str) -> Payload | None:
    try:
        raw = _spell(payload) if isinstance(payload, Mapping) else payload
        parts = _read_object(raw)
        said = _read_said(raw)
        is_event = said.events is not None
        own = mark_in(said.metadata)
        if not is_event:
            metadata = {**(said.metadata or {}), MARK: own or tracing_id}
            parts["metadata"] = Raw(_spell(metadata))
        message = _spell(parts) if not is_event else _bytes(raw)
    except (*_UNREADABLE, TypeError):
        return None
    kinds = [event.event_type for event in said.events or ()]
    return Payload(
        message=message,
        mark=own or tracing_id,
        text=said.text,
        size=len(message) + 4 * len(said.text or "") + OVERHEAD_BYTES,
        is_event=is_event,
        is_typing="Typing" in kinds,
    )


def _bytes(raw: bytes | str) -> bytes:
    return raw.encode() if isinstance(raw, str) else raw


class Requests:
    """Spells the requests of one session."""

    __slots__ = ("_deployment_id", "_message_head", "_token")

    def __init__(self, *, token: str, deployment_id: str) -> None:
        self._token = token
        self._message_head = b'{"action":"onMessage","token":%s,"tracingId":' % _spell(token)
        self._deployment_id = deployment_id

    def configure(self, tracing_id: str, *, jwt: str | None) -> bytes:
        """Open the session, or open it again: never a new one in place of a living one."""
        rest: dict[str, Any] = {"deploymentId": self._deployment_id, "startNew": False}
        if jwt is None:
            return self._request("configureSession", tracing_id, rest)
        rest["data"] = {"code": jwt}
        return self._request("configureAuthenticatedSession", tracing_id, rest)

    def message(self, tracing_id: str, message: bytes) -> bytes:
        """Say something."""
        # The hot path: what was checked is put in as it is.
        return b'%s%s,"message":%s}' % (self._message_head, _spell(tracing_id), message)

    def health_check(self) -> bytes:
        """Ask whether somebody is there."""
        message = {"type": "Text", "text": "ping"}
        return self._request("echo", HEALTH_CHECK_ID, {"message": message})

    def history_jwt(self, tracing_id: str) -> bytes:
        """Ask for the right to read the history."""
        return self._request("getJwt", tracing_id, {})

    def close_session(self, tracing_id: str) -> bytes:
        """End the session for every connection."""
        return self._request("closeSession", tracing_id, {"closeAllConnections": True})

    def _request(self, action: str, tracing_id: str, rest: dict[str, Any]) -> bytes:
        return json.dumps(
            {"action": action, "token": self._token, "tracingId": tracing_id, **rest},
            separators=(",", ":"),
        ).encode()


def socket_path(*, deployment_id: str, application: str) -> str:
    """Return path and query of the web messaging socket."""
    return "/v1?" + urlencode({"deploymentId": deployment_id, "application": application})
