"""An OpenID Provider for the demo, the tests and QA: correct by default, wrong when told.

It speaks discovery, authorization code with PKCE, refresh tokens that rotate, userinfo,
revocation, RP-initiated and back-channel logout. It runs on loopback in plain HTTP, forgets
everything when it stops, and prints its people's password on the sign-in page: never put it
anywhere else. `provider_control.py` lists the control doors, which answer on loopback only and
need no secret; `provider_faults.py` lists what can go wrong.
"""

from http import HTTPStatus

from flask import Flask, Response, render_template, request
from flask.typing import ResponseReturnValue
from joserfc.jwk import RSAKey
from werkzeug.exceptions import HTTPException

from bff.ports import Clock, Entropy
from bff.resources import static_folder, templates_folder
from bff.simulator import (
    provider_account,
    provider_authorize,
    provider_control,
    provider_doorkeeper,
    provider_sign_in,
    provider_token_doors,
)
from bff.simulator.provider_core import EXTENSION, Provider, provider_of
from bff.simulator.provider_problems import LostVisitorError, OAuthError
from bff.simulator.provider_settings import ProviderSettings
from bff.simulator.serving import Served

# A sign-in page in somebody's frame is a trap. `form-action` is left out on purpose: Chromium
# applies it to the redirect that brings the code home as well.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def create_identity_provider(
    settings: ProviderSettings,
    *,
    clock: Clock,
    entropy: Entropy,
    signing_key: RSAKey | None = None,
) -> Flask:
    """Return the provider as an application; `provider_of` gives what is behind it."""
    app = Flask(
        __name__,
        template_folder=str(templates_folder()),
        static_folder=str(static_folder() / "simulator"),
        static_url_path="/static",
    )
    app.extensions[EXTENSION] = Provider(
        settings, clock=clock, entropy=entropy, signing_key=signing_key
    )
    for room in (
        provider_authorize,
        provider_sign_in,
        provider_account,
        provider_token_doors,
        provider_control,
    ):
        app.register_blueprint(room.doors)
    provider_doorkeeper.install(app)
    _install_answers(app, title=settings.title)
    return app


def serve_identity_provider(app: Flask, *, host: str = "idp.localhost", port: int = 0) -> Served:
    """Bind `app` to loopback, not yet started; the issuer follows the port unless it was set."""
    served = Served(app, host=host, port=port)
    provider = provider_of(app)
    if provider.settings.issuer is None:
        provider.issuer = served.url
    return served


def _install_answers(app: Flask, *, title: str) -> None:
    app.register_error_handler(OAuthError, _refuse)
    app.register_error_handler(LostVisitorError, _explain)
    app.register_error_handler(HTTPException, _plain)
    app.after_request(_protect)
    app.context_processor(lambda: {"title": title})


def _refuse(error: OAuthError) -> ResponseReturnValue:
    headers = {"Cache-Control": "no-store"}
    if error.error == "invalid_client":
        headers["WWW-Authenticate"] = 'Basic realm="token"'
    body = {"error": error.error, "error_description": error.description}
    return body, error.status, headers


def _explain(error: LostVisitorError) -> ResponseReturnValue:
    return render_template("simulator/provider_error.html", sentence=str(error)), 400


def _plain(error: HTTPException) -> ResponseReturnValue:
    if request.path.startswith("/control/"):
        return {"message": error.description}, error.code or 500
    lost = error.code == HTTPStatus.NOT_FOUND
    sentence = "There is no such page here." if lost else str(error.description)
    return render_template("simulator/provider_error.html", sentence=sentence), error.code or 500


def _protect(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if response.mimetype == "text/html":
        response.headers.setdefault("Cache-Control", "no-store")
    return response
