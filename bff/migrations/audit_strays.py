"""Rows that were put into the audit log to end it: they are set aside, and kept as they are."""

import json
from time import time_ns
from typing import Any, Final

from sqlalchemy import Connection

from bff.migrations.audit_rules import STRAY_FROM, TABLES, lay_down, sqlite_rules

_MICRO: Final = 1000  # nanoseconds
_INSERT: Final = "INSERT INTO audit_strays (origin, content, found_at) VALUES "


def set_aside(connection: Connection) -> list[str]:
    """Move rows with impossible numbers into `audit_strays`; return a sentence for each table.

    They came before the rules, or from an owner who took the rules away. Left where they are,
    no event could follow them.
    """
    said = []
    for table in TABLES:
        found = connection.exec_driver_sql(f"SELECT * FROM {table} WHERE {_stray(connection)}")  # noqa: S608 - names of ours
        rows = found.mappings().all()
        if not rows:
            continue
        for row in rows:
            _keep(connection, table, json.dumps({name: _plain(row[name]) for name in row}))
        _delete(connection, table)
        said.append(
            f"{table}: {len(rows)} rows that were no events were set aside in audit_strays "
            f"(the first has the number {rows[0]['seq']})"
        )
    return said


def _stray(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        # Its columns take anything; what is no number sorts after all numbers.
        return f"typeof(seq) <> 'integer' OR seq >= {STRAY_FROM}"
    return f"seq >= {STRAY_FROM}"


def _keep(connection: Connection, table: str, content: str) -> None:
    marks = "(?, ?, ?)" if connection.dialect.name == "sqlite" else "(%s, %s, %s)"
    connection.exec_driver_sql(_INSERT + marks, (table, content, time_ns() // _MICRO))


def _delete(connection: Connection, table: str) -> None:
    stray = f"DELETE FROM {table} WHERE {_stray(connection)}"  # noqa: S608 - names of ours
    if connection.dialect.name == "sqlite":
        # It cannot switch a trigger off.
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_delete")
        connection.exec_driver_sql(stray)
        rule = next(one for one in sqlite_rules() if one.name == f"{table}_no_delete")
        lay_down(connection, rule)
        return
    connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    connection.exec_driver_sql(stray)
    connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def _plain(value: Any) -> Any:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value
