"""The doors of the plugin: its scripts, and a fresh code whenever Messenger asks."""

from datetime import timedelta
from typing import Final

from flask import Blueprint, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue

from bff.page_scripts import Encoding, PageScripts
from bff.resources import static_folder
from bff.web import cookies, passthrough_routes
from bff.web.doorway import services

bp = Blueprint("plugin", __name__)

SCRIPT_LIFE: Final = timedelta(minutes=5)
HASHED_LIFE: Final = timedelta(days=365)
SCRIPTS: Final = PageScripts(static_folder())


@bp.get("/static/messenger-auth.js")
def script() -> ResponseReturnValue:
    """Serve the plugin. Any page may load it: it holds no secret and knows nobody."""
    return _for_any_page("messenger-auth")


@bp.get("/static/messenger-guest.js")
def guest_script() -> ResponseReturnValue:
    """Serve the guest chat, which the plugin loads when a page opens one."""
    return _for_any_page("messenger-guest")


@bp.get("/static/messenger-person.js")
def person_script() -> ResponseReturnValue:
    """Serve the plugin's room for people: it asks, leaves, comes back and signs out."""
    return _for_any_page("messenger-person")


@bp.get("/static/messenger-sign-in.js")
def sign_in_script() -> ResponseReturnValue:
    """Serve the sign-in dialog, which the plugin loads when a person is really needed."""
    return _for_any_page("messenger-sign-in")


@bp.get("/static/messenger-inspector.js")
def inspector_script() -> ResponseReturnValue:
    """Serve the recorder of the flow inspector, for pages that somebody wants to look into."""
    return _for_any_page("messenger-inspector")


@bp.get("/static/messenger-<name>.<fingerprint>.js")
def hashed_script(name: str, fingerprint: str) -> ResponseReturnValue:
    """Serve one of these scripts by what is in it: kept for a year, never anything else."""
    return _for_any_page(f"messenger-{name}", fingerprint)


@bp.post("/messenger/code")
def mint_code() -> ResponseReturnValue:
    """Mint a single-use code for Genesys. It leaves in this body only, never in a URL."""
    here = services()
    session = here.book.require(cookies.session_token(request))
    here.vault.confirm(session)
    if here.passthrough is not None:
        return passthrough_routes.hand_out(here, here.passthrough, session)
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


def _for_any_page(name: str, fingerprint: str | None = None) -> Response:
    script = SCRIPTS.find(name, fingerprint)
    if script is None:
        abort(404)
    encoding = _chosen_encoding()
    response = Response(script.bodies[encoding], mimetype="text/javascript")
    if encoding is not Encoding.PLAIN:
        response.headers["Content-Encoding"] = encoding.value
    response.vary.add("Accept-Encoding")
    response.cache_control.public = True
    response.cache_control.max_age = int(
        (HASHED_LIFE if fingerprint else SCRIPT_LIFE).total_seconds()
    )
    if fingerprint:
        response.cache_control.immutable = True
    # Other bytes, another tag: a cache that mixed them up would hand out a broken script.
    response.set_etag(f"{script.fingerprint}-{encoding.value}")
    # The second script is imported, and an integrity checked, only where CORS allows it.
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.make_conditional(request)
    return response


def _chosen_encoding() -> Encoding:
    """Return the smallest of what the browser likes best; plain bytes if it says nothing."""
    wanted = request.accept_encodings
    liked = max((Encoding.BROTLI, Encoding.GZIP), key=wanted.quality)
    return liked if wanted.quality(liked) else Encoding.PLAIN
