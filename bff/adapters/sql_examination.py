"""Says what is wrong with a database of records, before anything is asked of its tables.

Only catalogs are read, and only what the role may read: nothing here fails in the middle.
"""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection

from bff.adapters import sql_migrations
from bff.adapters.sql_rights import lacking, unlimited
from bff.adapters.sql_strangers import hidden, missing, strangers
from bff.adapters.sql_tables import metadata
from bff.adapters.sql_triggers import lost
from bff.trail_ports import DatabaseFinding, Weight

VERSIONS: Final = "alembic_version"
UPGRADE: Final = "run `messenger-bff db upgrade`"
ANOTHER: Final = "name a database of its own in BFF_RECORDS_URL"


def examine(connection: Connection) -> list[DatabaseFinding]:
    """Return what is wrong, the worst first; nothing if the service can work with it."""
    for look in (unusable, _version, _parts, _rights):
        found = list(look(connection))
        if found:
            return found
    return [*_damage(connection), *strangers(connection), *missing(connection), *_role(connection)]


def unusable(connection: Connection) -> Iterator[DatabaseFinding]:
    """Yield why nothing of ours can be in this database, or be made there."""
    if connection.dialect.name == "sqlite":
        yield from _foreign_file(connection)
        return
    encoding = _scalar(connection, "SHOW server_encoding")
    if encoding != "UTF8":
        yield DatabaseFinding(
            what=f"the database has the encoding {encoding}, and records need UTF8",
            fix="make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
        )
    elif _scalar(connection, "SELECT current_schema()") is None:
        yield DatabaseFinding(
            what=f"the role {_user(connection)} can use no schema of its search path",
            fix="let the owner GRANT USAGE ON SCHEMA … to it",
        )


def not_upgradable(connection: Connection) -> DatabaseFinding | None:
    """Return why `db upgrade` must not touch this database; None if it may."""
    found = [*unusable(connection)]
    if not found:
        # An older version is what an upgrade is for, and so is an empty database.
        found = [one for one in _version(connection) if one.fix != UPGRADE]
    if not found and is_newest(connection):
        found = list(_parts(connection))
    if not found and connection.dialect.name != "sqlite":
        found = list(_read_only(connection))
    return found[0] if found else None


def is_newest(connection: Connection) -> bool:
    """Say whether the version of the tables is the newest one, whatever else is there."""
    there = VERSIONS in _tables(connection)
    return there and _revisions(connection) == [sql_migrations.known_revisions()[0]]


def _version(connection: Connection) -> Iterator[DatabaseFinding]:
    tables = _tables(connection)
    ours = tables & set(metadata.tables)
    if VERSIONS not in tables:
        yield _without_version(ours)
        return
    if not _readable(connection, VERSIONS):
        yield _no_right(connection, VERSIONS, ["SELECT"])
        return
    unseen = list(hidden(connection, (VERSIONS, *metadata.tables)))
    if unseen:
        yield from unseen
        return
    known, found = sql_migrations.known_revisions(), _revisions(connection)
    if found is None or len(found) > 1:
        yield _of_another(", ".join(found or ()) or "of another form")
    elif not found:
        yield _without_version(ours)
    elif found[0] not in known:
        yield _unknown_version(found[0], known[0])
    elif found[0] != known[0]:
        yield DatabaseFinding(
            what=f"the tables are not those of this version: they are at {found[0]}, "
            f"and this version needs {known[0]}",
            fix=UPGRADE,
        )


def _without_version(ours: set[str]) -> DatabaseFinding:
    if not ours:
        return DatabaseFinding(
            what="the tables are not those of this version: there are none yet", fix=UPGRADE
        )
    return DatabaseFinding(
        what=f"tables are there without their version in {VERSIONS} ({_some(ours)}): restored in "
        "part, or another application's",
        fix=f"restore the database as a whole, or {ANOTHER}",
    )


def _unknown_version(found: str, newest: str) -> DatabaseFinding:
    if found.isdecimal() and len(found) == len(newest) and found > newest:
        return DatabaseFinding(
            what=f"the tables are newer than this version: they are at {found}, "
            f"and this version knows {newest} at most",
            fix="run the version of messenger-bff that made them, or restore an older backup",
        )
    return _of_another(found)


def _of_another(revision: str) -> DatabaseFinding:
    return DatabaseFinding(
        what=f"{VERSIONS} belongs to another application (revision {revision[:40]!r})", fix=ANOTHER
    )


