"""The stand-in provider's two cookies: who is signed on, and which browser a page was made for."""

from typing import Final

from flask import make_response, request
from flask.typing import ResponseReturnValue
from werkzeug import Response

from bff.simulator.provider_core import this_provider
from bff.simulator.provider_sessions import OpenPage, SignOn

SIGN_ON_COOKIE: Final = "provider_session"
BROWSER_COOKIE: Final = "provider_browser"


def _set(response: Response, name: str, value: str) -> Response:
    # Lax: redirects from other sites carry it, their POSTs and frames do not. Not `Secure`,
    # for the stand-in is served in plain HTTP on loopback, also to clients that are no browser.
    response.set_cookie(name, value, httponly=True, samesite="Lax", path="/")
    return response


def current_sign_on() -> SignOn | None:
    """Return who is signed on in this browser."""
    return this_provider().sign_ons.of_cookie(request.cookies.get(SIGN_ON_COOKIE))


def remember_sign_on(response: ResponseReturnValue, sign_on: SignOn) -> Response:
    """Give the browser its sign-on."""
    return _set(make_response(response), SIGN_ON_COOKIE, sign_on.cookie)


def forget_sign_on(response: ResponseReturnValue) -> Response:
    """Take the sign-on from the browser."""
    answer = make_response(response)
    answer.delete_cookie(SIGN_ON_COOKIE, httponly=True, samesite="Lax", path="/")
    return answer


def browser_cookie() -> str | None:
    """Return the mark of this browser."""
    return request.cookies.get(BROWSER_COOKIE)


def mark_browser(response: ResponseReturnValue, page: OpenPage) -> Response:
    """Bind an open page to this browser."""
    return _set(make_response(response), BROWSER_COOKIE, page.browser)
