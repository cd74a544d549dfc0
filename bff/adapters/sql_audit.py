"""The audit trail in SQL: a chain that every writer continues, alone for the moment."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, or_, select, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DBAPIError

from bff.adapters.sql_engine import SqlRecords
from bff.adapters.sql_refusals import first_line
from bff.adapters.sql_sources import without_forgotten
from bff.adapters.sql_tables import audit_events, audit_heads, audit_sources, audit_strays
from bff.crypto.trail_chain import BEGINNING, SALT_BYTES, Column, link, source_digest
from bff.errors import RecordsDownError
from bff.migrations.audit_rules import LAST_SEQ, LOG_LOCK
from bff.ports import Clock, Entropy
from bff.trail_ports import Place, SignedHead, TrailEntry, TrailQuery, TrailRow, micros

_NEWEST_FIRST: Final = (audit_heads.c.seq.desc(), audit_heads.c.signed_at.desc())
_NAMES: Final = tuple(column.name for column in audit_events.columns)
_HASHED: Final = _NAMES[: _NAMES.index("previous")]
_EVENTS: Final[Select[Any]] = select(
    audit_events, audit_sources.c.salt, audit_sources.c.source
).select_from(audit_events.outerjoin(audit_sources, audit_sources.c.seq == audit_events.c.seq))


class SqlAudit:
    """Keeps `trail_ports.TrailKeeper`."""

    def __init__(self, records: SqlRecords, *, clock: Clock, entropy: Entropy) -> None:
        self._records = records
        self._clock = clock
        self._entropy = entropy

    def append(self, entries: Sequence[TrailEntry]) -> int:
        """Add what is not there yet, in this order; return the newest `seq`.

        Whatever the database refuses is a reason to wait: a table that is not there yet, a right
        that is missing, a log that somebody has put an end to. An event is never thrown away
        because of it.
        """
        return self._records.insist(lambda connection: self.append_on(connection, entries))

    def newest(self) -> TrailRow | None:
        """Return the last event."""
        found = self._events(_EVENTS.order_by(audit_events.c.seq.desc()).limit(1))
        return found[0] if found else None

    def rows(self, *, after: int, limit: int) -> list[TrailRow]:
        """Return the next events in the order of the chain."""
        query = _EVENTS.where(audit_events.c.seq > after).order_by(audit_events.c.seq)
        return self._events(query.limit(limit))

    def page(self, query: TrailQuery, *, after: Place | None, limit: int) -> list[TrailRow]:
        """Return the next events of a report, oldest first."""
        at, seq = audit_events.c.at, audit_events.c.seq
        chosen = _EVENTS.order_by(at, seq).limit(limit)
        if query.since is not None:
            chosen = chosen.where(at >= query.since)
        if query.until is not None:
            chosen = chosen.where(at <= query.until)
        if query.action is not None:
            chosen = chosen.where(audit_events.c.action == query.action)
        if query.guests:
            chosen = chosen.where(audit_events.c.guest.in_(query.guests))
        if after is not None:
            chosen = chosen.where(or_(at > after.at, and_(at == after.at, seq > after.seq)))
        return self._events(chosen)

    def heads(self) -> list[SignedHead]:
        """Return every signed head, oldest first."""
        return self._heads(select(audit_heads).order_by(audit_heads.c.seq, audit_heads.c.signed_at))

    def newest_head(self) -> SignedHead | None:
        """Return the last signed head."""
        found = self._heads(select(audit_heads).order_by(*_NEWEST_FIRST).limit(1))
        return found[0] if found else None

    def heads_before(self, seq: int | None, *, limit: int) -> list[SignedHead]:
        """Return heads of events before `seq` (None: of all), newest first."""
        numbers = select(audit_heads.c.seq).distinct().order_by(audit_heads.c.seq.desc())
        if seq is not None:
            numbers = numbers.where(audit_heads.c.seq < seq)
        chosen = audit_heads.c.seq.in_(numbers.limit(limit))
        return self._heads(select(audit_heads).where(chosen).order_by(*_NEWEST_FIRST))

    def add_head(self, head: SignedHead) -> bool:
        """Keep a head; False if this very one is kept already."""

        def add(connection: Connection) -> bool:
            _stand_alone(connection)
            known = select(audit_heads.c.seq).where(
                audit_heads.c.seq == head.seq,
                audit_heads.c.key_id == head.key_id,
                audit_heads.c.signature == head.signature,
            )
            if connection.execute(known).first() is not None:
                return False
            connection.execute(insert(audit_heads).values(**asdict(head)))
            return True

        try:
            return self._records.write(add)
        except DBAPIError as error:
            raise RecordsDownError(f"the trail takes no head: {first_line(error)}") from error

    def strays(self) -> int:
        """Return how many rows `db upgrade` has set aside, because they were no events."""
        query = select(func.count()).select_from(audit_strays)
        return int(self._records.read(lambda connection: connection.execute(query).scalar_one()))

    def prune_sources(self, before: int) -> int:
        """Forget from where events older than `before` came; return how many."""
        old = select(audit_events.c.seq).where(audit_events.c.at < before)
        forget = delete(audit_sources).where(audit_sources.c.seq.in_(old))
        return self._records.write(lambda connection: connection.execute(forget).rowcount)

    def append_on(self, connection: Connection, entries: Sequence[TrailEntry]) -> int:
        """Do the same within somebody's transaction: with what it tells of, or not at all."""
        _stand_alone(connection)
        last = connection.execute(
            select(audit_events.c.seq, audit_events.c.hash)
            .order_by(audit_events.c.seq.desc())
            .limit(1)
        ).first()
        seq, previous = (0, BEGINNING) if last is None else (last.seq, last.hash)
        if not isinstance(seq, int) or seq + len(entries) > LAST_SEQ:
            raise RecordsDownError(
                f"the trail takes no event: somebody ended it with the number {str(seq)[:40]}; "
                "`messenger-bff db upgrade` sets that row aside"
            )
        known = _known(connection, entries)
        events, sources = [], []
        for entry in without_forgotten(connection, entries):
            if entry.event_id in known:
                continue
            known.add(entry.event_id)
            seq += 1
            salt = None if entry.source is None else self._entropy.bytes(SALT_BYTES)
            event = self._event(entry, seq, salt)
            event["previous"] = previous
            event["hash"] = previous = link(tuple(event[name] for name in _HASHED), previous)
            events.append(event)
            if salt is not None:
                sources.append({"seq": seq, "salt": salt, "source": entry.source})
        if events:
            connection.execute(insert(audit_events), events)
            _must_be_there(connection, events)
        if sources:
            _keep_sources(connection, sources)
        return int(seq)

    def _event(self, entry: TrailEntry, seq: int, salt: bytes | None) -> dict[str, Column]:
        columns: dict[str, Column] = asdict(entry)
        source = columns.pop("source")
        columns["seq"] = seq
        columns["written_at"] = micros(self._clock.now())
        columns["source_digest"] = None if salt is None else source_digest(salt, str(source))
        return columns

    def _events(self, query: Select[Any]) -> list[TrailRow]:
        rows = self._records.read(lambda connection: connection.execute(query).all())
        return [_row(row) for row in rows]

    def _heads(self, query: Select[Any]) -> list[SignedHead]:
        rows = self._records.read(lambda connection: connection.execute(query).all())
        return [SignedHead(**row._mapping) for row in rows]  # noqa: SLF001 - its public name


