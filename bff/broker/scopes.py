"""Which scopes there are, and which of the asked ones are given."""

from typing import Final

from bff.errors import RequestRefusedError

OFFLINE: Final = "offline_access"
SCOPES: Final = ("openid", "profile", "email", OFFLINE)


def scopes_of(unverified: str | None) -> str:
    """Return the asked scopes that we know, in our order; all of them if none was asked."""
    asked = (unverified or "").split()
    return " ".join(scope for scope in SCOPES if not asked or scope in asked)


def narrowed(granted: str, asked: str | None) -> str:
    """Return what to give: RFC 6749 section 6 allows less than was granted, never more."""
    if not asked:
        return granted
    if not set(asked.split()) <= set(granted.split()):
        raise RequestRefusedError("a scope beyond the grant")
    return " ".join(scope for scope in granted.split() if scope in asked.split())
