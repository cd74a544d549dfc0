"""The doors of the broker: an OpenID Provider under `/op`, for Genesys and any careful client."""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from bff.errors import (
    BffError,
    IdentityProviderDownError,
    OriginRefusedError,
    ProviderAnswerError,
    RequestRefusedError,
    SignInRequiredError,
    StoreDownError,
)
from bff.signin.records import EndReason, SessionKey
from bff.web import cookies, problems
from bff.web.authorization_checks import Visitor
from bff.web.broker_discovery import metadata
from bff.web.doorway import Services, services
from bff.web.parameters import form, query
from bff.web.provider_server import provider_server

bp = Blueprint("provider", __name__)

DOCUMENT_LIFE: Final = timedelta(minutes=5)
KEYS_LIFE: Final = timedelta(minutes=1)
"""Short: a client that meets an unknown `kid` looks again and must not get an old answer."""

_AWAY: Final = (IdentityProviderDownError, ProviderAnswerError, StoreDownError)


@bp.get("/op/.well-known/openid-configuration")
@bp.get("/.well-known/oauth-authorization-server/op", endpoint="authorization_server")
def discovery() -> ResponseReturnValue:
    """Describe the provider. RFC 8414 puts the well-known part before the issuer's path."""
    return _public(metadata(services().broker.issuer), DOCUMENT_LIFE)


@bp.get("/op/jwks")
def jwks() -> ResponseReturnValue:
    """Publish the keys that verify our signatures, the next one included."""
    return _public(services().signing_keys.published(), KEYS_LIFE)


@bp.get("/op/authorize")
def authorize() -> ResponseReturnValue:
    """Send a browser that has a session back with a code (OIDC Core 3.1.2).

    The session cookie is `SameSite=Strict`: a browser sent here from another site comes without
    it and goes back with `login_required`. Messenger's codes do not come from here; this door is
    for clients that start on our own site.
    """
    here = services()
    if _repeats(request.args):
        raise RequestRefusedError("a parameter comes more than once")
    client = here.broker.client
    # A stranger's redirect URI is never followed, not even with an error (RFC 6749 4.1.2.1).
    if query("client_id") != client.client_id or query("redirect_uri") != client.redirect_uri:
        raise RequestRefusedError("client_id or redirect_uri is not registered")
    server = provider_server()
    if query("response_type") != "code":
        return server.refused_authorization(OAuth2Error(error="unsupported_response_type"))
    try:
        return server.answer_authorization(_visitor(here))
    except _AWAY as error:
        problems.write_down(error)
        return server.refused_authorization(OAuth2Error(error="temporarily_unavailable"))


@bp.post("/op/token")
def token() -> ResponseReturnValue:
    """Redeem a code or a refresh token (RFC 6749 sections 4.1.3 and 6)."""
    return _back_channel(provider_server().create_token_response)


@bp.post("/op/revoke")
def revoke() -> ResponseReturnValue:
    """Revoke a token (RFC 7009)."""
    return _back_channel(lambda: provider_server().create_endpoint_response("revocation"))


@bp.route("/op/userinfo", methods=["GET", "POST"])
def userinfo() -> ResponseReturnValue:
    """Tell who the bearer of an access token speaks for (OIDC Core 5.3). Header only."""
    header = request.authorization
    bearer = header.token if header is not None and header.type == "bearer" else None
    claims = services().broker.identify(bearer)
    if claims is None:
        response = make_response("", 401)
        # RFC 6750 section 3.1: no error code where no token was shown.
        challenge = 'Bearer error="invalid_token"' if bearer else "Bearer"
        response.headers["WWW-Authenticate"] = challenge
        return response
    return jsonify(claims)


@bp.route("/op/logout", methods=["GET", "POST"])
def logout() -> ResponseReturnValue:
    """End a session on a client's word, or ask the person (OIDC RP-Initiated Logout 1.0)."""
    here = services()
    given = form if request.method == "POST" else query
    if given("confirmed"):
        return _signed_out_by_hand(here)
    if given("client_id") not in {None, here.broker.client.client_id}:
        raise RequestRefusedError("unknown client_id")
    hint = here.broker.logout_hint(given("id_token_hint") or "")
    if hint is None:
        # Section 6: without a valid hint anybody could sign people out.
        return _logout_page(done=False)
    if hint.session_key is not None:
        here.sign_out.revoke(SessionKey(hint.session_key), EndReason.SIGNED_OUT)
    target = given("post_logout_redirect_uri")
    if target in here.broker.client.post_logout_redirect_uris:
        return redirect(_with_state(str(target), given("state")), code=303)
    return _logout_page(done=True)


def _signed_out_by_hand(here: Services) -> Response:
    """Do what our own confirmation page asked for."""
    if request.method != "POST" or request.headers.get("Origin") != here.site.public_url:
        raise OriginRefusedError("a confirmation from elsewhere")
    home = here.site.allowed_origins[0] + "/"
    url = here.sign_out.here(cookies.session_token(request), return_url=home)
    response = _logout_page(done=True, provider_url=url)
    cookies.drop_session(response, cross_site=here.site.cross_site)
    return response


def _logout_page(*, done: bool, provider_url: str | None = None) -> Response:
    home = services().site.allowed_origins[0] + "/"
    html = render_template("confirm_logout.html", done=done, home=home, provider_url=provider_url)
    response = make_response(html)
    # Under `no-referrer` a form's Origin is "null", and the confirmation would not be believed.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def _visitor(here: Services) -> Visitor | None:
    session = here.book.find(cookies.session_token(request))
    if session is None:
        return None
    try:
        return Visitor(session_key=session.key, principal=here.broker.vouch(session.key))
    except SignInRequiredError:
        return None


def _back_channel(answer: Callable[[], Response]) -> Response:
    """Answer a server's POST. Its parameters come once, and in the body only.

    A secret or a code in a URL ends up in logs; one that comes twice may be read as another by
    somebody in between (RFC 6749 sections 2.3.1 and 3.2).
    """
    if request.query_string or _repeats(request.form):
        return _oauth_error("invalid_request", 400)
    return answer()


def _repeats(given: MultiDict[str, str]) -> bool:
    return any(len(given.getlist(name)) > 1 for name in given)


def _with_state(url: str, state: str | None) -> str:
    if state is None:
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode({'state': state})}"


def _public(document: dict[str, Any], life: timedelta) -> Response:
    response = jsonify(document)
    response.headers["Cache-Control"] = f"public, max-age={int(life.total_seconds())}"
    return response


def _oauth_error(code: str, status: int) -> Response:
    response = jsonify({"error": code})
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def _away(error: BffError) -> Response:
    """Say that nothing was refused and nothing is spent: the same request may come again."""
    problems.write_down(error)
    response = _oauth_error("temporarily_unavailable", 503)
    wait = error.retry_after or problems.RETRY_AFTER
    response.headers["Retry-After"] = str(max(1, math.ceil(wait.total_seconds())))
    return response


for _kind in _AWAY:
    bp.register_error_handler(_kind, _away)
