"""The platform's REST doors: exchange, refresh, revoke, history."""

import uuid
from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from bff.simulator.genesys_errors import PlatformRefusal
from bff.simulator.genesys_faults import Door
from bff.simulator.genesys_relying_party import AuthData
from bff.simulator.genesys_state import GenesysState, genesys_of

MIN_VERIFIER: Final = 43
MAX_VERIFIER: Final = 128
DEFAULT_PAGE_SIZE: Final = 25
NOTHING_FOUND: Final = 404

platform = Blueprint("genesys_platform", __name__)


def _state() -> GenesysState:
    return genesys_of(current_app)


@platform.errorhandler(PlatformRefusal)
def refused(refusal: PlatformRefusal) -> ResponseReturnValue:
    """Spell a refusal as an ErrorBody."""
    context_id = str(uuid.UUID(bytes=_state().entropy.bytes(16), version=4))
    return refusal.body(context_id), refusal.status, refusal.headers()


@platform.post("/api/v2/webdeployments/token/oauthcodegrantjwtexchange")
def exchange() -> ResponseReturnValue:
    """Turn the brand's code into a JWT. An Authorization header is ignored (section 5)."""
    state = _state()
    body = json_body()
    _check_deployment(body, state)
    state.faults.strike(Door.EXCHANGE)
    pair = state.desk.exchange(_auth_data(body.get("oauth")))
    answer = {"jwt": pair.jwt}
    if pair.refresh_token is not None:
        answer["refreshToken"] = pair.refresh_token
    return jsonify(answer)


@platform.post("/api/v2/webdeployments/token/refresh")
def refresh() -> ResponseReturnValue:
    """Give a JWT for a refresh token, which stays as it is. `deploymentId` may be left out."""
    state = _state()
    body = json_body()
    if "deploymentId" in body:
        _check_deployment(body, state)
    state.faults.strike(Door.REFRESH)
    refresh_token = body.get("refreshToken")
    if not isinstance(refresh_token, str) or not refresh_token:
        raise PlatformRefusal(400, "refreshToken is missing.")
    return jsonify(jwt=state.desk.refresh(refresh_token))


@platform.delete("/api/v2/webdeployments/token/revoke")
def revoke() -> ResponseReturnValue:
    """Log out everywhere: needs a JWT that still lives."""
    state = _state()
    state.faults.strike(Door.REVOKE)
    identity = state.desk.revoke(bearer())
    state.log_out(identity.subject)
    return Response(status=204)


@platform.get("/api/v2/webmessaging/messages")
def history() -> ResponseReturnValue:
    """Page through one conversation, newest first."""
    state = _state()
    state.faults.strike(Door.HISTORY)
    session_id = state.desk.session_of(bearer())
    with state.lock:
        wait = state.messaging.admit_history(session_id)
        messages = state.messaging.history(session_id)
    if wait is not None:
        raise PlatformRefusal(429, "Rate limit exceeded.", retry_after=wait)
    if messages is None:
        raise PlatformRefusal(NOTHING_FOUND, "The session is not there any more.")
    return jsonify(page_of(messages))


def page_of(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the page that was asked for, as the platform spells pages."""
    size = _positive("pageSize", DEFAULT_PAGE_SIZE)
    number = _positive("pageNumber", 1)
    return {
        "entities": messages[(number - 1) * size : number * size],
        "pageSize": size,
        "pageNumber": number,
        "total": len(messages),
        "pageCount": -(-len(messages) // size),
    }


def _positive(name: str, default: int) -> int:
    value = request.args.get(name, str(default))
    if not value.isdecimal() or int(value) < 1:
        raise PlatformRefusal(400, f"{name} is not a positive number.", code="invalid.value")
    return int(value)


def json_body() -> dict[str, Any]:
    """Return the JSON object that was sent. Raises PlatformRefusal."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise PlatformRefusal(400, "The body is not a JSON object.")
    return body


def _check_deployment(body: Mapping[str, Any], state: GenesysState) -> None:
    if body.get("deploymentId") != state.settings.deployment_id:
        raise PlatformRefusal(400, "The deployment is not known.", code="invalid.value")
    if not state.settings.auth_enabled:
        raise PlatformRefusal(403, "Authentication is not enabled for this deployment.")


def bearer() -> str:
    """Return the token of the Authorization header. Raises PlatformRefusal."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise PlatformRefusal(401, "No authentication bearer token specified in request header.")
    return token


def _auth_data(raw: Any) -> AuthData:
    if not isinstance(raw, dict):
        raise PlatformRefusal(400, "oauth is missing.")
    data = AuthData(
        code=_text(raw, "code"),
        id_token=_text(raw, "idToken"),
        redirect_uri=_text(raw, "redirectUri"),
        code_verifier=_text(raw, "codeVerifier"),
        nonce=_text(raw, "nonce"),
        max_age=_whole_number(raw, "maxAge"),
        iss=_text(raw, "iss"),
    )
    if (data.code is None) == (data.id_token is None):
        raise PlatformRefusal(400, "Exactly one of code and idToken is needed.")
    if data.code is not None and data.redirect_uri is None:
        raise PlatformRefusal(400, "redirectUri is missing.")
    verifier = data.code_verifier
    if verifier is not None and not MIN_VERIFIER <= len(verifier) <= MAX_VERIFIER:
        raise PlatformRefusal(400, "codeVerifier must have 43 to 128 characters.")
    return data


def _text(raw: Mapping[str, Any], name: str) -> str | None:
    value = raw.get(name)
    if value is not None and not isinstance(value, str):
        raise PlatformRefusal(400, f"{name} is not a text.", code="invalid.value")
    return value or None


def _whole_number(raw: Mapping[str, Any], name: str) -> int | None:
    value = raw.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise PlatformRefusal(400, f"{name} is not a whole number.", code="invalid.value")
