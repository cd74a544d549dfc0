"""The rows of the guests, in SQL."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, func, insert, select, text, update

from bff.adapters.sql_engine import SqlRecords
from bff.adapters.sql_guest_merge import changed, merged
from bff.adapters.sql_tables import IS_OPEN, erasures, guests
from bff.errors import RecordsDownError
from bff.record_ports import GuestRow

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
ROOM: Final = 0x6D736267  # of locks with two numbers, which are apart from those with one
_MOMENTS: Final = frozenset({"created_at", "seen_at", "session_at", "ended_at"})


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

    def keep(self, row: GuestRow, *, pseudonym: str, tie: str = "", imported: bool = False) -> bool:
        """Write what one fact says of a guest, unless a guest of this pseudonym was erased."""
        fact, at = _columns(row), micros(row.seen_at)

        def write(connection: Connection) -> bool:
            lock_guest(connection, pseudonym)
            if connection.execute(_erasure_of(pseudonym)).first() is not None:
                return False
            here = guests.c.guest_id == row.guest_id
            known = connection.execute(select(guests).where(here).with_for_update()).first()
            before = None if known is None else _named(known)
            after = merged(before, fact, at=at, tie=tie, imported=imported)
            if before is None:
                connection.execute(insert(guests).values(**after))
                version = after["version"]
            elif change := changed(before, after):
                change["version"] = version = before["version"] + 1
                connection.execute(update(guests).where(here).values(**change))
            else:
                return True
            # No error is no promise: a trigger of somebody else's can pass a row over.
            there = connection.execute(select(guests.c.version).where(here)).scalar()
            if there != version:
                raise RecordsDownError(
                    "the guests take no row: something in the database passes it over; "
                    "run `messenger-bff check`"
                )
            return True

        return self._records.insist(write)

    def find(self, guest_id: str) -> GuestRow | None:
        """Return a guest."""
        found = self._rows(select(guests).where(guests.c.guest_id == guest_id))
        return found[0] if found else None

    def is_erased(self, pseudonym: str) -> bool:
        """Say whether the guest of this pseudonym has been erased, or will be."""
        query = _erasure_of(pseudonym)
        return self._records.read(lambda connection: connection.execute(query).first()) is not None

    def of_device(
        self, tenant: str, device: str, *, browser: str | None, person: str | None, limit: int
    ) -> list[GuestRow]:
        """Return the guests of a device that a browser or a person may continue, newest first."""
        here, found = (guests.c.device == device, text(IS_OPEN)), list[GuestRow]()
        # Two questions, each answered by an index of its own; one with OR is answered by none.
        if person is not None:
            found += self._newest(and_(*here, guests.c.person == person), tenant, limit)
        if browser is not None:
            of_browser = and_(*here, guests.c.browser == browser, guests.c.person.is_(None))
            found += self._newest(of_browser, tenant, limit)
        return sorted(found, key=lambda row: row.seen_at, reverse=True)[:limit]

    def has_open(self, tenant: str, device: str) -> bool:
        """Say whether anybody has a conversation on this device that could be continued."""
        query = (
            select(guests.c.guest_id)
            .where(guests.c.tenant == tenant, guests.c.device == device, text(IS_OPEN))
            .limit(1)
        )
        return self._records.read(lambda connection: connection.execute(query).first()) is not None

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

    def tenants(self) -> list[str]:
        """Return every tenant of whom there is a guest."""
        query = select(guests.c.tenant).distinct().order_by(guests.c.tenant)
        return self._records.read(lambda connection: list(connection.execute(query).scalars()))

    def with_fields(self, *, after: str, limit: int) -> list[GuestRow]:
        """Return guests with further fields of a profile, by their ids, those after that id."""
        there = (guests.c.guest_id > after, guests.c.fields_sealed.is_not(None))
        return self._rows(select(guests).where(*there).order_by(guests.c.guest_id).limit(limit))

    def _newest(self, condition: Any, tenant: str, limit: int | None) -> list[GuestRow]:
        query = select(guests).where(guests.c.tenant == tenant, condition)
        return self._rows(query.order_by(guests.c.seen_at.desc(), guests.c.guest_id).limit(limit))

    def _rows(self, query: Select[Any]) -> list[GuestRow]:
        found = self._records.read(lambda connection: connection.execute(query).all())
        return [_row(one) for one in found]


def _erasure_of(pseudonym: str) -> Select[Any]:
    return select(erasures.c.guest).where(erasures.c.guest == pseudonym).limit(1)


def _columns(row: GuestRow) -> dict[str, Any]:
    return {name: _written(name, value) for name, value in asdict(row).items()}


def _named(found: Row[Any]) -> dict[str, Any]:
    values = found._mapping  # noqa: SLF001 - the library's own name for it
    return {str(name): value for name, value in values.items()}


def _row(found: Row[Any]) -> GuestRow:
    known = _named(found)
    return GuestRow(
        **{name: _read(name, known[name]) for name in GuestRow.__dataclass_fields__},
    )


def _written(name: str, value: Any) -> Any:
    return micros(value) if name in _MOMENTS and value is not None else value


def _read(name: str, value: Any) -> Any:
    return moment(value) if name in _MOMENTS and value is not None else value
