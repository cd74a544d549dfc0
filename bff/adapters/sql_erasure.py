"""Erasures in SQL: what was asked for, and the one transaction that does it."""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from bff.adapters.sql_audit import SqlAudit
from bff.adapters.sql_engine import Result, SqlRecords
from bff.adapters.sql_guests import lock_guest, micros, moment
from bff.adapters.sql_sources import forget_guest, forget_persons
from bff.adapters.sql_tables import erasures, guests
from bff.errors import RecordsDownError, RecordsRefusedError
from bff.record_ports import ErasureRow
from bff.trail_ports import TrailEntry


class SqlErasures:
    """Keeps `record_ports.Erasures`. The events are written by the trail's own hand."""

    def __init__(self, records: SqlRecords, *, audit: SqlAudit) -> None:
        self._records = records
        self._audit = audit

    def begin(
        self, row: ErasureRow, *, asked: TrailEntry, seen_before: datetime | None = None
    ) -> ErasureRow | None:
        """Write the request and its event, unless there is one: return what is there."""

        def write(connection: Connection) -> ErasureRow | None:
            # Whoever writes this guest has ended after this, or sees what is written here.
            lock_guest(connection, row.guest)
            known = connection.execute(_newest_of(row.guest)).first()
            # Done, and yet there: an older copy of the guests was brought back. It goes again.
            if known is not None and (known.done_at is None or not _is_there(connection, row)):
                return _row(known)
            if seen_before is not None and _seen_since(connection, row, seen_before):
                return None
            connection.execute(insert(erasures).values(**_columns(row)))
            self._audit.append_on(connection, [asked])
            return row

        return self._insist(write)

    def finish(
        self,
        row: ErasureRow,
        *,
        at: datetime,
        erased: TrailEntry,
        persons: frozenset[str] = frozenset(),
    ) -> bool:
        """Delete the guest and their addresses, write the event, forget the guest's id."""

        def write(connection: Connection) -> bool:
            mine = erasures.c.request_id == row.request_id
            done = (
                update(erasures)
                .where(mine, erasures.c.done_at.is_(None))
                .values(done_at=micros(at), guest_id=None)
            )
            if connection.execute(done).rowcount == 0:
                return False
            whose = _person_of(connection, row)
            connection.execute(delete(guests).where(guests.c.guest_id == row.guest_id))
            if _is_there(connection, row):
                # No error is no promise: a trigger of somebody else's can keep a row.
                raise RecordsRefusedError(
                    "the erasure was refused: something in the database keeps the row; "
                    "run `messenger-bff check`"
                )
            self._audit.append_on(connection, [erased])
            # After it: nobody else appends until this transaction ends. So of two guests of one
            # person who are erased at once, the second one finds no other.
            forget_guest(connection, row.guest)
            if whose is None or not _is_anybody(connection, *whose):
                forget_persons(connection, row.guest, persons=persons, until=micros(at))
            return True

        return self._insist(write)

    def scrub(self) -> bool:
        """Let nothing of what was deleted stay behind in a file of ours; False if prevented."""
        try:
            return self._records.scrub()
        except sqlite3.Error as error:
            raise RecordsDownError(f"records: {type(error).__name__}") from error

    def of(self, pseudonym: str) -> ErasureRow | None:
        """Return the erasure of a guest."""
        found = self._rows(_newest_of(pseudonym))
        return found[0] if found else None

    def unfinished(self, *, limit: int) -> list[ErasureRow]:
        """Return what is not done yet, oldest first."""
        query = select(erasures).where(erasures.c.done_at.is_(None))
        return self._rows(query.order_by(erasures.c.asked_at).limit(limit))

    def _insist(self, write: Callable[[Connection], Result]) -> Result:
        try:
            return self._records.write(write)
        except (DBAPIError, OverflowError) as error:
            # Whatever it is, what was begun is begun: it is tried again until it is taken.
            cause = type(getattr(error, "orig", None) or error).__name__
            raise RecordsRefusedError(f"the erasure was refused: {cause}") from error

    def _rows(self, query: Select[Any]) -> list[ErasureRow]:
        found = self._records.read(lambda connection: connection.execute(query).all())
        return [_row(one) for one in found]


def _newest_of(pseudonym: str) -> Select[Any]:
    query = select(erasures).where(erasures.c.guest == pseudonym)
    return query.order_by(erasures.c.asked_at.desc()).limit(1)


def _person_of(connection: Connection, row: ErasureRow) -> tuple[str, str] | None:
    """Return the tenant and the person of a guest; None if they are nobody's."""
    query = select(guests.c.tenant, guests.c.person).where(guests.c.guest_id == row.guest_id)
    known = connection.execute(query).first()
    return None if known is None or known.person is None else (known.tenant, known.person)


def _is_anybody(connection: Connection, tenant: str, person: str) -> bool:
    """Say whether a person has another conversation here, and so is not erased."""
    query = select(guests.c.guest_id).where(guests.c.tenant == tenant, guests.c.person == person)
    return connection.execute(query.limit(1)).first() is not None


def _is_there(connection: Connection, row: ErasureRow) -> bool:
    query = select(guests.c.guest_id).where(guests.c.guest_id == row.guest_id)
    return connection.execute(query).first() is not None


def _seen_since(connection: Connection, row: ErasureRow, when: datetime) -> bool:
    here = guests.c.guest_id == row.guest_id
    query = select(guests.c.guest_id).where(here, guests.c.seen_at >= micros(when))
    return connection.execute(query).first() is not None


def _columns(row: ErasureRow) -> dict[str, Any]:
    return {
        "request_id": row.request_id,
        "guest": row.guest,
        "guest_id": row.guest_id,
        "asked_by": row.asked_by,
        "asked_at": micros(row.asked_at),
        "done_at": None if row.done_at is None else micros(row.done_at),
    }


def _row(found: Row[Any]) -> ErasureRow:
    return ErasureRow(
        request_id=found.request_id,
        guest=found.guest,
        guest_id=found.guest_id,
        asked_by=found.asked_by,
        asked_at=moment(found.asked_at),
        done_at=None if found.done_at is None else moment(found.done_at),
    )