def _parts(connection: Connection) -> Iterator[DatabaseFinding]:
    """Yield what is missing although the version says that it is there."""
    tables = _tables(connection)
    gone = set(metadata.tables) - tables
    if not gone:
        gone = {
            f"{name}.{column}"
            for name, table in metadata.tables.items()
            for column in {one.name for one in table.columns} - _columns(connection, name)
        }
    if gone:
        yield DatabaseFinding(
            what=f"{VERSIONS} says that all tables are there, but {_some(gone)} "
            f"{'is' if len(gone) == 1 else 'are'} missing",
            fix=f"restore the database as a whole; if there is nothing to lose, drop {VERSIONS} "
            "and what is left, and run `messenger-bff db upgrade`",
        )


def _rights(connection: Connection) -> Iterator[DatabaseFinding]:
    if connection.dialect.name == "sqlite":
        # SQLite begins to read where it may not write: only a statement that writes tells.
        connection.exec_driver_sql(f"DELETE FROM {VERSIONS} WHERE 0")  # noqa: S608 - a constant
        return
    lacks = lacking(connection, _user(connection))
    for table, rights in list(lacks.items())[:1]:
        yield _no_right(connection, table, rights)
    if not lacks:
        yield from _read_only(connection)


def _no_right(connection: Connection, table: str, rights: list[str]) -> DatabaseFinding:
    user = _user(connection)
    return DatabaseFinding(
        what=f"the role {user} lacks the right {', '.join(rights)} on the table {table}",
        fix=f"run `messenger-bff db grant {user}` as the owner of the tables",
    )


def _read_only(connection: Connection) -> Iterator[DatabaseFinding]:
    if _scalar(connection, "SELECT pg_is_in_recovery()"):
        yield DatabaseFinding(
            what="the database is read-only: this server is a standby",
            fix="name the primary server in BFF_RECORDS_URL",
        )
    elif _scalar(connection, "SHOW transaction_read_only") == "on":
        yield DatabaseFinding(
            what="the database is read-only (default_transaction_read_only)",
            fix="ALTER DATABASE or ALTER ROLE … RESET default_transaction_read_only",
        )


def _damage(connection: Connection) -> Iterator[DatabaseFinding]:
    for rule, how in lost(connection):
        yield DatabaseFinding(
            what=f"the table {rule.table} has lost its trigger {rule.name} ({how}): "
            "the database user who did that could change the audit log",
            fix="run `messenger-bff audit verify`, then `messenger-bff db upgrade`, "
            "which makes it anew",
            weight=Weight.DAMAGE,
        )


def _role(connection: Connection) -> Iterator[DatabaseFinding]:
    if connection.dialect.name == "sqlite":
        return
    user = _user(connection)
    why = unlimited(connection, user)
    if why:
        yield DatabaseFinding(
            what=f"the role {user} is not limited: it {why[0]}, and can change the audit log",
            fix="serve as a role of its own (docs/records.md, On PostgreSQL), "
            "to which `messenger-bff db grant ROLE` gave its rights",
            weight=Weight.WARNING,
        )


def _foreign_file(connection: Connection) -> Iterator[DatabaseFinding]:
    tables = _tables(connection)
    ours = tables & {*metadata.tables, VERSIONS}
    if tables and not ours:
        yield DatabaseFinding(
            what=f"the file belongs to another application: it has the tables {_some(tables)}",
            fix="name a file of its own in BFF_RECORDS_URL",
        )


def _tables(connection: Connection) -> set[str]:
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    else:
        query = (
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') "
            "AND pg_table_is_visible(oid) AND relnamespace <> 'pg_catalog'::regnamespace"
        )
    return set(connection.exec_driver_sql(query).scalars())


def _columns(connection: Connection, table: str) -> set[str]:
    if connection.dialect.name == "sqlite":
        return set(
            connection.exec_driver_sql("SELECT name FROM pragma_table_info(?)", (table,)).scalars()
        )
    query = (
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) "
        "AND attnum > 0 AND NOT attisdropped"
    )
    return set(connection.exec_driver_sql(query, (table,)).scalars())


def _revisions(connection: Connection) -> list[str] | None:
    """Return what is stamped; None if the table is of another form."""
    if "version_num" not in _columns(connection, VERSIONS):
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSIONS}").scalars()  # noqa: S608 - a constant
    return sorted(map(str, found))


def _readable(connection: Connection, table: str) -> bool:
    if connection.dialect.name == "sqlite":
        return True
    query = "SELECT has_table_privilege(to_regclass(%s), 'SELECT')"
    return bool(connection.exec_driver_sql(query, (table,)).scalar())


def _user(connection: Connection) -> str:
    return str(_scalar(connection, "SELECT current_user"))


def _scalar(connection: Connection, query: str) -> object:
    return connection.exec_driver_sql(query).scalar()


def _some(names: set[str], most: int = 4) -> str:
    listed = sorted(names)
    rest = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + rest
