"""How far each lane of the outbox is delivered, in SQL."""

import logging
from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import DBAPIError

from bff.adapters.sql_engine import SqlRecords
from bff.adapters.sql_tables import outbox_marks
from bff.record_ports import OutboxMark

log = logging.getLogger(__name__)


class SqlOutboxMarks:
    """Keeps `record_ports.OutboxMarks`.

    A right or a table that is missing here stops no delivery: it is logged, and the store alone
    knows how far it is.
    """

    def __init__(self, records: SqlRecords) -> None:
        self._records = records

    def find(self, lane: str) -> OutboxMark | None:
        """Return how far it is. RecordsDownError if the database is away."""
        query = select(outbox_marks).where(outbox_marks.c.lane == lane)
        try:
            row = self._records.read(lambda connection: connection.execute(query).first())
        except DBAPIError as error:
            _told("read", error)
            return None
        if row is None:
            return None
        return OutboxMark(generation=row.generation, number=row.number, hash=row.hash)

    def keep(self, lane: str, mark: OutboxMark) -> None:
        """Write how far it is. RecordsDownError if the database is away."""

        def write(connection: Connection) -> None:
            connection.execute(delete(outbox_marks).where(outbox_marks.c.lane == lane))
            connection.execute(insert(outbox_marks).values(lane=lane, **asdict(mark)))

        try:
            self._records.write(write)
        except DBAPIError as error:
            _told("written", error)


def _told(done: str, error: DBAPIError) -> None:
    log.error("outbox_marks cannot be %s: %s", done, type(error.orig).__name__)
