"""The rows of the guests, in SQL."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, insert, select, text, update

from bff.adapters.sql_engine import SqlRecords
from bff.adapters.sql_tables import erasures, guests
from bff.record_ports import GuestRow

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
ROOM: Final = 0x6D736267  # of locks with two numbers, which are apart from those with one
_MERGED: Final = (
    *("device", "person", "email", "browser"),
    *("email_sealed", "name_sealed", "fields_sealed", "session_sealed"),
)


def micros(moment: datetime) -> int:
    """Return a moment as SQL keeps it."""
    return (moment - EPOCH) // MICROSECOND


def moment(value: int) -> datetime:
    """Return a moment that SQL has kept."""
    return EPOCH + value * MICROSECOND


def lock_guest(connection: Connection, pseudonym: str) -> None:
    """Be the only one who writes this guest, or erases them, until the transaction ends.

    SQLite has one writer anyway. On PostgreSQL two could both find nothing and insert, and a
    writer that looked for an erasure before there was one could write after the guest was deleted.
    """
    if connection.dialect.name == "postgresql":
        which = int(pseudonym[:8], 16) - 2**31
        lock = text("SELECT pg_advisory_xact_lock(:room, :which)")
        connection.execute(lock, {"room": ROOM, "which": which})


class SqlGuests:
    """Keeps `record_ports.GuestRows`."""

    def __init__(self, records: SqlRecords) -> None:
        self._records = records

    def keep(self, row: GuestRow, *, pseudonym: str) -> bool:
        """Write a guest, unless a guest of this pseudonym has been erased."""

        def write(connection: Connection) -> bool:
            lock_guest(connection, pseudonym)
            gone = select(erasures.c.guest).where(erasures.c.guest == pseudonym).limit(1)
            if connection.execute(gone).first() is not None:
                return False
            query = select(guests).where(guests.c.guest_id == row.guest_id).with_for_update()
            known = connection.execute(query).first()
            if known is None:
                connection.execute(insert(guests).values(**_columns(row)))
            else:
                change = _merged(row, known)
                if change:
                    here = guests.c.guest_id == row.guest_id
                    connection.execute(update(guests).where(here).values(**change))
            return True

        return self._records.insist(write)

    def end_session(self, guest_id: str) -> None:
        """Forget how to continue a guest's conversation: it is over."""
        here = guests.c.guest_id == guest_id
        over = update(guests).where(here).values(session_sealed=None)
        self._records.insist(lambda connection: connection.execute(over))

    def find(self, guest_id: str) -> GuestRow | None:
        """Return a guest."""
        found = self._rows(select(guests).where(guests.c.guest_id == guest_id))
        return found[0] if found else None

    def of_device(self, tenant: str, device: str, *, limit: int) -> list[GuestRow]:
        """Return the guests of a device, newest first."""
        return self._newest(guests.c.device == device, tenant, limit)

    def of_person(self, tenant: str, person: str, *, limit: int) -> list[GuestRow]:
        """Return the guests of a person, newest first."""
        return self._newest(guests.c.person == person, tenant, limit)

    def of_email(self, tenant: str, email: str) -> list[GuestRow]:
        """Return the guests with this e-mail, newest first."""
        return self._newest(guests.c.email == email, tenant, None)

    def unused_since(self, moment: datetime, *, limit: int) -> list[str]:
        """Return the ids of guests that nobody has seen since `moment`, oldest first."""
        query = (
            select(guests.c.guest_id)
            .where(guests.c.seen_at < micros(moment))
            .order_by(guests.c.seen_at)
            .limit(limit)
        )
        return self._records.read(lambda connection: list(connection.execute(query).scalars()))

    def count(self, *, unused_since: datetime | None = None) -> int:
        """Return how many guests there are, or how many nobody has seen since that moment."""
        query = select(func.count()).select_from(guests)
        if unused_since is not None:
            query = query.where(guests.c.seen_at < micros(unused_since))
        return self._records.read(lambda connection: connection.execute(query).scalar_one())

    def _newest(self, condition: Any, tenant: str, limit: int | None) -> list[GuestRow]:
        query = select(guests).where(guests.c.tenant == tenant, condition)
        return self._rows(query.order_by(guests.c.seen_at.desc(), guests.c.guest_id).limit(limit))

    def _rows(self, query: Select[Any]) -> list[GuestRow]:
        found = self._records.read(lambda connection: connection.execute(query).all())
        return [_row(one) for one in found]


def _columns(row: GuestRow) -> dict[str, Any]:
    return {**asdict(row), "created_at": micros(row.created_at), "seen_at": micros(row.seen_at)}


def _merged(row: GuestRow, known: Row[Any]) -> dict[str, Any]:
    """Return what changes: the newer word counts, and an older one where there is none."""
    newer = micros(row.seen_at) >= known.seen_at
    change = {
        name: value
        for name in _MERGED
        if (value := getattr(row, name)) is not None
        and value != getattr(known, name)
        and (newer or getattr(known, name) is None)
    }
    if newer and micros(row.seen_at) != known.seen_at:
        change["seen_at"] = micros(row.seen_at)
    return {**change, "version": known.version + 1} if change else {}


def _row(found: Row[Any]) -> GuestRow:
    values = dict(found._mapping)  # noqa: SLF001 - the library's own name for it
    return GuestRow(
        **{
            **values,
            "created_at": moment(values["created_at"]),
            "seen_at": moment(values["seen_at"]),
        }
    )
