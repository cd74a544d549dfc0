"""The cookies: the session, the browser that started a sign-in, and a recording."""

from datetime import timedelta
from typing import Final

from flask import Request, has_request_context, request
from werkzeug.wrappers import Response

from bff.errors import CookieTossedError
from bff.inspector.recordings import id_of
from bff.signin.cookie_header import SESSION_COOKIE, only_cookie
from bff.signin.fingerprints import TOKEN_CHARS
from bff.signin.records import SessionToken
from bff.signin.transactions import AFTERLIFE, TRANSACTION_LIFE

SESSION: Final = SESSION_COOKIE
BROWSER: Final = "__Host-bff-browser"
RECORDING: Final = "__Host-bff-inspector"


def session_token(request: Request) -> SessionToken | None:
    """Return the session cookie. Raises CookieTossedError if there is more than one."""
    value = _only(request, SESSION)
    return None if value is None else SessionToken(value)


def browser_secret(request: Request) -> str | None:
    """Return what ties a sign-in to this browser, if it has it and it is of our making."""
    value = _only(request, BROWSER)
    return value if value is not None and len(value) == TOKEN_CHARS else None


def set_session(response: Response, token: SessionToken, *, cross_site: bool) -> None:
    """Give the browser its session; gone with the browser, never readable by script."""
    _set(response, SESSION, token, same_site="None" if cross_site else "Strict")


def drop_session(response: Response, *, cross_site: bool) -> None:
    """Take the session cookie away."""
    same_site = "None" if cross_site else "Strict"
    _set(response, SESSION, "", same_site=same_site, life=timedelta(0))


def set_browser(response: Response, secret: str, *, cross_site: bool) -> None:
    """Tie sign-ins to this browser.

    Lax, because the provider's redirect back is a navigation from another site, with which a
    Strict cookie does not travel.
    """
    same_site = "None" if cross_site else "Lax"
    _set(response, BROWSER, secret, same_site=same_site, life=TRANSACTION_LIFE + AFTERLIFE)


def asking_recording() -> str | None:
    """Return which recording the request at hand belongs to; None if to none."""
    try:
        secret = _only(request, RECORDING) if has_request_context() else None
    except CookieTossedError:
        # Whoever planted one sees nothing: who is recorded is no matter of theirs.
        return None
    return id_of(secret) if secret is not None and len(secret) == TOKEN_CHARS else None


def set_recording(response: Response, secret: str, *, life: timedelta, cross_site: bool) -> None:
    """Mark this browser as recorded. Lax: a sign-in comes back from another site."""
    _set(response, RECORDING, secret, same_site="None" if cross_site else "Lax", life=life)


def drop_recording(response: Response, *, cross_site: bool) -> None:
    """Record this browser no longer."""
    same_site = "None" if cross_site else "Lax"
    _set(response, RECORDING, "", same_site=same_site, life=timedelta(0))


def _set(
    response: Response,
    name: str,
    value: str,
    *,
    same_site: str,
    life: timedelta | None = None,
) -> None:
    # `__Host-` makes browsers refuse it without Secure, with Domain, or on another path, so a
    # sibling subdomain cannot plant one (RFC 6265bis section 4.1.3.2).
    response.set_cookie(
        name,
        value,
        max_age=life,
        path="/",
        secure=True,
        httponly=True,
        samesite=same_site,
        partitioned=same_site == "None",
    )


def _only(request: Request, name: str) -> str | None:
    return only_cookie(request.headers.get("Cookie", ""), name)
