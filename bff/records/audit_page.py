"""What is held about one person, and who touched it: the facts of the page, without its looks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

from bff.record_ports import GuestRow
from bff.records.audit_report import details_of, events, shown
from bff.records.purpose_keys import PurposeKeys
from bff.trail_ports import TrailKeeper, TrailQuery, TrailRow

MOST_EVENTS: Final = 5000
NAMES: Final = {"email": "E-mail address", "name": "Name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One thing that is held."""

    what: str
    value: str = field(repr=False)
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """Who touched it: one event of the trail, for a reader."""

    seq: int
    at: str
    action: str
    outcome: str
    actor: str
    source: str | None = field(repr=False)
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPage:
    """Everything on the page. `more` says that the trail has more than is listed."""

    guest_id: str
    pseudonym: str
    made_at: datetime
    created_at: datetime | None
    seen_at: datetime | None
    holdings: tuple[Holding, ...]
    touches: tuple[Touch, ...]
    counts: tuple[tuple[str, int], ...]
    more: bool


def person_page(
    guest_id: str,
    row: GuestRow | None,
    profile: Mapping[str, str] | None,
    *,
    keeper: TrailKeeper,
    keys: PurposeKeys,
    now: datetime,
) -> PersonPage:
    """Gather the page. `profile` is None if nobody can open what is sealed."""
    pseudonym = keys.pseudonym(guest_id)
    rows = list(islice(events(keeper, TrailQuery(guests=(pseudonym,))), MOST_EVENTS + 1))
    counts = Counter(_words(one.action) for one in rows[:MOST_EVENTS])
    return PersonPage(
        guest_id=guest_id,
        pseudonym=pseudonym,
        made_at=now,
        created_at=None if row is None else row.created_at,
        seen_at=None if row is None else row.seen_at,
        holdings=tuple(_holdings(row, profile)),
        touches=tuple(map(_touch, rows[:MOST_EVENTS])),
        counts=tuple(counts.most_common()),
        more=len(rows) > MOST_EVENTS,
    )


def _holdings(row: GuestRow | None, profile: Mapping[str, str] | None) -> Sequence[Holding]:
    if row is None:
        return ()
    sealed = "sealed under this person's own key"
    held = [
        Holding(what=NAMES.get(name, name), value=value, how=sealed)
        for name, value in (profile or {}).items()
    ]
    if profile is None and (row.email_sealed or row.name_sealed or row.fields_sealed):
        lost = "sealed; its key is not here, so nobody can read it"
        held.append(Holding(what="Profile", value="not readable", how=lost))
    if row.session_sealed is not None:
        value = "kept, so that this browser can go on with its chat"
        held.append(Holding(what="Key to the chat at Genesys", value=value, how=sealed))
    prints = {
        "Device": row.device,
        "Person, as signed in": row.person,
        "E-mail, to find it by": row.email,
        "Browser": row.browser,
    }
    held += [
        Holding(what=what, value=f"{value[:16]}…", how="keyed fingerprint: it leads back to nobody")
        for what, value in prints.items()
        if value is not None
    ]
    return held


def _touch(row: TrailRow) -> Touch:
    details = details_of(row)
    told = details.items() if isinstance(details, dict) else [("details", details)]
    return Touch(
        seq=row.seq,
        at=shown(row.at)[:19].replace("T", " "),
        action=_words(row.action),
        outcome=row.outcome,
        actor=f"{row.actor_kind} {row.actor}".strip(),
        source=row.source,
        details=tuple((str(name), _said(value)) for name, value in told),
    )


def _words(action: str) -> str:
    return action.replace("_", " ")


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
