"""All that is known of one guest, for the person whose it is."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from bff.errors import GuestUnknownError
from bff.guests.guest_binding import GuestBinding
from bff.record_ports import GuestRow
from bff.records.audit_events import Action
from bff.records.guest_memory import GuestFacts
from bff.records.guest_records import GuestRecords
from bff.records.purpose_keys import PurposeKeys
from bff.trail_ports import Place, TrailKeeper, TrailQuery, TrailRow, moment

PAGE: Final = 500
_ERASURE: Final = frozenset({Action.ERASURE_ASKED.value, Action.GUEST_ERASED.value})
_PRINTS: Final = ("device", "person", "email", "browser")


def export_guest(
    guest_id: str, *, guests: GuestRecords, keeper: TrailKeeper, purposes: PurposeKeys
) -> dict[str, Any]:
    """Return profile, sessions, times and events, ready for JSON.

    Of a guest who has been erased: that it was asked for and done, and when.

    Raises GuestUnknownError if there is none of it; RecordsDownError, StoreDownError.
    """
    pseudonym = purposes.pseudonym(guest_id)
    row, sessions = guests.rows.find(guest_id), guests.live.of(guest_id)
    waiting = [facts for facts in guests.memory.waiting() if facts.guest_id == guest_id]
    is_gone = row is None and not sessions and guests.erasure.erased_at(guest_id) is not None
    told = _events(keeper, pseudonym)
    if is_gone:
        events = [_bare(event) for event in told if event.action in _ERASURE]
    else:
        events = [_event(event) for event in told]
    if row is None and not sessions and not events and not waiting:
        raise GuestUnknownError("nothing is known of this guest")
    return {
        "guest_id": guest_id,
        "pseudonym": pseudonym,
        "profile": guests.memory.profile_of(guest_id) or {},
        "record": None if row is None else _record(row),
        "sessions": [_session(binding) for binding in sessions],
        # Not written yet, or set aside: the database will have it one day.
        "waiting": [] if is_gone else [_fact(facts) for facts in waiting],
        "events": events,
    }


def _record(row: GuestRow) -> dict[str, Any]:
    prints = {name: value for name in _PRINTS if (value := getattr(row, name)) is not None}
    return {
        "created_at": row.created_at.isoformat(),
        "seen_at": row.seen_at.isoformat(),
        # Keyed: they find this guest again, and say nothing about the device or the e-mail.
        "fingerprints": prints,
        # Whoever has the token speaks as this guest; it is known that it is kept, and no more.
        "genesys_session_kept": row.session_sealed is not None,
    }


def _session(binding: GuestBinding) -> dict[str, Any]:
    return {
        "person": binding.person,
        "created_at": binding.created_at.isoformat(),
        "used_at": binding.used_at.isoformat(),
        "expires_at": binding.expires_at.isoformat(),
        "metadata": dict(binding.metadata),
    }


def _fact(facts: GuestFacts) -> dict[str, Any]:
    told = {"at": facts.at.isoformat(), "person": facts.person, "profile": dict(facts.profile)}
    return {**told, "ended": facts.ended}


def _events(keeper: TrailKeeper, pseudonym: str) -> Iterator[TrailRow]:
    query, after = TrailQuery(guests=(pseudonym,)), None
    while page := keeper.page(query, after=after, limit=PAGE):
        yield from page
        after = Place(at=page[-1].at, seq=page[-1].seq)


def _bare(row: TrailRow) -> dict[str, Any]:
    """Return of an erasure that it was, and when: not who asked from where."""
    bare = replace(row, actor="", source=None, details=json.dumps({}))
    return _event(bare)


def _at(at: int) -> str:
    try:
        return moment(at).isoformat()
    except (OverflowError, TypeError):
        # Somebody has meddled: for `audit verify` to find, and no reason to export nothing.
        return str(at)


def _event(row: TrailRow) -> dict[str, Any]:
    return {
        "at": _at(row.at),
        "action": row.action,
        "outcome": row.outcome,
        "actor": {"kind": row.actor_kind, "name": row.actor},
        "source": row.source,
        "details": row.details,
    }
