"""What a setting must be before it is believed: strong keys, exact origins, plain durations."""

import base64
import binascii
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, SecretStr

from bff.adapters.http_client import is_loopback_name

KEY_BYTES: Final = 32
MIN_SECRET_CHARS: Final = 16
NEW_KEY_HINT: Final = "make one with `messenger-bff keys new`"

_MIN_DISTINCT_BYTES: Final = 12
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]+)?")


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


def checked_database(url: str, schemes: tuple[str, ...], otherwise: str) -> str:
    """Return where a store or database is, its scheme in small letters: `sqlite:///FILE` or a host.

    Raises ValueError, with `otherwise` if the scheme is none of `schemes`.
    """
    scheme, rest = _scheme_and_rest(url.strip())
    if scheme not in schemes:
        raise ValueError(otherwise)
    spelled = f"{scheme}:{rest}"
    if scheme == "sqlite":
        _check_sqlite_file(spelled)
    elif not rest.startswith("//") or _is_spaced(rest) or not _has_good_port(spelled):
        # Not repeated: it may hold a password.
        raise ValueError(f"is not of the form {scheme}://HOST:PORT/NAME")
    return spelled


def checked_store(url: str) -> str:
    """Refuse sentinels without a name of the primary, or one that is no host. Else return `url`."""
    parts = urlsplit(url)
    if not parts.scheme.endswith("+sentinel"):
        return url
    name, _, database = parts.path.removeprefix("/").partition("/")
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if not name or not (database or "0").isdecimal() or not all(map(_is_host, hosts)):
        # Not repeated: it may hold a password.
        raise ValueError(f"is not of the form {parts.scheme}://HOST:PORT,HOST:PORT/PRIMARY")
    return url


def _is_host(text: str) -> bool:
    return _has_host(f"redis://{text}")


def _check_sqlite_file(url: str) -> None:
    path = url.removeprefix("sqlite:///")
    if path == url or path in {"", ":memory:"} or path.endswith("/") or Path(path).is_dir():
        raise ValueError(f"{url!r} names no file: sqlite:///FILE, or sqlite:////FOLDER/FILE")


def checked_file_or_https(place: str) -> str:
    """Return a path, or an https address with its scheme in small letters."""
    spelled = place.strip()
    scheme, rest = _scheme_and_rest(spelled)
    if not scheme:
        if "://" in spelled or spelled.endswith("/") or Path(spelled).is_dir():
            raise ValueError("is neither a file nor an https address")
        return spelled
    if scheme == "file":
        raise ValueError("is an URL: give the path of the file itself")
    if scheme != "https":
        raise ValueError("is not https: whoever is in between could give other heads")
    address = f"{scheme}:{rest}"
    if not rest.startswith("//") or _is_spaced(rest) or not _has_host(address):
        raise ValueError("is not an address such as https://copies.example/heads")
    return address


def _scheme_and_rest(url: str) -> tuple[str, str]:
    """Return the scheme in small letters (RFC 3986 section 3.1), empty if there is none."""
    found = _SCHEME.match(url)
    return (found[1].lower(), url[found.end() :]) if found else ("", url)


def _is_spaced(text: str) -> bool:
    # `urlsplit` takes some of these out without a word, and whoever dials may not.
    return any(letter.isspace() or not letter.isprintable() or letter == "\\" for letter in text)


def _has_host(url: str) -> bool:
    return _has_good_port(url) and bool(urlsplit(url).hostname)


def _has_good_port(url: str) -> bool:
    """Say whether the port is one; lists of hosts, which only their clients read, are let be."""
    try:
        return "," in urlsplit(url).netloc or urlsplit(url).port != 0
    except ValueError:
        return False


def _bare(url: str, *, open_scheme: str, example: str) -> str:
    url = url.strip()
    parts = _split(url)
    safe_scheme = open_scheme + "s"
    if parts is None or parts.scheme not in {open_scheme, safe_scheme}:
        raise ValueError(f"{url!r} is not an origin such as {example}")
    if not _HOST.fullmatch(parts.netloc.lower()):
        raise ValueError(f"{_unsigned(url)!r} is not an origin such as {example}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{url!r} has a path: an origin ends after the host and port")
    if parts.scheme == open_scheme and not is_loopback_name(parts.hostname or ""):
        raise ValueError(f"{url!r} is not {safe_scheme}: what is secret would travel in the open")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _split(url: str) -> SplitResult | None:
    return urlsplit(url) if not _is_spaced(url) and _has_host(url) else None


def _unsigned(url: str) -> str:
    """Return an URL without what somebody may have put before the host."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if "@" in rest else url


def _seconds(value: object) -> object:
    """Read plain digits as seconds; pydantic reads ISO 8601 (`PT15M`) and `HH:MM:SS` itself."""
    return int(value) if isinstance(value, str) and value.strip().isdigit() else value


Duration = Annotated[timedelta, BeforeValidator(_seconds)]
