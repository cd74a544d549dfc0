"""The doors of the flow inspector: a page reports, an operator looks."""

import json
import re
from datetime import UTC, timedelta
from typing import Any, Final

from flask import Blueprint, Response, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue

from bff.errors import (
    InspectorOffError,
    OperatorUnknownError,
    OriginRefusedError,
    RateLimitedError,
    RecordingRefusedError,
    RecordingUnknownError,
    RequestRefusedError,
    SignInRequiredError,
)
from bff.inspector.flow_events import MOST_IN_BATCH, FlowEvent, checked_tab, told
from bff.inspector.flow_recorder import SESSION
from bff.inspector.inspector_house import InspectorHouse, operator_entry
from bff.inspector.recording_export import exported, shown
from bff.inspector.recordings import LIFE, Invitation, Recording
from bff.signin.fingerprints import hashed
from bff.signin.households import household
from bff.signin.records import BrowserSession
from bff.web import cookies
from bff.web.cookies import asking_recording
from bff.web.doorway import Services, services
from bff.web.parameters import json_body, json_text, only_known, query

bp = Blueprint("inspector", __name__, url_prefix="/inspector")

WINDOW: Final = timedelta(minutes=1)
BATCHES_PER_MINUTE: Final = 240
STARTS_PER_MINUTE: Final = 30
LABEL: Final = re.compile(r"[\w .,:#/()-]{0,60}")
POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@bp.get("")
def page() -> ResponseReturnValue:
    """Show the inspector. The page itself knows nothing: it asks for what it shows."""
    house, here = _house(), services()
    session = here.book.find(cookies.session_token(request))
    # Who is known to be nobody's operator is told so; a Strict cookie may have stayed behind.
    if session is not None and not house.open_to_all:
        _refuse_strangers(house, session)
    site = here.site.allowed_origins[0]
    response = make_response(render_template("inspector.html", site=site))
    response.headers["Content-Security-Policy"] = POLICY
    return response


@bp.post("/start")
def start() -> ResponseReturnValue:
    """Begin to record this browser, or go on: with an invitation, or where everybody may."""
    house, here = _house(), services()
    _limit(
        here, "inspector-starts", hashed(household(request.remote_addr or "")), STARTS_PER_MINUTE
    )
    going_on = _own(house)
    key = json_text(json_body(), "key")
    if going_on is not None:
        response = jsonify({"salt": going_on.salt})
        response.status_code = 200
        return _linked(house, going_on, response)
    invitation = house.shelf.accept(key) if key else None
    if invitation is None and not house.open_to_all:
        raise RecordingRefusedError("no invitation, or a spent one")
    secret, begun = house.shelf.start(salt=here.entropy.token(16), label=_label_of(invitation))
    response = jsonify({"salt": begun.salt})
    response.status_code = 201
    cookies.set_recording(response, secret, life=LIFE, cross_site=here.site.cross_site)
    return _linked(house, begun, response)


@bp.post("/events")
def events() -> ResponseReturnValue:
    """Take what the recorder of a page saw."""
    house, here = _house(), services()
    recording = _own(house)
    if recording is None:
        raise RecordingUnknownError("no recording goes on in this browser")
    _limit(here, "inspector-batches", recording.id, BATCHES_PER_MINUTE)
    house.shelf.append(recording.id, _batch(here, json_body()))
    return _linked(house, recording, Response(status=204))


@bp.post("/stop")
def stop() -> ResponseReturnValue:
    """Record this browser no longer. What was recorded stays for its day."""
    _house()
    response = Response(status=204)
    cookies.drop_recording(response, cross_site=services().site.cross_site)
    return response


@bp.get("/recordings")
def recordings() -> ResponseReturnValue:
    """List the recordings that the asking person may look at, the liveliest first."""
    house = _house()
    operator, own = _looker(house)
    only_known()
    found = house.shelf.everything() if operator else [one for one in (own,) if one is not None]
    mine = None if own is None else own.id
    return jsonify(
        {
            "operator": operator,
            "recordings": [{**shown(one), "own": one.id == mine} for one in found],
        }
    )


@bp.get("/recordings/<recording>")
def recording(recording: str) -> ResponseReturnValue:
    """Tell what happened in a recording, all of it or since last time, and what is wrong."""
    head = _looked_at(recording)
    only_known("after")
    after = query("after") or "0"
    if not re.fullmatch(r"[0-9]{1,9}", after):
        raise RequestRefusedError("after is no number of a batch", parameter="after")
    since = int(after)
    return jsonify(_told(head, since))


