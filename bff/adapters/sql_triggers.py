"""Compares the triggers of a database with the rules of the audit log, and restores them."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from bff.migrations.audit_rules import Rule, lay_down, rules_of

_SQLITE: Final = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
_POSTGRESQL: Final = """
SELECT t.tgname AS name, t.tgenabled::text AS enabled, t.tgtype AS kind, p.prosrc AS body,
       t.tgqual IS NULL AND t.tgattr::text = '' AND NOT p.prosecdef
       AND p.proconfig IS NOT DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp'] AS whole
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal
  AND t.tgrelid IN (to_regclass('audit_events'), to_regclass('audit_heads'))
"""
_ENABLED: Final = ("O", "A")  # for everybody's session, and not for replication only


def lost(connection: Connection) -> list[tuple[Rule, str]]:
    """Return the rules that are not in force, each with what became of its trigger."""
    found = _found(connection)
    told = ((rule, _what_became(rule, found)) for rule in rules_of(connection))
    return [(rule, how) for rule, how in told if how]


def restore(connection: Connection) -> list[str]:
    """Make anew what was lost; return a sentence for each."""
    said = []
    for rule, how in lost(connection):
        lay_down(connection, rule)
        said.append(f"{rule.table}: the trigger {rule.name} was {how}; it was made anew")
    return said


def _found(connection: Connection) -> Mapping[str, Any]:
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type='trigger'"
        )
    else:
        rows = connection.exec_driver_sql(_POSTGRESQL)
    return {row.name: row for row in rows}


def _what_became(rule: Rule, found: Mapping[str, Any]) -> str:
    row = found.get(rule.name)
    if row is None:
        return "dropped"
    if rule.sqlite:
        return "" if _words(row.sql) == _words(rule.sqlite) else "changed"
    if row.enabled not in _ENABLED:
        return "disabled"
    unchanged = row.whole and row.kind == rule.kind and _words(row.body) == _words(rule.body)
    return "" if unchanged else "changed"


def _words(text: str) -> list[str]:
    return text.split()
