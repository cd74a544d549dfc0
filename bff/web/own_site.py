"""Lets a navigation from another site begin anew on ours, so that our Strict cookie comes along."""

from typing import Final
from urllib.parse import quote

from flask import Response, make_response, render_template, request

from bff.signin.fingerprints import hashed
from bff.web import cookies
from bff.web.doorway import Services

MARK: Final = "from_here"
_MARK_CHARS: Final = 22
_KEPT: Final = "".join(map(chr, range(0x21, 0x7F))).translate({ord(c): None for c in '"<>`\\^{}|'})
"""What a query keeps as it came; the rest is spelled with `%`, as browsers do it themselves."""


def begun_anew(here: Services) -> Response | None:
    """Return a page that leads here once more from our own site; None if there is no need.

    A browser that comes by a link on another site leaves `SameSite=Strict` cookies at home: the
    session that it has would not be known, and not be ended by whoever signs in now. What our own
    page leads to is no visit from another site any more. It leads here once: the mark says so,
    and only we know which mark this browser has. Whoever invents one is shown the page without
    its haste, from where a click goes on.
    """
    if not _lacks_our_cookie(here):
        return None
    known = cookies.browser_secret(request)
    given = request.args.get(MARK)
    if known is not None and given == _mark(known):
        return None
    browser = known or here.entropy.token()
    onward = f"{here.site.public_url}{request.path}?{_query_with(_mark(browser))}"
    page = render_template("one_moment.html", onward=onward, at_once=given is None)
    response = make_response(page)
    cookies.set_browser(response, browser, cross_site=here.site.cross_site)
    return response


def _lacks_our_cookie(here: Services) -> bool:
    """Say whether the session cookie may exist and have been kept back.

    In a frame of another site it would be kept back the second time as well.
    """
    return (
        not here.site.cross_site
        and request.headers.get("Sec-Fetch-Site") == "cross-site"
        and request.headers.get("Sec-Fetch-Dest", "document") == "document"
        and cookies.session_token(request) is None
    )


def _mark(browser: str) -> str:
    return hashed("begun anew", browser)[:_MARK_CHARS]


def _query_with(mark: str) -> str:
    """Return the query as it came, with our mark instead of any other."""
    parts = quote(request.query_string, safe=_KEPT).split("&")
    kept = [part for part in parts if part and part.partition("=")[0] != MARK]
    return "&".join([*kept, f"{MARK}={mark}"])
