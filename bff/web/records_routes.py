"""The doors of the auditor: the trail in pages or as a stream, and the page about one person."""

import hmac
import json
from collections.abc import Iterator
from itertools import chain, islice
from typing import Final
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue

from bff.errors import AuditorUnknownError, RecordsOffError, RequestRefusedError
from bff.records.audit_events import Actor, ActorKind, Outcome
from bff.records.audit_page import person_page
from bff.records.audit_reading import reading
from bff.records.audit_report import (
    PAGE,
    Wanted,
    checked_guest,
    cursor,
    events,
    fields,
    json_line,
    place_at,
    place_of,
    query_of,
    shown,
)
from bff.records.record_house import Records
from bff.trail_ports import Place, TrailQuery, TrailRow, micros
from bff.web import problems
from bff.web.doorway import asking_address, services
from bff.web.parameters import only_known, query
from bff.web.probing import limit_probes

bp = Blueprint("records", __name__, url_prefix="/records")

STREAM: Final = "application/x-ndjson"
CHALLENGE: Final = 'Bearer realm="records", Basic realm="records", charset="UTF-8"'
REFUSALS: Final = 10
ALL_REFUSALS: Final = 100
"""Wrong tokens in a minute, of one household and of all."""

PROBES: Final = 60
ALL_PROBES: Final = 600
"""Requests without a token. A browser sends one each time before it asks its user."""


@bp.get("/audit")
def audit() -> ResponseReturnValue:
    """Report events between two times, oldest first: a page of JSON, or a stream of JSON lines."""
    records, reader = _auditor()
    only_known("from", "to", "action", "guest", "limit", "cursor")
    wanted = Wanted(
        since=query("from"), until=query("to"), action=query("action"), guest=query("guest")
    )
    chosen = query_of(wanted, records.keys)
    limit = _limit(query("limit"))
    given = query("cursor")
    after = None if given is None else place_at(given)
    streamed = request.accept_mimetypes.best == STREAM
    _note(records, reader, wanted, how="stream" if streamed else "page of the report")
    if streamed:
        return _streamed(records, chosen, after)
    return _page(records, wanted, chosen, after, limit)


@bp.get("/guests/<guest>")
def person(guest: str) -> ResponseReturnValue:
    """Show what is held about a person, and who touched it: a page to print."""
    records, reader = _auditor()
    only_known()
    guest_id = checked_guest(guest)
    _note(records, reader, Wanted(guest=guest_id), how="page about a person")
    facts = person_page(
        guest_id,
        records.guest_rows.find(guest_id),
        records.profile_of(guest_id),
        keeper=records.keeper,
        keys=records.keys,
        now=services().clock.now(),
    )
    return render_template("audit_report.html", page=facts, style=None)


@bp.errorhandler(AuditorUnknownError)
def _who_are_you(error: AuditorUnknownError) -> Response:
    response = problems.answer(error)
    response.headers["WWW-Authenticate"] = CHALLENGE
    return response


def _auditor() -> tuple[Records, Actor]:
    """Return the records and who reads them, if this is the auditor.

    A program sends the token as a bearer (RFC 6750). A browser asks its user: any name, which the
    trail will show, and the token as the password (RFC 7617).
    """
    here = services()
    if here.records is None or here.records.auditor_token is None:
        raise RecordsOffError("BFF_AUDIT_TOKEN is not set, or no records are kept")
    given = request.authorization
    name, token = "", None
    if given is not None and given.type == "bearer":
        token = given.token
    elif given is not None and given.type == "basic":
        name, token = given.username or "", given.password
    reader = Actor(kind=ActorKind.AUDITOR, name=name)
    if token is None:
        limit_probes("auditor-probes", of_household=PROBES, of_all=ALL_PROBES)
        raise AuditorUnknownError("no token")
    # As bytes: a text of more than ASCII would be no false token but an error.
    if not hmac.compare_digest(_raw(token), _raw(here.records.auditor_token)):
        _note(here.records, reader, Wanted(), how=request.endpoint or "", outcome=Outcome.REFUSED)
        limit_probes("auditor", of_household=REFUSALS, of_all=ALL_REFUSALS)
        raise AuditorUnknownError("wrong token")
    return here.records, reader


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _page(
    records: Records, wanted: Wanted, chosen: TrailQuery, after: Place | None, limit: int
) -> ResponseReturnValue:
    rows = records.keeper.page(chosen, after=after, limit=limit + 1)
    more = None
    if len(rows) > limit:
        # The end stands still from the first page on: reading writes events, too.
        until = chosen.until if chosen.until is not None else micros(services().clock.now())
        following = {
            "from": wanted.since,
            "to": shown(until),
            "action": wanted.action,
            "guest": wanted.guest,
            "limit": str(limit),
            "cursor": cursor(place_of(rows[limit - 1])),
        }
        said = {name: value for name, value in following.items() if value is not None}
        more = f"{url_for('records.audit')}?{urlencode(said)}"
    return jsonify({"events": [fields(row) for row in rows[:limit]], "next": more})


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= PAGE):
        raise RequestRefusedError(f"limit is no number from 1 to {PAGE}", parameter="limit")
    return int(text)


def _streamed(records: Records, chosen: TrailQuery, after: Place | None) -> Response:
    rows = events(records.keeper, chosen, after=after)
    # Before the first byte: a database that is away is still a 503, not a broken stream.
    first = list(islice(rows, 1))
    response = Response(_lines(chain(first, rows)), mimetype=STREAM)
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _lines(rows: Iterator[TrailRow]) -> Iterator[str]:
    """Yield lines, and as the last one a word that nothing is missing."""
    count = 0
    for row in rows:
        count += 1
        yield json_line(row)
    yield json.dumps({"end": True, "events": count}) + "\n"


def _note(
    records: Records,
    reader: Actor,
    wanted: Wanted,
    *,
    how: str,
    outcome: Outcome = Outcome.DONE,
) -> None:
    here = services()
    # The same trail, behind the sampler: only a refusal is ever left out and counted.
    records.refusals.note(
        reading(
            wanted,
            reader,
            how=how,
            clock=here.clock,
            entropy=here.entropy,
            source=asking_address(),
            outcome=outcome,
        )
    )
