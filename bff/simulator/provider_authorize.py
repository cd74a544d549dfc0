"""The stand-in provider's authorization door: who may be sent on, who must sign in first."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from bff.simulator.provider_cookies import browser_cookie, current_sign_on, mark_browser
from bff.simulator.provider_core import Provider, this_provider
from bff.simulator.provider_faults import Fault
from bff.simulator.provider_grants import Grant
from bff.simulator.provider_problems import LostVisitorError, OAuthError
from bff.simulator.provider_sessions import AuthorizationWish, SignOn
from bff.simulator.provider_settings import ACR_BY_STRENGTH, SCOPES, ProviderClient
from bff.simulator.provider_tokens import OTHER_ISSUER

doors = Blueprint("authorize", __name__)

_CHALLENGE_LENGTH: Final = 43  # base64url of a SHA-256 digest


@doors.route("/authorize", methods=["GET", "POST"])
def authorize() -> ResponseReturnValue:
    """Answer an authorization request (OIDC Core 3.1.2)."""
    provider = this_provider()
    parameters = request.form if request.method == "POST" else request.args
    client, redirect_uri = _trusted_return(provider, parameters)
    try:
        _refuse_if_told(provider)
        wish = _read(provider, parameters, client, redirect_uri)
        target = _answer_without_a_page(provider, wish)
    except OAuthError as error:
        return redirect(error_answer(provider, redirect_uri, error, parameters.get("state")))
    if target is not None:
        return redirect(target)
    page = provider.sign_ons.open_page(wish, browser=browser_cookie())
    return mark_browser(redirect(url_for("sign_in.sign_in", page_id=page.page_id)), page)


def _refuse_if_told(provider: Provider) -> None:
    planted = provider.faults.take(Fault.AUTHORIZE_ERROR)
    if planted is not None:
        raise OAuthError(planted.text("access_denied"), "the stand-in was told to say so")


def _answer_without_a_page(provider: Provider, wish: AuthorizationWish) -> str | None:
    sign_on = current_sign_on()
    if sign_on is not None and _satisfies(provider, sign_on, wish):
        return code_answer(provider, sign_on, wish)
    if "none" in wish.prompts:
        raise OAuthError("login_required", "nobody who fits is signed in here")
    return None


def code_answer(provider: Provider, sign_on: SignOn, wish: AuthorizationWish) -> str:
    """Return where the browser goes with its code."""
    provider.sign_ons.joined(sign_on, wish.client_id)
    grant = Grant(
        client_id=wish.client_id,
        person=sign_on.person,
        scopes=wish.scopes,
        sid=sign_on.sid,
        auth_time=sign_on.auth_time,
        acr=sign_on.acr,
        nonce=wish.nonce,
    )
    code = provider.grants.issue_code(
        grant, redirect_uri=wish.redirect_uri, challenge=wish.code_challenge
    )
    provider.tally.add("codes_issued")
    return _answer(provider, wish.redirect_uri, {"code": code}, wish.state)


def error_answer(
    provider: Provider, redirect_uri: str, error: OAuthError, state: str | None
) -> str:
    """Return where the browser goes with an error (RFC 6749 4.1.2.1)."""
    provider.tally.add(f"authorize_{error.error}")
    fields = {"error": error.error, "error_description": error.description}
    return _answer(provider, redirect_uri, fields, state)


def _answer(
    provider: Provider, redirect_uri: str, fields: Mapping[str, str], state: str | None
) -> str:
    answer = dict(fields)
    if state is not None and not provider.faults.take(Fault.STATE_MISSING):
        wrong = provider.faults.take(Fault.STATE_WRONG)
        answer["state"] = "a-state-nobody-sent" if wrong else state
    if not provider.faults.take(Fault.RESPONSE_ISSUER_MISSING):
        # RFC 9207: on errors as well.
        other = provider.faults.take(Fault.RESPONSE_ISSUER_WRONG)
        answer["iss"] = other.text(OTHER_ISSUER) if other else provider.issuer
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(answer)}"


def _trusted_return(
    provider: Provider, parameters: MultiDict[str, str]
) -> tuple[ProviderClient, str]:
    """Nobody is redirected before both are known to belong together (RFC 9700 4.11)."""
    for name in ("client_id", "redirect_uri"):
        if len(parameters.getlist(name)) != 1:
            raise LostVisitorError(f"The request must name exactly one {name}.")
    client = provider.client(parameters["client_id"])
    if client is None:
        raise LostVisitorError("The app that sent you here is not registered.")
    if parameters["redirect_uri"] not in client.redirect_uris:
        raise LostVisitorError("The address to return to is not registered for this app.")
    return client, parameters["redirect_uri"]


def _read(
    provider: Provider,
    parameters: MultiDict[str, str],
    client: ProviderClient,
    redirect_uri: str,
) -> AuthorizationWish:
    _refuse_what_we_do_not_speak(parameters)
    scopes = tuple(scope for scope in parameters.get("scope", "").split() if scope in SCOPES)
    if "openid" not in scopes:
        raise OAuthError("invalid_scope", "openid is missing")
    prompts = frozenset(parameters.get("prompt", "").split())
    if "none" in prompts and len(prompts) > 1:
        raise OAuthError("invalid_request", "prompt=none stands alone")
    return AuthorizationWish(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        scopes=scopes,
        code_challenge=parameters["code_challenge"],
        state=parameters.get("state"),
        nonce=parameters.get("nonce"),
        prompts=prompts,
        max_age=_max_age(parameters),
        acr=_acr(parameters),
        login_hint=parameters.get("login_hint", ""),
        hinted_subject=_hinted_subject(provider, parameters),
    )


def _refuse_what_we_do_not_speak(parameters: MultiDict[str, str]) -> None:
    # RFC 6749 3.1: no parameter twice. Two values are two readers who disagree.
    repeated = [name for name in parameters if len(parameters.getlist(name)) > 1]
    if repeated:
        raise OAuthError("invalid_request", f"repeated: {', '.join(sorted(repeated))}")
    for name in ("request", "request_uri"):
        if name in parameters:
            raise OAuthError(f"{name}_not_supported", "send plain parameters")
    if parameters.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "only code is spoken here")
    if parameters.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "only response_mode=query is spoken here")
    # RFC 7636 4.3: a missing method would mean plain, which protects nobody.
    if parameters.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "code_challenge_method must be S256")
    if len(parameters.get("code_challenge", "")) != _CHALLENGE_LENGTH:
        raise OAuthError("invalid_request", "code_challenge is missing or malformed")


def _max_age(parameters: MultiDict[str, str]) -> timedelta | None:
    given = parameters.get("max_age")
    if given is None:
        return None
    if not (given.isascii() and given.isdigit()):
        raise OAuthError("invalid_request", "max_age is not a number of seconds")
    return timedelta(seconds=int(given))


def _acr(parameters: MultiDict[str, str]) -> str | None:
    """The first one we can do; unknown ones are wishes we may ignore (OIDC Core 3.1.2.1)."""
    asked = parameters.get("acr_values", "").split()
    return next((acr for acr in asked if acr in ACR_BY_STRENGTH), None)


def _hinted_subject(provider: Provider, parameters: MultiDict[str, str]) -> str | None:
    hint = parameters.get("id_token_hint")
    if hint is None:
        return None
    claims = provider.keys.read(hint)
    if claims is None:
        raise OAuthError("invalid_request", "id_token_hint is not ours")
    return str(claims["sub"])


def _satisfies(provider: Provider, sign_on: SignOn, wish: AuthorizationWish) -> bool:
    if wish.prompts & {"login", "select_account"}:
        return False
    if wish.hinted_subject not in (None, sign_on.person.subject):
        return False
    age = provider.clock.now() - sign_on.auth_time
    if wish.max_age is not None and age > wish.max_age:
        return False
    strength = ACR_BY_STRENGTH.index
    return wish.acr is None or strength(sign_on.acr) >= strength(wish.acr)
