"""What the database itself refuses to do to the audit log, on SQLite and on PostgreSQL.

An event follows the last one: its number is the next, its `previous` is the last hash. A checkpoint
is of an event that is there. Neither is ever changed or deleted. `adapters.sql_examination`
compares a database with these rules, and `db upgrade` restores what was taken away.
"""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

LOG_LOCK: Final = 0x6D736268
"""Whoever adds to the log holds this advisory lock (PostgreSQL): any number that is free."""

LAST_SEQ: Final = 2**53 - 1
"""Every reader of JSON can still count so far."""

STRAY_FROM: Final = 2**40
"""No log of ours is so long: an event with such a number was put there to end the log."""

TABLES: Final = ("audit_events", "audit_heads")

# What pg_trigger.tgtype says of a trigger.
_ROW, _BEFORE, _INSERT, _DELETE, _UPDATE, _TRUNCATE = 1, 2, 4, 8, 16, 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One trigger: its statement on SQLite, its function and its kind on PostgreSQL."""

    name: str
    table: str
    sqlite: str = ""
    function: str = ""
    when: str = ""
    kind: int = 0
    body: str = field(default="", repr=False)

    def postgresql(self, schema: str) -> tuple[str, str]:
        """Return the statements that make the function and the trigger in a quoted schema."""
        each = "ROW" if self.kind & _ROW else "STATEMENT"
        return (
            (
                f"CREATE OR REPLACE FUNCTION {schema}.{self.function}() RETURNS trigger "
                # Nothing that a role made in a schema of its own is taken for what is meant here.
                f"LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $${self.body}$$"
            ),
            (
                f"CREATE TRIGGER {self.name} {self.when} ON {schema}.{self.table} "
                f"FOR EACH {each} EXECUTE FUNCTION {schema}.{self.function}()"
            ),
        )


def _refused(table: str, why: str, condition: str) -> str:
    return f"SELECT RAISE(ABORT, '{table} only grows: {why}') WHERE {condition};"


def _raised(table: str, why: str, condition: str) -> str:
    return f"IF {condition} THEN RAISE EXCEPTION '{table} only grows: {why}'; END IF;"


_NOT_NEXT: Final = "the number is not the next one"
_NOT_LINKED: Final = "previous is not the hash of the last event"
_NO_HASH: Final = "a hash has 32 bytes"
_TWICE: Final = "it is there already"
_NO_EVENT: Final = "no event has this number and this hash"
_NOT_NEWEST: Final = "a later event has a checkpoint"
_NO_SIGNATURE: Final = "a signature has 64 bytes and a key 43 characters"

_LATER: Final = (
    "EXISTS (SELECT 1 FROM {0}audit_heads h JOIN {0}audit_events e "
    "ON e.seq = h.seq AND e.hash = h.hash WHERE h.seq > NEW.seq)"
)


def sqlite_rules() -> list[Rule]:
    """Return the triggers of SQLite."""
    rules = [
        Rule(
            name=f"{table}_no_{change.lower()}",
            table=table,
            sqlite=f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} only grows'); END",
        )
        for table in TABLES
        for change in ("UPDATE", "DELETE")
    ]
    return [*rules, _sqlite_follows("audit_events", _EVENT), _sqlite_follows("audit_heads", _HEAD)]


_EVENT: Final = (
    (
        _NOT_NEXT,
        (
            "typeof(NEW.seq) <> 'integer' "
            "OR NEW.seq IS NOT 1 + coalesce((SELECT max(seq) FROM audit_events), 0)"
        ),
    ),
    (
        _NOT_LINKED,
        (
            "NEW.previous IS NOT coalesce("
            "(SELECT hash FROM audit_events ORDER BY seq DESC LIMIT 1), zeroblob(32))"
        ),
    ),
    (_NO_HASH, "typeof(NEW.hash) <> 'blob' OR length(NEW.hash) <> 32"),
    # INSERT OR REPLACE would take the other one away, and no trigger would see it go.
    (_TWICE, "EXISTS (SELECT 1 FROM audit_events WHERE event_id = NEW.event_id)"),
)
_HEAD: Final = (
    (
        _NO_EVENT,
        "NOT EXISTS (SELECT 1 FROM audit_events WHERE seq = NEW.seq AND hash = NEW.hash)",
    ),
    (_NOT_NEWEST, _LATER.format("")),
    (
        _NO_SIGNATURE,
        (
            "typeof(NEW.signature) <> 'blob' OR length(NEW.signature) <> 64 "
            "OR typeof(NEW.key_id) <> 'text' OR length(NEW.key_id) <> 43 "
            "OR typeof(NEW.signed_at) <> 'integer'"
        ),
    ),
    (
        _TWICE,
        (
            "EXISTS (SELECT 1 FROM audit_heads WHERE seq = NEW.seq "
            "AND key_id = NEW.key_id AND signature = NEW.signature)"
        ),
    ),
)


def _sqlite_follows(table: str, conditions: tuple[tuple[str, str], ...]) -> Rule:
    refusals = " ".join(_refused(table, why, condition) for why, condition in conditions)
    name = f"{table}_follows"
    return Rule(
        name=name,
        table=table,
        sqlite=f"CREATE TRIGGER {name} BEFORE INSERT ON {table} BEGIN {refusals} END",
    )


def postgresql_rules(schema: str) -> list[Rule]:
    """Return the triggers of PostgreSQL for tables in a (quoted) schema."""
    rules = []
    for table in TABLES:
        grows = {"table": table, "function": f"{table}_only_grows"}
        body = f" BEGIN RAISE EXCEPTION '{table} only grows'; END "
        rules += [
            Rule(
                name=f"{table}_no_change",
                when="BEFORE UPDATE OR DELETE",
                kind=_ROW | _BEFORE | _UPDATE | _DELETE,
                body=body,
                **grows,
            ),
            Rule(
                name=f"{table}_no_truncate",
                when="BEFORE TRUNCATE",
                kind=_BEFORE | _TRUNCATE,
                body=body,
                **grows,
            ),
            Rule(
                name=f"{table}_follows",
                table=table,
                function=f"{table}_follows",
                when="BEFORE INSERT",
                kind=_ROW | _BEFORE | _INSERT,
                body=(_event_body if table == "audit_events" else _head_body)(f"{schema}."),
            ),
        ]
    return rules


def _event_body(at: str) -> str:
    # The lock comes first: each statement after it sees what was committed before it was had.
    # A transaction that reads an older state (REPEATABLE READ) meets the primary key.
    return (
        " DECLARE last_seq bigint; last_hash bytea; BEGIN "  # noqa: S608 - names of ours
        f"PERFORM pg_catalog.pg_advisory_xact_lock({LOG_LOCK}); "
        f"SELECT seq, hash INTO last_seq, last_hash FROM {at}audit_events "
        "ORDER BY seq DESC LIMIT 1; "
        + _raised(
            "audit_events", _NOT_NEXT, "NEW.seq IS DISTINCT FROM coalesce(last_seq, 0)::numeric + 1"
        )
        + _raised(
            "audit_events",
            _NOT_LINKED,
            "NEW.previous IS DISTINCT FROM coalesce(last_hash, decode(repeat('00', 32), 'hex'))",
        )
        + _raised("audit_events", _NO_HASH, "octet_length(NEW.hash) IS DISTINCT FROM 32")
        + " RETURN NEW; END "
    )


def _head_body(at: str) -> str:
    return (
        f" BEGIN PERFORM pg_catalog.pg_advisory_xact_lock({LOG_LOCK}); "  # noqa: S608 - names of ours
        + _raised(
            "audit_heads",
            _NO_EVENT,
            f"NOT EXISTS (SELECT 1 FROM {at}audit_events WHERE seq = NEW.seq AND hash = NEW.hash)",  # noqa: S608 - names of ours
        )
        + _raised("audit_heads", _NOT_NEWEST, _LATER.format(at))
        + _raised(
            "audit_heads",
            _NO_SIGNATURE,
            "octet_length(NEW.signature) IS DISTINCT FROM 64 "
            "OR octet_length(NEW.key_id) IS DISTINCT FROM 43",
        )
        + " RETURN NEW; END "
    )


def rules_of(connection: Connection) -> list[Rule]:
    """Return the rules of the kind of database that this is."""
    if connection.dialect.name == "sqlite":
        return sqlite_rules()
    return postgresql_rules(schema_of(connection))


def schema_of(connection: Connection) -> str:
    """Return the schema of the log, quoted: where it is, or where it would be made."""
    found = connection.exec_driver_sql(
        "SELECT n.nspname FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.oid = to_regclass('audit_events')"
    ).scalar()
    name = found or connection.exec_driver_sql("SELECT current_schema()").scalar() or "public"
    return connection.dialect.identifier_preparer.quote_identifier(name)


def lay_down(connection: Connection, rule: Rule) -> None:
    """Make a trigger, in place of whatever has its name."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {rule.name}")
        connection.exec_driver_sql(rule.sqlite)
        return
    schema = schema_of(connection)
    connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {rule.name} ON {schema}.{rule.table}")
    for statement in rule.postgresql(schema):
        connection.exec_driver_sql(statement)
