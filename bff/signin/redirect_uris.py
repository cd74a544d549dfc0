"""A redirect URI for each provider: which one an answer comes to says whose answer it is.

A provider that answers without `iss` (RFC 9207) could otherwise be made to answer an attempt that
began at another, and its code would go to the other's token endpoint (RFC 9700 section 4.4).
"""

from collections.abc import Iterable
from urllib.parse import quote


def callback_of(provider: str, providers: Iterable[str]) -> str | None:
    """Return the last part of a provider's redirect URI; None for the first one, which has none.

    A single provider keeps the address that it was registered with.
    """
    return None if provider == next(iter(providers), None) else provider


def redirect_uri(base: str, callback: str | None) -> str:
    """Return a whole redirect URI."""
    return base if callback is None else f"{base}/{quote(callback, safe='')}"
