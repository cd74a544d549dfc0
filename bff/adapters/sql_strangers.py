"""What somebody else has added to our tables, or taken from them, besides the rules of the log.

None of it says an error when it is in the way: a trigger or a rule passes a row over, row security
hides one, and without its index a table only becomes slower each day.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, Index

from bff.adapters.sql_tables import metadata
from bff.migrations.audit_rules import rules_of
from bff.trail_ports import DatabaseFinding, Weight

_TRIGGERS: Final = (
    "SELECT tgname::text FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal"
)
_RULES: Final = "SELECT rulename::text FROM pg_rewrite WHERE ev_class = to_regclass(%s)"
_INDEXES: Final = (
    "SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "WHERE i.indrelid = to_regclass(%s) AND i.indisvalid"
)
_KEY: Final = "SELECT 1 FROM pg_index WHERE indrelid = to_regclass(%s) AND indisprimary"


def hidden(connection: Connection, tables: Sequence[str]) -> Iterator[DatabaseFinding]:
    """Yield the tables whose rows this role may not see, or write, each for itself."""
    if connection.dialect.name == "sqlite":
        return
    user = connection.exec_driver_sql("SELECT current_user").scalar()
    for table in tables:
        if _one(connection, "SELECT row_security_active(to_regclass(%s)::oid)", table):
            yield DatabaseFinding(
                what=f"row security hides rows of the table {table} from the role {user}",
                fix=f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, as the owner of the tables",
            )


def strangers(connection: Connection) -> Iterator[DatabaseFinding]:
    """Yield the triggers and rules that are none of ours."""
    ours = {rule.name for rule in rules_of(connection)}
    for table in metadata.tables:
        found = {f"trigger {name}" for name in _triggers(connection, table) - ours}
        if connection.dialect.name != "sqlite":
            found |= {f"rule {name}" for name in _names(connection, _RULES, table)}
        for name in sorted(found):
            yield DatabaseFinding(
                what=f"the table {table} has a {name} that is not ours: it may pass over, or "
                "change, what is written there",
                fix="drop it, unless it is known what it does",
                weight=Weight.WARNING,
            )


def missing(connection: Connection) -> Iterator[DatabaseFinding]:
    """Yield the indexes and primary keys that are not there any more."""
    for table in metadata.tables:
        if not _has_key(connection, table):
            yield DatabaseFinding(
                what=f"the table {table} has lost its primary key",
                fix="restore the database as a whole",
                weight=Weight.WARNING,
            )
    for index in _lost(connection):
        yield DatabaseFinding(
            what=f"the table {index.table} has lost its index {index.name}, and becomes slow",
            fix="run `messenger-bff db upgrade`, which makes it anew",
            weight=Weight.WARNING,
        )


def restore_indexes(connection: Connection) -> list[str]:
    """Make anew the indexes that were lost; return a sentence for each."""
    said = []
    for index in _lost(connection):
        index.create(connection)
        said.append(f"the index {index.name} was gone; it was made anew")
    return said


def _lost(connection: Connection) -> list[Index]:
    return [
        index
        for name, table in metadata.tables.items()
        for index in sorted(table.indexes, key=lambda one: str(one.name))
        if index.name not in _indexes(connection, name)
    ]


def _indexes(connection: Connection, table: str) -> set[str]:
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM pragma_index_list(?)"
        return set(connection.exec_driver_sql(query, (table,)).scalars())
    return _names(connection, _INDEXES, table)


def _has_key(connection: Connection, table: str) -> bool:
    if not list(metadata.tables[table].primary_key):
        return True
    if connection.dialect.name == "sqlite":
        query = "SELECT 1 FROM pragma_table_info(?) WHERE pk > 0"
        return connection.exec_driver_sql(query, (table,)).first() is not None
    return bool(_one(connection, _KEY, table))


def _triggers(connection: Connection, table: str) -> set[str]:
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
        return set(connection.exec_driver_sql(query, (table,)).scalars())
    return _names(connection, _TRIGGERS, table)


def _names(connection: Connection, query: str, table: str) -> set[str]:
    return set(connection.exec_driver_sql(query, (table,)).scalars())


def _one(connection: Connection, query: str, table: str) -> object:
    return connection.exec_driver_sql(query, (table,)).scalar()
