"""The doors of the operator's probes: is the process alive, is it ready."""

from flask import Blueprint, Response, json, jsonify
from flask.typing import ResponseReturnValue

from bff.background.jobs import JobHealth
from bff.errors import NotReadyError
from bff.web import problems
from bff.web.doorway import services

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def alive() -> ResponseReturnValue:
    """Say that the process answers. Asks nobody else."""
    return jsonify({"status": "ok"})


@bp.get("/readyz")
def ready() -> ResponseReturnValue:
    """Say whether requests can be served: 503 while the store is away or a background job is dead.

    Each background job is named with its state, in both cases.
    """
    services().store.ping()
    jobs = services().background.health()
    ailing = [job for job in jobs if not job.well]
    if not ailing:
        return jsonify({"status": "ok", "jobs": _told(jobs)})
    told = ", ".join(f"{job.name} is {job.state}" for job in ailing)
    return _with_jobs(problems.answer(NotReadyError(told)), jobs)


def _with_jobs(response: Response, jobs: tuple[JobHealth, ...]) -> Response:
    """Add the jobs, unless a person is looking at a page."""
    if response.is_json:
        response.set_data(json.dumps({**response.get_json(), "jobs": _told(jobs)}))
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
