"""How a guest comes into being: a token of our own, or one that a gateway gives."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from bff.errors import GenesysAnswerError, SettingsError
from bff.guests.platform_client import PlatformClient
from bff.ports import Entropy, PlatformRequest

CHANNEL: Final = "webchat"
GUESTS_PATH: Final = "/api/v2/conversations/guests"
GUEST_TRIES: Final = 3

_PATH: Final = re.compile(r"/[\w./~-]{1,200}", re.ASCII)
# What goes on into a URL, a key or a frame: visible ASCII, and no longer than any real one.
_NAME: Final = re.compile(r"[!-~]{1,512}")
_SECRET: Final = re.compile(r"[!-~]{8,4096}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionedGuest:
    """A guest; `token` is what speaks for it at Genesys."""

    guest_id: str
    token: str = field(repr=False)
    channel_type: str = CHANNEL
    self_uri: str = ""


class GuestProvisioning(Protocol):
    """Makes guests."""

    def provide(self) -> ProvisionedGuest:
        """Return a new guest. Raises an error of the Genesys family."""


class LocalProvisioning:
    """Nobody is asked: a guest exists for Genesys once `configureSession` has named its token."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    def provide(self) -> ProvisionedGuest:
        """Return a guest with a random UUID (version 4) as token."""
        return ProvisionedGuest(guest_id=self._uuid(), token=self._uuid())

    def _uuid(self) -> str:
        return str(uuid.UUID(bytes=self._entropy.bytes(16), version=4))


class HttpProvisioning:
    """A gateway in front of Genesys is asked, with the platform token.

    Genesys itself has no such call today.
    """

    def __init__(self, client: PlatformClient, *, path: str = GUESTS_PATH) -> None:
        checked = checked_guests_path(path)
        self._client = client
        self._request = PlatformRequest(method="POST", path=checked, body={"channelType": CHANNEL})

    def provide(self) -> ProvisionedGuest:
        """Ask for a guest. Raises GenesysAnswerError for an answer that makes none."""
        body = self._client.call(self._request, tries=GUEST_TRIES)
        if body.get("channelType") != CHANNEL:
            raise GenesysAnswerError(f"guest: channelType is not {CHANNEL}")
        return ProvisionedGuest(
            guest_id=_text(body, "id", _NAME),
            token=_text(body, "token", _SECRET),
            self_uri=_text(body, "selfUri", _NAME),
        )


def checked_guests_path(path: str) -> str:
    """Return `path`. Raises SettingsError if it might lead to another host or out of the API."""
    if not _PATH.fullmatch(path) or "//" in path or ".." in path:
        raise SettingsError(f"{path!r} is not a path for creating guests")
    return path


def _text(body: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise GenesysAnswerError(f"guest: {name} is missing or malformed")
    return value
