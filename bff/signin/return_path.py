"""Where a browser may be sent after signing in or out: a path on an allowed origin."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from bff.errors import ReturnPathError

MAX_CHARS: Final = 2048

_CONTROL: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ufeff]")
_PATH: Final = re.compile(r"/(?![/\\])")


def return_url(path: str | None, *, origin: str | None, allowed: Sequence[str]) -> str:
    r"""Return `origin` + `path`. The first allowed origin and `/` are the defaults.

    Raises ReturnPathError. The path is checked as sent and once decoded, because some servers
    decode before they route; `//host`, `/\host`, control characters and a second scheme are
    the classic ways out (RFC 9700 section 4.11).
    """
    if origin is None:
        origin = allowed[0]
    if origin not in allowed:
        raise ReturnPathError("origin is not on the list")
    path = path or "/"
    if len(path) > MAX_CHARS:
        raise ReturnPathError("path is too long")
    for form in (path, unquote(path)):
        if not _PATH.match(form) or _CONTROL.search(form) or "\\" in form.partition("?")[0]:
            raise ReturnPathError("not a plain path")
    url = origin + path
    if _origin_of(url) != origin:
        raise ReturnPathError("leaves the origin")
    return url


def _origin_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ReturnPathError("not a URL") from error
    return f"{parts.scheme}://{parts.netloc}"
