"""From where events came, of guests who were erased: their addresses are kept nowhere.

An event stays, and with it a digest that leads back to nothing once salt and address are gone.
Addresses of those who asked, read or exported are not the guest's, and stay until they are pruned.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    false,
    func,
    literal_column,
    or_,
    select,
)

from bff.adapters.sql_tables import audit_events, audit_sources
from bff.trail_ports import TrailEntry

PERSON: Final = "person"
NOT_THE_GUEST: Final = frozenset({"operator", "auditor", "genesys"})

_events: Final = audit_events.c
# Literals, not parameters: only so a partial index is used (migration 0005).
_BY_A_PERSON: Final = _events.actor_kind == literal_column("'person'")
_ENDS: Final = _events.action.in_(("erasure_asked", "guest_erased"))
_BY_THE_SYSTEM: Final = and_(
    _events.actor_kind == literal_column("'system'"),
    _events.action == literal_column("'session_revoked'"),
)


def forget_guest(connection: Connection, guest: str) -> None:
    """Forget the addresses that the events of a guest came from; `guest` is the pseudonym."""
    _forget(connection, and_(_events.guest == guest, _events.actor_kind.not_in(NOT_THE_GUEST)))


def forget_persons(
    connection: Connection, guest: str, *, persons: Collection[str], until: int
) -> None:
    """Forget up to that moment (µs since 1970) the addresses of the persons who a guest was.

    `persons` are pairwise subjects as far as the caller knows them; the events of the guest, whose
    pseudonym is given, name further ones.
    """
    named = select(_events.actor).where(_events.guest == guest, _BY_A_PERSON).distinct()
    known = {*persons, *connection.execute(named).scalars()} - {""}
    if known:
        _forget(connection, and_(_events.at <= until, _is_of(known)))


def without_forgotten(connection: Connection, entries: Sequence[TrailEntry]) -> list[TrailEntry]:
    """Return events as they may be written: no address of a guest who has been erased.

    An event that says who an erased guest was has the earlier addresses of that person forgotten.
    """
    gone = _erased(connection, {entry.guest for entry in entries if entry.guest is not None})
    for entry in entries:
        if entry.guest in gone and entry.actor_kind == PERSON and entry.actor:
            forget_persons(connection, entry.guest, persons={entry.actor}, until=gone[entry.guest])
    return [_admitted(connection, entry, gone) for entry in entries]


def _admitted(connection: Connection, entry: TrailEntry, gone: Collection[str]) -> TrailEntry:
    if entry.source is None or entry.actor_kind in NOT_THE_GUEST:
        return entry
    forgotten = entry.guest in gone or _is_erased(connection, _whose(entry), entry.at)
    return replace(entry, source=None) if forgotten else entry


def _whose(entry: TrailEntry) -> str:
    """Return which person an event is about, if it names one."""
    if entry.actor_kind == PERSON:
        return entry.actor
    named = json.loads(entry.details).get("person") if '"person":' in entry.details else None
    return named if isinstance(named, str) else ""


def _erased(connection: Connection, guests: Collection[str]) -> dict[str, int]:
    """Return which of these guests have been erased, or will be, and when.

    The log itself says so: who only adds to it needs no right to another table.
    """
    if not guests:
        return {}
    query = select(_events.guest, func.max(_events.at)).where(_events.guest.in_(guests), _ENDS)
    rows = connection.execute(query.group_by(_events.guest)).all()
    return {row[0]: row[1] for row in rows}


def _is_erased(connection: Connection, person: str, at: int) -> bool:
    """Say whether an erased guest was this person, erased at that moment or later."""
    if not person:
        return False
    # Hardly ever any: an event comes late, or its person was erased in the same moment.
    since = select(_events.guest).where(_events.at >= at, _ENDS)
    gone = set(connection.execute(since).scalars())
    if not gone:
        return False
    mine = select(_events.seq).where(_BY_A_PERSON, _events.actor == person, _events.guest.in_(gone))
    return connection.execute(mine.limit(1)).first() is not None


def _is_of(persons: Collection[str]) -> ColumnElement[bool]:
    """Return what events of these persons have in common, their sessions' ends included."""
    told = or_(
        false(),
        *(_events.details.contains(f'"person":"{one}"', autoescape=True) for one in persons),
    )
    return or_(and_(_BY_A_PERSON, _events.actor.in_(persons)), and_(_BY_THE_SYSTEM, told))


def _forget(connection: Connection, which: ColumnElement[Any]) -> None:
    seqs = select(_events.seq).where(which)
    connection.execute(delete(audit_sources).where(audit_sources.c.seq.in_(seqs)))
