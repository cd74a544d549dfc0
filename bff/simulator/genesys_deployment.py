"""What a page loads: the bootstrap script, its style, the deployment's two documents."""

from typing import Any, Final

from flask import Blueprint, Response, abort, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from bff.resources import static_folder
from bff.simulator.genesys_errors import PlatformRefusal
from bff.simulator.genesys_faults import Door
from bff.simulator.genesys_state import GenesysState, genesys_of

# One script for the page, in rooms for the reader; the order is from the bus upwards.
ROOMS: Final = (
    "genesys-bus.js",
    "genesys-storage.js",
    "genesys-auth.js",
    "genesys-wire.js",
    "genesys-messaging.js",
    "genesys-panel.js",
    "genesys-messenger.js",
    "genesys-start.js",
)

deployment = Blueprint("genesys_deployment", __name__)


def _state() -> GenesysState:
    return genesys_of(current_app)


def bootstrap_script() -> str:
    """Return the rooms as one script that leaves nothing behind but `Genesys`."""
    folder = static_folder() / "simulator"
    rooms = "\n".join((folder / room).read_text(encoding="utf-8") for room in ROOMS)
    return f'(function () {{\n"use strict";\n{rooms}\n}})();\n'


@deployment.get("/genesys-bootstrap/genesys.min.js")
def script() -> ResponseReturnValue:
    """The script that the vendor's snippet loads."""
    headers = {"Cache-Control": "no-store"}
    return Response(bootstrap_script(), mimetype="text/javascript", headers=headers)


@deployment.get("/genesys-bootstrap/messenger.css")
def style() -> ResponseReturnValue:
    """The style of the small Messenger."""
    text = (static_folder() / "simulator" / "messenger.css").read_text(encoding="utf-8")
    return Response(text, mimetype="text/css", headers={"Cache-Control": "no-store"})


@deployment.get("/genesys-bootstrap/stand-in.json")
def stand_in() -> ResponseReturnValue:
    """The dials of the page's part; the real one has no such door."""
    behaviour = _state().behaviour
    return jsonify(
        reauthenticateResolveIsIgnored=behaviour.reauthenticate_resolve_is_ignored,
        reauthenticateUses=behaviour.reauthenticate_uses,
        sameJwtIsPublished=behaviour.same_jwt_is_published,
        storedTokensArePublished=behaviour.stored_tokens_are_published,
        refusedCodeForcesUpdate=behaviour.refused_code_forces_update,
        signedInEventIsRequired=behaviour.signed_in_event_is_required,
        popupGraceMs=behaviour.popup_grace_ms,
        reconnectMs=behaviour.reconnect_ms,
    )


@deployment.get("/webdeployments/v1/deployments/<deployment_id>/domains.json")
def domains(deployment_id: str) -> ResponseReturnValue:
    """Where the Messenger may appear."""
    settings = _known(deployment_id).settings
    return jsonify(
        allowAllDomains=settings.allow_all_domains, allowedDomains=list(settings.allowed_domains)
    )


@deployment.get("/webdeployments/v1/deployments/<deployment_id>/config.json")
def config(deployment_id: str) -> ResponseReturnValue:
    """The deployment's configuration."""
    state = _known(deployment_id)
    try:
        state.faults.strike(Door.CONFIG)
    except PlatformRefusal as refusal:
        abort(refusal.status)
    return jsonify(deployment_config(state, request.host_url.rstrip("/")))


def deployment_config(state: GenesysState, base_url: str) -> dict[str, Any]:
    """Return config.json for a stand-in that lives at `base_url`."""
    settings = state.settings
    conversations = {
        "messagingEndpoint": base_url.replace("http", "ws", 1),
        "showAgentTypingIndicator": True,
        "showUserTypingIndicator": True,
        "autoStart": {"enabled": settings.auto_start},
        "sessionDurationSeconds": int(settings.session_life.total_seconds()),
        "conversationDisconnect": {"enabled": True, "type": "ReadOnly"},
        "conversationClear": {"enabled": settings.conversation_clear},
    }
    return {
        "id": settings.deployment_id,
        "version": "3",
        "languages": ["en-us"],
        "defaultLanguage": "en-us",
        "apiEndpoint": base_url,
        "messenger": {
            "enabled": True,
            "apps": {"conversations": conversations},
            "styles": {"primaryColor": "#0b5d4e"},
            "launcherButton": {"visibility": "On"},
            "fileUpload": {"modes": []},
        },
        "journeyEvents": {"enabled": False},
        "status": "Active",
        "auth": {
            "enabled": settings.auth_enabled,
            "allowSessionUpgrade": settings.allow_session_upgrade,
        },
    }


def _known(deployment_id: str) -> GenesysState:
    state = _state()
    if deployment_id != state.settings.deployment_id:
        abort(404)
    return state
