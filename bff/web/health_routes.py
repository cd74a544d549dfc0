"""The doors of the operator's probes: is the process alive, is it ready."""

from flask import Blueprint, Response, json, jsonify
from flask.typing import ResponseReturnValue

from bff.background.jobs import JobHealth
from bff.errors import NotReadyError, StoreDownError
from bff.web import problems
from bff.web.doorway import services

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def alive() -> ResponseReturnValue:
    """Say that the process answers. Asks nobody else."""
    return jsonify({"status": "ok"})


@bp.get("/readyz")
def ready() -> ResponseReturnValue:
    """Say whether requests can be served: 503 while nothing can be stored, or a job is dead.

    Each background job is named with its state if the store is well, and else why it is not, as far
    as it says so.
    """
    try:
        services().store_probe.check()
    except StoreDownError as error:
        return _with(problems.answer(error), "store", error.reason or "silent")
    jobs = services().background.health()
    ailing = [job for job in jobs if not job.well]
    if not ailing:
        return jsonify({"status": "ok", "jobs": _told(jobs)})
    told = ", ".join(f"{job.name} is {job.state}" for job in ailing)
    return _with(problems.answer(NotReadyError(told)), "jobs", _told(jobs))


def _with(response: Response, name: str, value: object) -> Response:
    """Add what is more for the operator, unless a person is looking at a page."""
    if response.is_json:
        response.set_data(json.dumps({**response.get_json(), name: value}))
    return response


def _told(jobs: tuple[JobHealth, ...]) -> dict[str, dict[str, object]]:
    return {
        job.name: {
            "state": job.state.value,
            "restarts": job.restarts,
            "last_success": job.last_success.isoformat() if job.last_success else None,
        }
        for job in jobs
    }
