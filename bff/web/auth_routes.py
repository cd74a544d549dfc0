"""The doors of sign-in: log in, come back, who am I, refresh, log out, and be told."""

import json
import logging
import queue
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue

from bff.errors import (
    BffError,
    IdentityProviderDownError,
    LogoutTokenError,
    RateLimitedError,
    RequestRefusedError,
    SignInDeniedError,
    SignInRequiredError,
    StepUpFailedError,
    StoreDownError,
    TransactionUnknownError,
)
from bff.ports import Entropy
from bff.signin.fingerprints import hashed
from bff.signin.households import household
from bff.signin.records import Attempt, BrowserSession, EndReason, Surface
from bff.signin.return_path import return_url
from bff.signin.session_news import Inbox
from bff.signin.sign_in import Answer, Wish
from bff.signin.transactions import TRANSACTION_LIFE
from bff.web import cookies, endings, own_site, problems
from bff.web.doorway import Services, services
from bff.web.parameters import form, json_body, json_text, query

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as BaseResponse

log = logging.getLogger(__name__)

bp = Blueprint("auth", __name__, url_prefix="/auth")

WINDOW: Final = timedelta(minutes=1)

FORGIVEN: Final = 3
"""Look-ups in a row that may fail before an event stream ends."""

_GOES_BACK: Final = (SignInDeniedError, StepUpFailedError, IdentityProviderDownError)
"""Failures after which the brand page goes on; all others stay on a page of ours."""


@bp.get("/login")
def login() -> ResponseReturnValue:
    """Send the browser to the provider. Only a navigation may: a fetch learns the address."""
    if "prefetch" in request.headers.get("Sec-Purpose", request.headers.get("Purpose", "")):
        return "", 204
    if request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
        raise SignInRequiredError("login was fetched instead of visited")
    here = services()
    page = own_site.begun_anew(here)
    if page is not None:
        # Not counted: the same visit comes again.
        return page
    _limit_sign_ins(here)
    browser = cookies.browser_secret(request) or here.entropy.token()
    wish = Wish(
        return_url=_return_url(here, query("return_to"), query("origin")),
        surface=_surface(query("surface")),
        provider=query("provider"),
        transaction=query("transaction"),
        prompt=query("prompt"),
        current=cookies.session_token(request),
    )
    response = _started(here, wish, browser)
    cookies.set_browser(response, browser, cross_site=here.site.cross_site)
    return response


def _started(here: Services, wish: Wish, browser: str) -> "BaseResponse":
    """Return the way to the provider; a page that waits learns if there is none."""
    try:
        return redirect(here.sign_in.start(wish, browser=browser), code=303)
    except TransactionUnknownError:
        raise
    except BffError as error:
        if wish.transaction is None:
            raise
        here.transactions.settle(wish.transaction, code=error.code)
        return endings.failed_beside(error)


@bp.get("/callback")
@bp.get("/callback/<name>")
def callback(name: str | None = None) -> ResponseReturnValue:
    """Take the provider's answer, and give the browser its session.

    The address says whose answer it is: every provider but the first has one of its own.
    """
    here = services()
    answer = Answer(code=query("code"), iss=query("iss"), error=query("error"), callback=name)
    attempt = here.sign_in.claim(query("state"), browser=cookies.browser_secret(request))
    try:
        done = here.sign_in.finish(attempt, answer)
    except BffError as error:
        return _failed(here, attempt, error)
    response = _on_the_way(here, attempt, done.session)
    cookies.set_session(response, done.token, cross_site=here.site.cross_site)
    return response


@bp.get("/signed-in")
def signed_in() -> ResponseReturnValue:
    """End a sign-in beside the page: the window closes itself, a frame is closed by its page."""
    key = query("transaction") or ""
    with suppress(TransactionUnknownError):
        services().transactions.confirm(key, browser=cookies.browser_secret(request))
    return render_template("signed_in.html", transaction=key)


