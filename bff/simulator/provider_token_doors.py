"""The stand-in provider's back doors, for servers: discovery, keys, token, userinfo, revocation."""

import hmac
from typing import Any, Final
from urllib.parse import unquote_plus

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from bff.simulator.provider_core import Provider, this_provider
from bff.simulator.provider_faults import Fault
from bff.simulator.provider_grants import Issue
from bff.simulator.provider_problems import OAuthError
from bff.simulator.provider_settings import ACR_BY_STRENGTH, SCOPES, ProviderClient
from bff.simulator.provider_signing import ALGORITHM
from bff.simulator.provider_tokens import OTHER_ISSUER

doors = Blueprint("back", __name__)

_AUTH_METHODS: Final = ["client_secret_basic", "client_secret_post"]
_CLAIMS: Final = (
    *("sub", "sid", "auth_time", "acr", "name", "given_name", "family_name"),
    *("preferred_username", "email", "email_verified"),
)
_INNER_HOST: Final = "http://169.254.169.254"  # cloud machines keep their credentials there
_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@doors.get("/.well-known/openid-configuration")
def discovery() -> ResponseReturnValue:
    """Describe the provider (OpenID Connect Discovery 3)."""
    provider = this_provider()
    inner = provider.faults.take(Fault.DISCOVERY_INNER_HOSTS)
    other = provider.faults.take(Fault.DISCOVERY_ISSUER_WRONG)
    base = inner.text(_INNER_HOST).rstrip("/") if inner else provider.issuer
    issuer = other.text(OTHER_ISSUER) if other else provider.issuer
    return {"issuer": issuer, **_addresses(base, provider.issuer), **_abilities()}


def _addresses(base: str, front: str) -> dict[str, str]:
    return {
        # The browser's own ways stay right: only what a server dials can be misled (SSRF).
        "authorization_endpoint": f"{front}/authorize",
        "end_session_endpoint": f"{front}/end-session",
        "token_endpoint": f"{base}/token",
        "userinfo_endpoint": f"{base}/userinfo",
        "jwks_uri": f"{base}/jwks",
        "revocation_endpoint": f"{base}/revoke",
    }


def _abilities() -> dict[str, Any]:
    return {
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": _AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": _AUTH_METHODS,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "prompt_values_supported": ["none", "login", "select_account"],
        "acr_values_supported": list(ACR_BY_STRENGTH),
        "claims_supported": list(_CLAIMS),
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }


@doors.get("/jwks")
def jwks() -> ResponseReturnValue:
    """Publish the keys that verify our signatures."""
    return this_provider().keys.published()


@doors.post("/token")
def token() -> ResponseReturnValue:
    """Redeem a code or a refresh token (OIDC Core 3.1.3, 12)."""
    provider = this_provider()
    _refuse_repetitions()
    client = _authenticated_client(provider)
    if provider.faults.take(Fault.INVALID_GRANT):
        provider.tally.add("grants_refused")
        raise OAuthError("invalid_grant", "the stand-in was told to say so")
    grant_type = _required("grant_type")
    try:
        if grant_type == "authorization_code":
            return _code_redeemed(provider, client)
        if grant_type == "refresh_token":
            return _refreshed(provider, client)
    except OAuthError as error:
        provider.tally.add("refreshes_refused" if "refresh" in grant_type else "codes_refused")
        raise OAuthError(error.error, error.description) from error
    raise OAuthError("unsupported_grant_type", grant_type)


@doors.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> ResponseReturnValue:
    """Tell what the access token's scopes allow (OIDC Core 5.3)."""
    provider = this_provider()
    authorization = request.authorization
    bearer = authorization.token if authorization and authorization.type == "bearer" else None
    grant = provider.grants.of_access_token(bearer or "")
    if grant is None:
        header = {"WWW-Authenticate": 'Bearer error="invalid_token"', **_NO_STORE}
        return {"error": "invalid_token"}, 401, header
    other = provider.faults.take(Fault.USERINFO_SUBJECT_OTHER)
    subject = other.text("c-somebody-else") if other else grant.person.subject
    return {"sub": subject, **grant.person.claims(grant.scopes)}, 200, _NO_STORE


@doors.post("/revoke")
def revoke() -> ResponseReturnValue:
    """Revoke a token (RFC 7009). An unknown one is as good as revoked: 200."""
    provider = this_provider()
    _refuse_repetitions()
    client = _authenticated_client(provider)
    if provider.grants.revoke(_required("token"), client_id=client.client_id):
        provider.tally.add("tokens_revoked")
    return "", 200


def _code_redeemed(provider: Provider, client: ProviderClient) -> ResponseReturnValue:
    issue = provider.grants.redeem_code(
        _required("code"),
        client_id=client.client_id,
        redirect_uri=_required("redirect_uri"),
        verifier=_required("code_verifier"),
        with_refresh=client.gets_refresh_tokens,
    )
    provider.tally.add("codes_redeemed")
    return _tokens(provider, client, issue, with_id_token=True)


def _refreshed(provider: Provider, client: ProviderClient) -> ResponseReturnValue:
    issue = provider.grants.redeem_refresh(
        _required("refresh_token"),
        client_id=client.client_id,
        scopes=tuple(request.form.get("scope", "").split()),
    )
    provider.tally.add("refreshes_redeemed")
    with_id_token = provider.settings.id_token_on_refresh
    return _tokens(provider, client, issue, with_id_token=with_id_token)


def _tokens(
    provider: Provider, client: ProviderClient, issue: Issue, *, with_id_token: bool
) -> ResponseReturnValue:
    answer: dict[str, Any] = {
        "access_token": issue.access_token,
        "token_type": "Bearer",
        "expires_in": int(issue.expires_in.total_seconds()),
        "scope": " ".join(issue.grant.scopes),
    }
    if issue.refresh_token is not None:
        answer["refresh_token"] = issue.refresh_token
    if with_id_token:
        id_token = provider.press.id_token(issue.grant, client, issuer=provider.issuer)
        answer |= {"id_token": id_token} if id_token is not None else {}
    return answer, 200, _NO_STORE


def _required(name: str) -> str:
    value = request.form.get(name, "")
    if not value:
        raise OAuthError("invalid_request", f"{name} is missing")
    return value


def _refuse_repetitions() -> None:
    if any(len(request.form.getlist(name)) > 1 for name in request.form):
        raise OAuthError("invalid_request", "a parameter is repeated")


def _authenticated_client(provider: Provider) -> ProviderClient:
    basic = request.authorization
    posted_secret = request.form.get("client_secret")
    if basic is not None and posted_secret is not None:
        # RFC 6749 2.3: one method in each request.
        raise OAuthError("invalid_request", "two ways of client authentication")
    if basic is not None and basic.type == "basic":
        client_id = unquote_plus(basic.username or "")
        secret = unquote_plus(basic.password or "")
    else:
        client_id, secret = request.form.get("client_id", ""), posted_secret or ""
    client = provider.client(client_id)
    known = client.client_secret if client else ""
    if client is None or not hmac.compare_digest(known.encode(), secret.encode()):
        raise OAuthError("invalid_client", "client id or secret is wrong", status=401)
    return client
