"""What a guest may say to Genesys: read from the signed text, checked, spelled anew.

Spelled anew, because JSON with a name twice means one thing to one reader and another to the
next: what was checked is what is sent, whatever the text said besides.
"""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from bff.guests.frame_errors import FrameCode, FrameRefusedError

MAX_TEXT_BYTES: Final = 4096
MAX_ATTRIBUTES_BYTES: Final = 2048


class _Part(Struct, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """A part of a message. A name that Genesys does not know is refused, not dropped unseen."""


class _Typing(_Part):
    type: Literal["On", "Off"]
    duration: int | None = None


class _Presence(_Part):
    type: Literal["Join", "Clear", "Disconnect"]


class _Event(_Part):
    event_type: Literal["Typing", "Presence"]
    typing: _Typing | None = None
    presence: _Presence | None = None


class _ChannelMetadata(_Part):
    custom_attributes: dict[str, Raw] | None = None


class _Channel(_Part):
    metadata: _ChannelMetadata | None = None


# One event a message: two kinds in one would pass the limit of one of them.
_Events: TypeAlias = Annotated[list[_Event], Meta(min_length=1, max_length=1)]
_Content: TypeAlias = Annotated[list[dict[str, Raw]], Meta(min_length=1, max_length=32)]


class GuestMessage(_Part):
    """The `message` object of `onMessage`. An attachment alone has neither type nor text."""

    type: Literal["Text", "Event", "Structured"] | None = None
    text: str | None = None
    metadata: dict[str, str] | None = None
    channel: _Channel | None = None
    content: _Content | None = None
    events: _Events | None = None

    def __repr__(self) -> str:
        return f"GuestMessage(type={self.type!r})"

    @property
    def is_typing(self) -> bool:
        """Say whether it only tells that somebody types."""
        return self.events is not None and self.events[0].typing is not None

    def spell(self) -> bytes:
        """Return the JSON that Genesys gets."""
        return _spell(self)


_read = msgspec.json.Decoder(GuestMessage).decode
_spell = msgspec.json.Encoder().encode


def parsed_message(payload: bytes) -> GuestMessage:
    """Return the message. Raises FrameRefusedError, with the limit that it breaks by name."""
    try:
        message = _read(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise FrameRefusedError(FrameCode.MESSAGE_MALFORMED) from None
    text = message.text
    # What most people send is asked for first; nothing else about it needs a closer look.
    plain = message.type == "Text" and text and message.events is None and not text.isspace()
    if not plain and not _is_whole(message):
        raise FrameRefusedError(FrameCode.MESSAGE_MALFORMED)
    # JSON spells a text in no fewer bytes than it has: most need no counting.
    if len(payload) > MAX_TEXT_BYTES and text and len(text.encode()) > MAX_TEXT_BYTES:
        raise FrameRefusedError(FrameCode.TEXT_TOO_LONG)
    if message.channel is not None and _attributes_bytes(message.channel) > MAX_ATTRIBUTES_BYTES:
        raise FrameRefusedError(FrameCode.ATTRIBUTES_TOO_LARGE)
    return message


def _is_whole(message: GuestMessage) -> bool:
    """Say whether the parts fit the type. A text without words needs something to go with it."""
    match message.type:
        case "Text":
            return message.content is not None and message.events is None
        case "Event":
            return _is_bare_event(message)
        case "Structured" | None:
            return message.content is not None and message.events is None


def _is_bare_event(message: GuestMessage) -> bool:
    if message.events is None or message.text is not None or message.content is not None:
        return False
    event = message.events[0]
    typing, presence = event.typing is not None, event.presence is not None
    return (typing, presence) == (event.event_type == "Typing", event.event_type == "Presence")


def _attributes_bytes(channel: _Channel) -> int:
    attributes = channel.metadata.custom_attributes if channel.metadata else None
    return 0 if attributes is None else len(_spell(attributes))
