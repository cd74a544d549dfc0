"""The doors of the plugin: its scripts, and a fresh code whenever Messenger asks."""

from datetime import timedelta
from typing import Final

from flask import Blueprint, Response, jsonify, request, send_from_directory
from flask.typing import ResponseReturnValue

from bff.resources import static_folder
from bff.web import cookies
from bff.web.doorway import services

bp = Blueprint("plugin", __name__)

SCRIPT_LIFE: Final = timedelta(minutes=5)


@bp.get("/static/messenger-auth.js")
def script() -> ResponseReturnValue:
    """Serve the plugin. Any page may load it: it holds no secret and knows nobody."""
    return _for_any_page("messenger-auth.js")


@bp.get("/static/messenger-guest.js")
def guest_script() -> ResponseReturnValue:
    """Serve the guest chat, which the plugin loads when a page opens one."""
    return _for_any_page("messenger-guest.js")


@bp.get("/static/messenger-sign-in.js")
def sign_in_script() -> ResponseReturnValue:
    """Serve the sign-in dialog, which the plugin loads when a person is really needed."""
    return _for_any_page("messenger-sign-in.js")


@bp.get("/static/messenger-inspector.js")
def inspector_script() -> ResponseReturnValue:
    """Serve the recorder of the flow inspector, for pages that somebody wants to look into."""
    return _for_any_page("messenger-inspector.js")


@bp.post("/messenger/code")
def mint_code() -> ResponseReturnValue:
    """Mint a single-use code for Genesys. It leaves in this body only, never in a URL."""
    here = services()
    session = here.book.require(cookies.session_token(request))
    here.vault.confirm(session)
    minted = here.broker.mint(session.key)
    return jsonify(
        {
            "authCode": minted.code,
            "redirectUri": minted.redirect_uri,
            "codeVerifier": minted.code_verifier,
            "nonce": minted.nonce,
            "iss": minted.issuer,
            "expiresIn": int(minted.life.total_seconds()),
        }
    )


def _for_any_page(name: str) -> Response:
    response = send_from_directory(static_folder(), name, max_age=int(SCRIPT_LIFE.total_seconds()))
    # The second script is imported, which asks for CORS even where the first is not.
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
