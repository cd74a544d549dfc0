"""The stand-in provider's control doors, for QA: faults, time, keys, sessions, logout tokens.

They answer only to this machine's own processes (a loopback peer that dialled a loopback name,
which also stops a rebound DNS name) and ask for no secret. Bodies must be `application/json`:
a page of another origin cannot send that without a preflight, which is never answered.

GET    /control/state                 counters, faults, sign-ons, deliveries
POST   /control/faults                {"fault", "times"?, "value"?, "endpoint"?}
DELETE /control/faults                behave again; whoever is kept waiting gets an answer
POST   /control/release               answer whoever is kept waiting; faults stay
POST   /control/clock                 {"advance_s": seconds}
POST   /control/keys                  {"with_kid"?: true, "keep_old"?: false}: rotate
POST   /control/logout                {"client_id", "subject"?, "sid"?, "defects"?, "claims"?}
POST   /control/sign-out              {"username", "tell_clients"?: true}: everywhere
DELETE /control/refresh-tokens        refuse every refresh token handed out so far
"""

from datetime import timedelta
from typing import Any

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue

from bff.adapters.http_client import is_loopback_name
from bff.simulator.provider_core import this_provider
from bff.simulator.provider_tokens import LogoutDefect

doors = Blueprint("control", __name__, url_prefix="/control")


@doors.before_request
def _only_this_machine() -> None:
    host = request.host.rpartition(":")[0] if ":" in request.host else request.host
    if not (is_loopback_name(request.remote_addr or "") and is_loopback_name(host)):
        abort(403, "The control doors answer on loopback only.")


def _body() -> dict[str, Any]:
    body = request.get_json()
    if not isinstance(body, dict):
        abort(400, "The body must be a JSON object.")
    return body


@doors.get("/state")
def state() -> ResponseReturnValue:
    """Show everything a test may want to know; no token and no cookie."""
    provider = this_provider()
    return {
        "counts": provider.tally.listed(),
        "faults": provider.faults.listed(),
        "deliveries": [delivery.spell() for delivery in provider.deliveries],
        "sign_ons": [
            {"sid": one.sid, "username": one.person.username, "clients": sorted(one.client_ids)}
            for one in provider.sign_ons.living()
        ],
        "now": provider.clock.now().isoformat(),
    }


@doors.post("/faults")
def plant() -> ResponseReturnValue:
    """Misbehave from now on."""
    body = _body()
    faults = this_provider().faults
    try:
        faults.plant(body.pop("fault"), **body)
    except (KeyError, TypeError, ValueError) as error:
        abort(400, f"No such fault or field: {error}")
    return {"faults": faults.listed()}


@doors.delete("/faults")
def clear() -> ResponseReturnValue:
    """Behave again."""
    this_provider().faults.clear()
    return "", 204


@doors.post("/release")
def release() -> ResponseReturnValue:
    """Answer whoever is kept waiting."""
    this_provider().faults.release()
    return "", 204


@doors.post("/clock")
def advance() -> ResponseReturnValue:
    """Move the provider's time."""
    provider = this_provider()
    try:
        provider.advance(timedelta(seconds=float(_body()["advance_s"])))
    except (KeyError, ValueError) as error:
        abort(400, f"advance_s must be a number of seconds: {error}")
    except TypeError as error:
        abort(409, str(error))
    return {"now": provider.clock.now().isoformat()}


@doors.post("/keys")
def rotate() -> ResponseReturnValue:
    """Sign with a new key."""
    body = _body()
    keys = this_provider().keys
    keys.rotate(
        with_kid=bool(body.get("with_kid", True)), keep_old=bool(body.get("keep_old", False))
    )
    return keys.published()


@doors.post("/logout")
def logout() -> ResponseReturnValue:
    """Send a client a logout token, broken as told; say what the client answered."""
    body = _body()
    provider = this_provider()
    try:
        client_id = body.pop("client_id")
        defects = [LogoutDefect(defect) for defect in body.pop("defects", [])]
        token = provider.logout_token(client_id, defects=defects, **body)
        delivery = provider.deliver(client_id, token)
    except (LookupError, TypeError, ValueError) as error:
        abort(400, f"Cannot make or send that: {error}")
    return delivery.spell()


@doors.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Sign a person out everywhere."""
    body = _body()
    provider = this_provider()
    person = provider.people.get(str(body.get("username")))
    if person is None:
        abort(404, "Nobody of that name.")
    tell = bool(body.get("tell_clients", True))
    return {"ended": provider.sign_out_everywhere(person.subject, tell_clients=tell)}


@doors.delete("/refresh-tokens")
def refuse_refresh_tokens() -> ResponseReturnValue:
    """End every refresh token."""
    this_provider().grants.revoke_everything()
    return "", 204