@bp.get("/failed")
def failed() -> ResponseReturnValue:
    """Say in the window or frame beside the page why nobody was signed in."""
    return problems.beside(query("code"))


@bp.get("/session")
def session() -> ResponseReturnValue:
    """Say who this is and until when. Looking does not extend the session."""
    here = services()
    found = here.book.find(cookies.session_token(request))
    answer: dict[str, Any] = {
        "signed_in": found is not None,
        "login_url": problems.login_url(),
        "server_now_ms": int(here.clock.now().timestamp() * 1000),
    }
    if found is not None:
        answer |= _about(here, found)
        answer["expires_at"] = found.ends_at.isoformat()
    return jsonify(answer)


@bp.post("/refresh")
def refresh() -> ResponseReturnValue:
    """Keep this browser signed in. It learns until when; it never sees a token."""
    here = services()
    found = here.book.require(cookies.session_token(request))
    here.vault.confirm(found)
    return jsonify({"expires_at": found.ends_at.isoformat()})


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """Sign out here, and say where the provider wants the browser to go for its part."""
    here = services()
    body = json_body()
    target = _return_url(here, json_text(body, "return_to"), json_text(body, "origin"))
    url = here.sign_out.here(cookies.session_token(request), return_url=target)
    response = jsonify({"logout_url": url})
    cookies.drop_session(response, cross_site=here.site.cross_site)
    return response


@bp.get("/logged-out")
def logged_out() -> ResponseReturnValue:
    """Come back from the provider's logout, to the page that asked for it."""
    here = services()
    target = here.sign_out.return_url(query("state"))
    return redirect(target or here.site.allowed_origins[0] + "/", code=303)


@bp.post("/backchannel-logout")
@bp.post("/backchannel-logout/<name>", endpoint="backchannel_logout")
def backchannel_logout(name: str | None = None) -> ResponseReturnValue:
    """End what the provider says has ended (OIDC Back-Channel Logout 2.5 to 2.8)."""
    here = services()
    name = name or next(iter(here.providers))
    provider = here.providers.get(name)
    token = form("logout_token")
    if provider is None or not token:
        raise LogoutTokenError("no logout_token, or no such provider")
    here.sign_out.by_provider(name, provider.verify_logout_token(token))
    return "", 200


@bp.post("/transactions")
def open_transaction() -> ResponseReturnValue:
    """Prepare a sign-in in a window or frame beside the page, which waits on the id."""
    here = services()
    _limit_sign_ins(here)
    body = json_body()
    browser = cookies.browser_secret(request) or here.entropy.token()
    wish = Wish(
        return_url=_return_url(here, json_text(body, "return_to"), json_text(body, "origin")),
        surface=_surface(json_text(body, "surface") or Surface.POPUP.value, beside=True),
        provider=json_text(body, "provider"),
    )
    key = here.sign_in.open_transaction(wish, browser=browser)
    where = urlencode({"surface": wish.surface.value, "transaction": key})
    life = int(TRANSACTION_LIFE.total_seconds())
    response = jsonify({"id": key, "url": f"{problems.login_url()}?{where}", "expires_in": life})
    response.status_code = 201
    cookies.set_browser(response, browser, cross_site=here.site.cross_site)
    return response


@bp.get("/transactions/<key>")
def transaction(key: str) -> ResponseReturnValue:
    """Say how far a sign-in beside the page is."""
    known = services().transactions.look(key, browser=cookies.browser_secret(request))
    return jsonify({"status": known.status.value, "code": known.code})


