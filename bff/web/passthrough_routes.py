"""The doors of passthrough: a frame goes out for a code, comes back, and the page fetches it."""

import logging
from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue

from bff.errors import BffError, SignInRequiredError
from bff.signin.passthrough import Passthrough
from bff.signin.passthrough_records import Errand, WaitingCode
from bff.signin.records import BrowserSession, Surface
from bff.signin.sign_in import Answer, Wish
from bff.web import cookies, endings
from bff.web.doorway import Services, services
from bff.web.parameters import json_body, json_text, query

if TYPE_CHECKING:
    from flask import Response

log = logging.getLogger(__name__)

bp = Blueprint("passthrough", __name__, url_prefix="/messenger")


@bp.get("/authorize")
def authorize() -> ResponseReturnValue:
    """Send a hidden frame to the provider for Genesys' next code. Nobody is asked anything."""
    if request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
        raise SignInRequiredError("authorize was fetched instead of visited")
    passthrough = _passthrough(services())
    browser = cookies.browser_secret(request)
    try:
        url = passthrough.visit(query("transaction") or "", browser=browser)
    except BffError as error:
        return endings.of_frame(error)
    return redirect(url, code=303)


@bp.get("/callback")
@bp.get("/callback/<name>")
def callback(name: str | None = None) -> ResponseReturnValue:
    """Keep the provider's code for the page, and leave the address that it came in at once."""
    here = services()
    passthrough = _passthrough(here)
    answer = Answer(code=query("code"), iss=query("iss"), error=query("error"), callback=name)
    browser = cookies.browser_secret(request)
    errand = passthrough.claim(query("state"), browser=browser)
    try:
        again = passthrough.finish(errand, answer)
        if isinstance(again, Wish):
            again = here.sign_in.start(again, browser=browser or "")
    except BffError as error:
        passthrough.fail(errand, error)
        return _failed(errand, error)
    if again is not None:
        response = redirect(again, code=303)
        # Somebody may need their time for it again.
        cookies.set_browser(response, browser or "", cross_site=here.site.cross_site)
        return response
    if errand.silent:
        return endings.of_frame()
    return endings.signed_in(errand.surface, errand.transaction, errand.return_url)


@bp.get("/silent")
def silent() -> ResponseReturnValue:
    """Show nothing: the last page of a hidden frame."""
    return render_template("silent.html")


def hand_out(here: Services, passthrough: Passthrough, session: BrowserSession) -> "Response":
    """Answer the page with a code if one waits, else with where a frame gets the next."""
    body = json_body()
    if body.get("forceUpdate") is True:
        passthrough.drop(session)
    browser = cookies.browser_secret(request)
    transaction = json_text(body, "transaction")
    if transaction is not None:
        return jsonify(_spelled(here, passthrough.fetched(session, transaction, browser=browser)))
    code = passthrough.waiting(session)
    if code is not None:
        return jsonify(_spelled(here, code))
    browser = browser or here.entropy.token()
    channel = passthrough.open_channel(session, browser=browser)
    life = int(channel.life.total_seconds())
    front = {"id": channel.key, "url": channel.url, "expires_in": life}
    response = jsonify({"front_channel": front})
    response.status_code = 202
    cookies.set_browser(response, browser, cross_site=here.site.cross_site)
    return response


def _spelled(here: Services, code: WaitingCode) -> dict[str, Any]:
    """Return a code under the names that Messenger's bus has for them."""
    told: dict[str, Any] = {
        "authCode": code.auth_code,
        "redirectUri": code.redirect_uri,
        "codeVerifier": code.code_verifier,
        "nonce": code.nonce,
        "iss": code.iss,
        "maxAge": code.max_age,
        "expiresIn": int((code.ends_at - here.clock.now()).total_seconds()),
    }
    return {name: value for name, value in told.items() if value is not None}


def _failed(errand: Errand, error: BffError) -> ResponseReturnValue:
    if errand.silent:
        return endings.of_frame(error)
    if errand.surface is Surface.REDIRECT:
        return endings.back(errand.return_url, error)
    return endings.failed_beside(error)


def _passthrough(here: Services) -> Passthrough:
    if here.passthrough is None:
        raise SignInRequiredError("passthrough is off")
    return here.passthrough
