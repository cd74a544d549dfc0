"""What a setting must be before it is believed: strong keys, exact origins, plain durations."""

import base64
import binascii
from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr

from bff.adapters.http_client import is_loopback_name

KEY_BYTES: Final = 32
MIN_SECRET_CHARS: Final = 16
NEW_KEY_HINT: Final = "make one with `messenger-bff keys new`"

_MIN_DISTINCT_BYTES: Final = 12


def decoded_key(text: SecretStr) -> bytes:
    """Return the 32 bytes of a base64url or base64 key. Raises ValueError with what to do."""
    raw = text.get_secret_value().strip().replace("-", "+").replace("_", "/").rstrip("=")
    try:
        key = base64.b64decode(raw + "=" * (-len(raw) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"is not base64: {NEW_KEY_HINT}") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"holds {len(key)} bytes instead of {KEY_BYTES}: {NEW_KEY_HINT}")
    if len(set(key)) < _MIN_DISTINCT_BYTES:
        raise ValueError(f"is too regular to be random: {NEW_KEY_HINT}")
    return key


def checked_secret(text: SecretStr) -> SecretStr:
    """Refuse a secret that could be guessed."""
    value = text.get_secret_value()
    if len(value) < MIN_SECRET_CHARS or len(set(value)) < MIN_SECRET_CHARS // 2:
        raise ValueError(f"is weak: use at least {MIN_SECRET_CHARS} random characters")
    return text


def check_for_broker(value: str, *, codes: str | None, what: str) -> None:
    """Refuse what broker needs and lacks, and what passthrough does not use.

    `codes` is None if BFF_CODES itself is wrong; its own sentence says so.
    """
    if codes == "broker" and not value:
        raise ValueError(f"is missing: {what}, with us as its provider")
    if codes == "passthrough" and value:
        raise ValueError(
            "is for BFF_CODES=broker: in passthrough Genesys is a client of the provider, remove it"
        )


def checked_origin(url: str) -> str:
    """Return a bare origin. http is for loopback names only."""
    return _bare(url, open_scheme="http", example="https://www.brand.example")


def checked_socket_origin(url: str) -> str:
    """Return where a WebSocket server is, without a path. ws is for loopback names only."""
    return _bare(url, open_scheme="ws", example="wss://webmessaging.mypurecloud.com")


def _bare(url: str, *, open_scheme: str, example: str) -> str:
    parts = urlsplit(url.strip())
    safe_scheme = open_scheme + "s"
    if parts.scheme not in {open_scheme, safe_scheme} or not parts.hostname or parts.username:
        raise ValueError(f"{url!r} is not an origin such as {example}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{url!r} has a path: an origin ends after the host and port")
    if parts.scheme == open_scheme and not is_loopback_name(parts.hostname):
        raise ValueError(f"{url!r} is not {safe_scheme}: what is secret would travel in the open")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _seconds(value: object) -> object:
    """Read plain digits as seconds; pydantic reads ISO 8601 (`PT15M`) and `HH:MM:SS` itself."""
    return int(value) if isinstance(value, str) and value.strip().isdigit() else value


Duration = Annotated[timedelta, BeforeValidator(_seconds)]