@bp.get("/events")
def events() -> ResponseReturnValue:
    """Tell an open page when its session ends. 204 stops an EventSource for good."""
    here = services()
    found = here.book.find(cookies.session_token(request))
    if found is None:
        return "", 204
    with ExitStack() as until_sent:
        # Before the first byte: a store that is away is still a 503, not a broken stream.
        inbox = until_sent.enter_context(here.news.inbox(found.key))
        response = Response(_stream(here, found, inbox), mimetype="text/event-stream")
        response.call_on_close(until_sent.pop_all().close)
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _stream(here: Services, found: BrowserSession, inbox: Inbox) -> Iterator[str]:
    """Yield until the session ends. The page comes back by itself when the stream just stops."""
    yield "retry: 2000\n\n"
    try:
        # It may have ended between the look-up and the subscription.
        if here.book.look_up(found.key) is None:
            yield _event("session_ended", {"reason": EndReason.EXPIRED.value})
            return
    except StoreDownError as error:
        # It was there a moment ago, and the next look is not far.
        log.warning("an event stream goes on unseen: %s: %s", error.code, error.detail)
    yield _event("session", {"signed_in": True} | _about(here, found))
    try:
        yield from _news(here, found, inbox)
    except StoreDownError as error:
        log.warning("an event stream ends: %s: %s", error.code, error.detail)


def _news(here: Services, found: BrowserSession, inbox: Inbox) -> Iterator[str]:
    """Yield news, and signs of life while there are none.

    Look-ups that fail are forgiven, but not for ever. Raises StoreDownError.
    """
    missed = 0
    while True:
        try:
            ended = inbox.get(timeout=_spread(here.site.heartbeat, here.entropy).total_seconds())
        except queue.Empty:
            try:
                if here.book.look_up(found.key) is None:
                    yield _event("session_ended", {"reason": EndReason.EXPIRED.value})
                    return
                missed = 0
            except StoreDownError:
                missed += 1
                if missed > FORGIVEN:
                    raise
            yield ": still here\n\n"
            continue
        if ended is not None and ended.reason is not EndReason.REPLACED:
            yield _event("session_ended", {"reason": ended.reason.value})
        return


def _spread(heartbeat: timedelta, entropy: Entropy) -> timedelta:
    """Return a heartbeat's length or less, down to half: pages that came together look apart."""
    return heartbeat * (256 + entropy.bytes(1)[0]) / 512


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _about(here: Services, found: BrowserSession) -> dict[str, str]:
    return {
        "person": here.subjects.page_tag(found.person.pairwise),
        "name": found.person.name,
        "email": found.person.claims.get("email", ""),
    }


def _on_the_way(here: Services, attempt: Attempt, session: BrowserSession) -> "BaseResponse":
    """Return where the browser goes once somebody is signed in.

    In passthrough that is the provider again, for the code that Genesys redeems. Without it the
    person is signed in all the same: the page asks for a code by itself.
    """
    if here.passthrough is not None:
        try:
            return redirect(here.passthrough.chain(attempt, session), code=303)
        except BffError as error:
            problems.write_down(error)
    here.transactions.arrive(attempt.transaction)
    return endings.signed_in(attempt.surface, attempt.transaction, attempt.return_url)


def _failed(here: Services, attempt: Attempt, error: BffError) -> ResponseReturnValue:
    """Let the page go on without a session, and with a code that it has a sentence for."""
    here.transactions.settle(attempt.transaction, code=error.code)
    if attempt.surface is not Surface.REDIRECT:
        return endings.failed_beside(error)
    if not isinstance(error, _GOES_BACK):
        raise error
    return endings.back(attempt.return_url, error)


def _return_url(here: Services, path: str | None, origin: str | None) -> str:
    return return_url(path, origin=origin, allowed=here.site.allowed_origins)


def _surface(name: str | None, *, beside: bool = False) -> Surface:
    try:
        surface = Surface(name or Surface.REDIRECT.value)
    except ValueError as error:
        raise RequestRefusedError("unknown surface") from error
    if beside and surface is Surface.REDIRECT:
        raise RequestRefusedError("a redirect needs no transaction")
    return surface


def _limit_sign_ins(here: Services) -> None:
    address = hashed(household(request.remote_addr or ""))
    count = here.store.count(f"sign-ins:{address}", window=WINDOW)
    if count.value > here.site.sign_ins_per_minute:
        raise RateLimitedError("sign-ins of one address", retry_after=count.resets_in)