@bp.get("/recordings/<recording>/export")
def export(recording: str) -> ResponseReturnValue:
    """Give a recording as a file, to attach to a ticket or to look at later."""
    head = _looked_at(recording)
    only_known()
    body = json.dumps(_told(head, 0), ensure_ascii=False, indent=1)
    response = Response(body + "\n", mimetype="application/json")
    day = head.started_at.astimezone(UTC).strftime("%Y-%m-%d")
    name = f"messenger-recording-{day}-{head.id[:6]}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@bp.post("/invitations")
def invite() -> ResponseReturnValue:
    """Make a link that has one browser recorded, for an operator to send."""
    house, here = _house(), services()
    if request.headers.get("Origin") != here.site.public_url:
        raise OriginRefusedError("an invitation is made on the inspector's own page")
    operator, _ = _looker(house)
    if not operator:
        raise OperatorUnknownError("only operators invite")
    label = (json_text(json_body(), "label") or "").strip()
    if not LABEL.fullmatch(label):
        raise RequestRefusedError("the label is too long, or has more than words in it")
    key = house.shelf.invite(label)
    # Behind the hash: no server, log or referrer sees it.
    link = f"{here.site.allowed_origins[0]}/#messenger-inspect={key}"
    response = jsonify({"link": link})
    response.status_code = 201
    return response


def _house() -> InspectorHouse:
    house = services().inspector
    if house is None:
        raise InspectorOffError("BFF_INSPECTOR is off")
    return house


def _own(house: InspectorHouse) -> Recording | None:
    known = asking_recording()
    return None if known is None else house.shelf.look_up(known)


def _looker(house: InspectorHouse) -> tuple[bool, Recording | None]:
    """Return whether this is an operator, and the recording that they may see as their own.

    Raises SignInRequiredError or OperatorUnknownError where only operators look.
    """
    session = services().book.find(cookies.session_token(request))
    operator = session is not None and house.is_operator(session.person)
    if not operator and not house.open_to_all:
        _refuse_strangers(house, session)
    return operator, _own(house) if house.open_to_all else None


def _refuse_strangers(house: InspectorHouse, session: BrowserSession | None) -> None:
    if session is None:
        raise SignInRequiredError("the inspector wants an operator")
    if not house.is_operator(session.person):
        raise OperatorUnknownError(f"no operator: {operator_entry(session.person)}")


def _looked_at(unverified_id: str) -> Recording:
    house = _house()
    operator, own = _looker(house)
    if own is not None and own.id == unverified_id:
        return own
    found = house.shelf.look_up(unverified_id) if operator else None
    if found is None:
        raise RecordingUnknownError("no such recording, or somebody else's")
    return found


def _told(head: Recording, after: int) -> dict[str, Any]:
    here, house = services(), _house()
    return exported(head, house.shelf.read(head, after=after), now=here.clock.now())


def _batch(here: Services, body: dict[str, Any]) -> list[FlowEvent]:
    tab, sent, raw = checked_tab(body.get("tab")), body.get("sent"), body.get("events")
    if tab is None or not isinstance(sent, int) or not isinstance(raw, list):
        raise RequestRefusedError("no batch of a recorder")
    now = int(here.clock.now().timestamp() * 1000)
    skew = now - sent
    known = [
        event
        for one in raw[:MOST_IN_BATCH]
        if isinstance(one, dict) and (event := told(one, skew_ms=skew, tab=tab)) is not None
    ]
    for event in known:
        # Only the server knows by how much a page's clock is wrong.
        event.facts["skew_ms"] = skew
    return known


def _linked(house: InspectorHouse, recording: Recording, response: Response) -> Response:
    """Remember whose session this browser has: Genesys' calls name a session, not a browser."""
    session = services().book.find(cookies.session_token(request))
    if session is not None and house.shelf.pointed(SESSION, session.key) != recording.id:
        house.shelf.point(SESSION, session.key, recording.id)
    return response


def _label_of(invitation: Invitation | None) -> str:
    return "" if invitation is None else invitation.label


def _limit(here: Services, what: str, whose: str, most: int) -> None:
    count = here.store.count(f"{what}:{whose}", window=WINDOW)
    if count.value > most:
        raise RateLimitedError(f"{what} of one", retry_after=count.resets_in)
