"""Doors for the guests that the platform knows: the GDPR API, which is the vendor's own.

And two that a gateway in front of it may have, and Genesys has not: a list of guests, page by
page, and a registration for deletions.
"""

import threading
import uuid
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from bff.simulator.genesys_errors import PlatformRefusal
from bff.simulator.genesys_faults import Door
from bff.simulator.genesys_gateway import check_permission
from bff.simulator.genesys_platform import bearer, json_body, page_of, refused
from bff.simulator.genesys_state import GenesysState, genesys_of

if TYPE_CHECKING:
    from collections.abc import Mapping

GUESTS: Final = "/api/v2/engagement/guests"
GDPR: Final = "/api/v2/gdpr/requests"
CALLBACKS: Final = "/api/v2/callbacks"
NO_SUCH_DOOR: Final = 404
STAGES: Final = ("INITIATED", "SEARCHING", "DELETING", "COMPLETED")
"""Each look finds it one further."""

KINDS: Final = frozenset({"GDPR_EXPORT", "GDPR_UPDATE", "GDPR_DELETE"})
SUBJECT: Final = frozenset(
    {
        *("name", "userId", "externalContactId", "dialerContactId", "journeyCustomer"),
        *("socialHandle", "externalId", "addresses", "phoneNumbers", "emailAddresses"),
    }
)

records = Blueprint("genesys_records", __name__)
records.register_error_handler(PlatformRefusal, refused)
_EXTENSION: Final = "genesys-records"


class KnownRequests:
    """What was filed, and how often each was looked at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.filed: dict[str, Mapping[str, Any]] = {}
        self.callbacks: dict[str, Mapping[str, Any]] = {}
        self._looks: dict[str, int] = {}

    def look(self, request_id: str) -> str:
        """Return the stage. Raises PlatformRefusal 404."""
        with self._lock:
            if request_id not in self.filed:
                raise PlatformRefusal(404, "The request is not known.")
            looks = self._looks.get(request_id, 0)
            self._looks[request_id] = looks + 1
        return STAGES[min(looks, len(STAGES) - 1)]


def known_requests() -> KnownRequests:
    """Return what this organisation was asked for."""
    known: KnownRequests = current_app.extensions.setdefault(_EXTENSION, KnownRequests())
    return known


@records.post(GDPR)
def file_request() -> ResponseReturnValue:
    """File a request; deleting must be confirmed."""
    state = _admitted(Door.GDPR)
    body = json_body()
    kind, subject = body.get("requestType"), body.get("subject")
    if kind not in KINDS or not isinstance(subject, dict):
        raise PlatformRefusal(400, "requestType or subject is missing.", code="invalid.value")
    # The vendor's own clients send what is not set as null.
    named = {name: value for name, value in subject.items() if value is not None}
    if len(named) != 1 or not set(named) <= SUBJECT:
        raise PlatformRefusal(400, "subject must name exactly one thing.", code="invalid.value")
    if kind == "GDPR_DELETE" and request.args.get("deleteConfirmed", "").lower() != "true":
        raise PlatformRefusal(400, "deleteConfirmed must be true.", code="invalid.value")
    request_id = _uuid(state)
    known_requests().filed[request_id] = {"requestType": kind, "subject": named}
    return jsonify(_spelled(state, request_id, known_requests().look(request_id))), 202


@records.get(f"{GDPR}/<request_id>")
def request_state(request_id: str) -> ResponseReturnValue:
    """Say how far a request is."""
    state = _admitted(Door.GDPR)
    return jsonify(_spelled(state, request_id, known_requests().look(request_id)))


@records.get(GUESTS)
def list_guests() -> ResponseReturnValue:
    """List the guests of a gateway, page by page."""
    state = _state()
    if not state.settings.gateway_guests:
        raise PlatformRefusal(NO_SUCH_DOOR, "HTTP 404 Not Found")
    _admitted(Door.IMPORT)
    return jsonify(page_of([dict(guest) for guest in state.settings.gateway_guests]))


@records.post(CALLBACKS)
def register() -> ResponseReturnValue:
    """Register a URL to be called at deletions."""
    state = _state()
    if not state.behaviour.gateway_makes_guests:
        raise PlatformRefusal(NO_SUCH_DOOR, "HTTP 404 Not Found")
    _admitted(Door.CALLBACKS)
    body = json_body()
    if body.get("type") != "guest_deletion" or not isinstance(body.get("url"), str):
        raise PlatformRefusal(400, "type or url is missing.", code="invalid.value")
    callback_id = _uuid(state)
    known_requests().callbacks[callback_id] = body
    return jsonify(id=callback_id, **body), 201


def _admitted(door: Door) -> GenesysState:
    state = _state()
    state.platform_tokens.check(bearer())
    state.faults.strike(door)
    check_permission(state)
    return state


def _spelled(state: GenesysState, request_id: str, status: str) -> dict[str, Any]:
    filed = known_requests().filed[request_id]
    return {
        "id": request_id,
        "status": status,
        "createdDate": state.clock.now().isoformat(timespec="milliseconds"),
        "requestType": filed["requestType"],
        "subject": filed["subject"],
        "resultsUrls": [],
        "selfUri": f"{GDPR}/{request_id}",
    }


def _state() -> GenesysState:
    return genesys_of(current_app)


def _uuid(state: GenesysState) -> str:
    return str(uuid.UUID(bytes=state.entropy.bytes(16), version=4))
