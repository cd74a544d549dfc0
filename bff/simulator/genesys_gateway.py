"""A gateway in front of Genesys that makes guests. Genesys itself has no such door."""

import uuid
from typing import Final

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from bff.simulator.genesys_errors import PlatformRefusal
from bff.simulator.genesys_faults import Door
from bff.simulator.genesys_platform import bearer, json_body, refused
from bff.simulator.genesys_state import GenesysState, genesys_of

GUESTS: Final = "/api/v2/conversations/guests"
CHANNEL: Final = "webchat"
NO_SUCH_DOOR: Final = 404

gateway = Blueprint("genesys_gateway", __name__)
gateway.register_error_handler(PlatformRefusal, refused)


@gateway.post(GUESTS)
def make_guest() -> ResponseReturnValue:
    """Make a guest for whoever shows a token of the platform API."""
    state = genesys_of(current_app)
    if not state.behaviour.gateway_makes_guests:
        raise PlatformRefusal(NO_SUCH_DOOR, "HTTP 404 Not Found")
    state.platform_tokens.check(bearer())
    state.faults.strike(Door.GUESTS)
    check_permission(state)
    if json_body().get("channelType") != CHANNEL:
        raise PlatformRefusal(400, "channelType must be webchat.", code="invalid.value")
    state.platform_tokens.count_guest()
    guest_id = _uuid(state)
    return jsonify(
        id=guest_id, token=_uuid(state), channelType=CHANNEL, selfUri=f"{request.path}/{guest_id}"
    )


def check_permission(state: GenesysState) -> None:
    """Raise PlatformRefusal 403 if a permission was made to be missing."""
    missing = state.behaviour.missing_permission
    if missing:
        raise PlatformRefusal(
            403,
            "Unable to perform the requested action. "
            "You are missing the following permission(s): {permissions}",
            code="missing.any.permissions",
            parameters={"permissions": missing},
        )


def _uuid(state: GenesysState) -> str:
    return str(uuid.UUID(bytes=state.entropy.bytes(16), version=4))
