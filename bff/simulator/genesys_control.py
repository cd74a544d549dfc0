"""The control API: turn the clock and the dials, order faults, ask what the server saw."""

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Protocol, runtime_checkable

from flask import Blueprint, abort, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from bff.adapters.http_client import is_loopback_name
from bff.simulator.genesys_faults import Door, Fault
from bff.simulator.genesys_settings import Behaviour
from bff.simulator.genesys_state import GenesysState, genesys_of

NO_CONTENT: Final = ("", 204)

control = Blueprint("genesys_control", __name__, url_prefix="/control")


@runtime_checkable
class TurnableClock(Protocol):
    """A clock that can be moved while others read it."""

    shift: timedelta


@control.before_request
def only_from_this_machine() -> None:
    """Refuse other machines, and names that DNS could point here (rebinding)."""
    peer = ipaddress.ip_address(request.remote_addr or "0.0.0.0")  # noqa: S104 - no peer is no peer
    host = request.host.rsplit(":", 1)[0]
    if not peer.is_loopback or not is_loopback_name(host):
        abort(403)


@control.get("/state")
def state() -> ResponseReturnValue:
    """What the server saw."""
    return jsonify(_state().report())


@control.post("/clock")
def clock() -> ResponseReturnValue:
    """Turn the clock forward: `{"advance_s": 900}`. Whoever shares the clock goes along."""
    turnable = _state().clock
    if not isinstance(turnable, TurnableClock):
        abort(409)
    turnable.shift += _seconds(_body(), "advance_s")
    return jsonify(now=_state().clock.now().isoformat())


@control.post("/lifetimes")
def lifetimes() -> ResponseReturnValue:
    """Set `jwt_cap_s` and `refresh_token_life_s` for tokens to come."""
    body = _body()
    dials = _state().desk.lifetimes
    if "jwt_cap_s" in body:
        dials.jwt_cap = _seconds(body, "jwt_cap_s")
    if "refresh_token_life_s" in body:
        dials.refresh_token = _seconds(body, "refresh_token_life_s")
    return NO_CONTENT


@control.post("/behaviour")
def behaviour() -> ResponseReturnValue:
    """Turn dials by name; the page reads its own when it needs them."""
    turned = _state().behaviour
    for name, value in _body().items():
        _turn(turned, name, value)
    return NO_CONTENT


@control.post("/faults")
def order_fault() -> ResponseReturnValue:
    """Order a fault: `{"door", "status"?, "times"?, "retry_after_s"?, "delay_s"?}`."""
    body = _body()
    status = body.get("status")
    fault = Fault(
        status=int(status) if status is not None else None,
        retry_after=_seconds(body, "retry_after_s") if "retry_after_s" in body else None,
        delay=_seconds(body, "delay_s") if "delay_s" in body else timedelta(0),
    )
    if body.get("door") not in set(Door):
        abort(400)
    _state().faults.order(Door(body["door"]), fault, times=int(body.get("times", 1)))
    return NO_CONTENT


@control.post("/cut")
def cut() -> ResponseReturnValue:
    """Cut all sockets without a word."""
    known = _state()
    with known.lock:
        known.hub.post(known.messaging.cut())
    return NO_CONTENT


@control.post("/say")
def say() -> ResponseReturnValue:
    """Let the agent say `text` in every conversation."""
    text = str(_body().get("text", ""))
    known = _state()
    with known.lock:
        known.hub.post(known.messaging.say(text))
    return NO_CONTENT


@control.post("/reset")
def reset() -> ResponseReturnValue:
    """Forget faults, counters, dials and what was heard; sessions and tokens stay."""
    known = _state()
    known.faults.clear()
    known.desk.reset_counters()
    known.platform_tokens.reset_counters()
    with known.lock:
        known.messaging.talk.heard.clear()
        known.messaging.reset_counters()
    fresh = known.settings
    known.desk.lifetimes.jwt_cap = fresh.jwt_cap
    known.desk.lifetimes.refresh_token = fresh.refresh_token_life
    for name in Behaviour.__dataclass_fields__:
        setattr(known.behaviour, name, getattr(fresh.behaviour, name))
    return NO_CONTENT


def _state() -> GenesysState:
    return genesys_of(current_app)


def _body() -> Mapping[str, Any]:
    # Demanding JSON keeps other sites' forms out: a page would need a preflight, and gets none.
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        abort(400)
    return body


def _seconds(body: Mapping[str, Any], name: str) -> timedelta:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        abort(400)
    return timedelta(seconds=value)


def _turn(dials: Behaviour, name: str, value: Any) -> None:
    if name not in Behaviour.__dataclass_fields__:
        abort(400)
    current = getattr(dials, name)
    if isinstance(current, StrEnum):
        try:
            value = type(current)(value)
        except ValueError:
            abort(400)
    elif type(value) is not type(current):
        abort(400)
    setattr(dials, name, value)
