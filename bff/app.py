"""The Flask application: services in, doors open."""

import logging

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from bff.resources import static_folder, templates_folder
from bff.web import (
    auth_routes,
    deletion_routes,
    guard,
    guest_socket,
    health_routes,
    inspector_routes,
    metrics_routes,
    passthrough_routes,
    plugin_routes,
    problems,
    provider_routes,
    provider_server,
    records_routes,
)
from bff.web.doorway import EXTENSION, Services

MAX_BODY_BYTES = 64 * 1024


def create_app(services: Services) -> Flask:
    """Return the application. Needs nothing from the environment."""
    # At DEBUG these write tokens and verifiers into the log.
    for chatty in ("authlib", "urllib3", "redis", "requests"):
        logging.getLogger(chatty).setLevel(logging.INFO)
    app = Flask("bff", static_folder=str(static_folder()), template_folder=str(templates_folder()))
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.extensions[EXTENSION] = services
    hops = services.site.trusted_proxies
    if hops:
        # Only as many hops as the operator named; without any, X-Forwarded-* is a stranger's word.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Werkzeug's documented way
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )
    problems.install(app)
    guard.install(app, services.site)
    provider_server.install(app)
    # One redeemer: where Genesys asks the identity provider, we are not one as well.
    codes = provider_routes.bp if services.passthrough is None else passthrough_routes.bp
    for blueprint in (
        auth_routes.bp,
        plugin_routes.bp,
        codes,
        health_routes.bp,
        metrics_routes.bp,
        deletion_routes.bp,
        records_routes.bp,
        inspector_routes.bp,
    ):
        app.register_blueprint(blueprint)
    guest_socket.install(app)
    return app
