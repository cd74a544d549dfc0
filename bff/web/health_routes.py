"""The doors of the operator's probes: is the process alive, is it ready."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from bff.web.doorway import services

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def alive() -> ResponseReturnValue:
    """Say that the process answers. Asks nobody else."""
    return jsonify({"status": "ok"})


@bp.get("/readyz")
def ready() -> ResponseReturnValue:
    """Say whether requests can be served: 503 with Retry-After while the store is away."""
    services().store.ping()
    return jsonify({"status": "ok"})
