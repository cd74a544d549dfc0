"""The Genesys stand-in as one application, in the vendor's layout for one host and port."""

from flask import Flask, Response, request

from bff.ports import Clock, Entropy
from bff.simulator.genesys_control import control
from bff.simulator.genesys_deployment import deployment
from bff.simulator.genesys_gateway import gateway
from bff.simulator.genesys_login import login
from bff.simulator.genesys_platform import platform
from bff.simulator.genesys_records import records
from bff.simulator.genesys_settings import GenesysSettings
from bff.simulator.genesys_socket import open_socket
from bff.simulator.genesys_state import EXTENSION, GenesysState


def create_genesys(settings: GenesysSettings, *, clock: Clock, entropy: Entropy) -> Flask:
    """Return the application; `genesys_of(app)` is its state."""
    app = Flask("genesys", static_folder=None)
    state = GenesysState(settings, clock=clock, entropy=entropy)
    app.extensions[EXTENSION] = state
    app.register_blueprint(login)
    app.register_blueprint(platform)
    app.register_blueprint(gateway)
    app.register_blueprint(records)
    app.register_blueprint(deployment)
    app.register_blueprint(control)
    open_socket(app, state)
    app.after_request(_let_pages_read)
    return app


def _let_pages_read(response: Response) -> Response:
    """Any page may call the public doors: they take no cookie. The control API is not for pages."""
    if not request.path.startswith("/control/"):
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Allow-Headers"] = "authorization, content-type"
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
    return response