def _stand_alone(connection: Connection) -> None:
    """Be the only writer of the trail until the transaction ends.

    SQLite's BEGIN IMMEDIATE has done that already. PostgreSQL's statements see what was there
    when they began, so the lock comes before the first of them.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": LOG_LOCK})


def _must_be_there(connection: Connection, events: list[dict[str, Column]]) -> None:
    """Raise RecordsDownError unless the log has what was added: no error is no promise.

    A trigger or a rule of somebody else's can pass a row over, and tell nobody.
    """
    first = events[0]["seq"]
    query = select(audit_events.c.hash).where(audit_events.c.seq >= first)
    there = set(map(bytes, connection.execute(query).scalars()))
    if not all(event["hash"] in there for event in events):
        raise RecordsDownError(
            "the trail takes no event: something in the database passes it over, or changes it; "
            "run `messenger-bff check`"
        )


def _keep_sources(connection: Connection, sources: list[dict[str, Any]]) -> None:
    """Write from where events came; what lies there of a tail that was cut must not stop us.

    It stays as it is, for `audit verify` to find: the role that adds need not be able to delete.
    """
    insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    connection.execute(insert(audit_sources).on_conflict_do_nothing(), sources)


def _known(connection: Connection, entries: Sequence[TrailEntry]) -> set[str]:
    ids = [entry.event_id for entry in entries]
    query = select(audit_events.c.event_id).where(audit_events.c.event_id.in_(ids))
    return set(connection.execute(query).scalars())


def _row(row: Row[Any]) -> TrailRow:
    return TrailRow(**row._mapping)  # noqa: SLF001 - its public name
