"""What a browser's `Cookie` header says under one name; where two say it, somebody planted one."""

from collections.abc import Iterator
from typing import Final

from bff.errors import CookieTossedError

SESSION_COOKIE: Final = "__Host-bff"


def only_cookie(header: str, name: str) -> str | None:
    """Return the value of the cookie `name`; None if it is missing or empty.

    Raises CookieTossedError if there is more than one.
    """
    found = list(_values(header, name))
    if len(found) > 1:
        raise CookieTossedError(f"{len(found)} cookies named {name}")
    return found[0] if found and found[0] else None


def _values(header: str, name: str) -> Iterator[str]:
    """Yield each value that the header gives `name`; a parser of cookies would keep only one."""
    for pair in header.split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            yield value.strip('"')
