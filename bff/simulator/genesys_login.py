"""The login host: tokens of the platform API for client credentials."""

import base64
import binascii
import hmac

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from bff.simulator.genesys_errors import PlatformRefusal
from bff.simulator.genesys_faults import Door
from bff.simulator.genesys_platform import refused
from bff.simulator.genesys_settings import PlatformClient
from bff.simulator.genesys_state import GenesysState, genesys_of

login = Blueprint("genesys_login", __name__)
login.register_error_handler(PlatformRefusal, refused)


@login.post("/oauth/token")
def platform_token() -> ResponseReturnValue:
    """Give a token. Rights come from roles: a scope is neither read nor given."""
    state = genesys_of(current_app)
    state.faults.strike(Door.TOKEN)
    client = _authenticated_client(state)
    if request.form.get("grant_type") != "client_credentials":
        raise PlatformRefusal(400, "The grant type is not supported.")
    return jsonify(
        access_token=state.platform_tokens.give(client),
        token_type="bearer",  # noqa: S106 - the name of a scheme
        expires_in=int(client.token_life.total_seconds()) - 1,
    )


def _authenticated_client(state: GenesysState) -> PlatformClient:
    client_id, secret = _shown(in_body_too=state.behaviour.credentials_in_body)
    for client in state.settings.platform_clients:
        right = hmac.compare_digest(client.client_secret.encode(), secret.encode())
        if client.client_id == client_id and right:
            return client
    state.platform_tokens.count_refused_client()
    raise PlatformRefusal(401, "Invalid client credentials.", code="bad.credentials")


def _shown(*, in_body_too: bool) -> tuple[str, str]:
    """Return the id and the secret: from the header, or from the form where that is a way."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        form = request.form if in_body_too else {}
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        spelled = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        spelled = ""
    client_id, _, secret = spelled.partition(":")
    return client_id, secret
