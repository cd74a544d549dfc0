"""How far imports are, in SQL."""

from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select

from bff.adapters.sql_engine import SqlRecords
from bff.adapters.sql_guests import micros, moment
from bff.adapters.sql_tables import imports
from bff.record_ports import ImportRow


class SqlImports:
    """Keeps `record_ports.Imports`."""

    def __init__(self, records: SqlRecords) -> None:
        self._records = records

    def find(self, name: str) -> ImportRow | None:
        """Return how far it is."""
        query = select(imports).where(imports.c.name == name)
        found = self._records.read(lambda connection: connection.execute(query).first())
        if found is None:
            return None
        values = dict(found._mapping)  # noqa: SLF001 - the library's own name for it
        return ImportRow(**{**values, "updated_at": moment(values["updated_at"])})

    def keep(self, row: ImportRow) -> None:
        """Write how far it is."""
        values = {**asdict(row), "updated_at": micros(row.updated_at)}

        def write(connection: Connection) -> None:
            connection.execute(delete(imports).where(imports.c.name == row.name))
            connection.execute(insert(imports).values(**values))

        self._records.write(write)
