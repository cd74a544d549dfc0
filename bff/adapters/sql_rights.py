"""What the role of the running service may do: everything with guests, only add to the trail."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bff.adapters.sql_refusals import first_line
from bff.errors import SettingsError
from bff.migrations.audit_rules import schema_of

if TYPE_CHECKING:
    from bff.adapters.sql_engine import SqlRecords

GROWS_ONLY: Final = ("audit_events", "audit_heads")
CHANGES: Final = ("guests", "erasures", "imports", "audit_sources", "outbox_marks")
READ: Final = ("alembic_version", "audit_strays")
EVERYBODY: Final = "public"
_BOUNDED_CREATEROLE: Final = 160000
"""From this version on CREATEROLE gives no membership in a role that is not one's own."""

_GRANTED_PARAMETERS: Final = 150000
"""From this version on a role can be given a parameter that only superusers may set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """Rights that the service needs on each of some tables."""

    tables: tuple[str, ...]
    rights: tuple[str, ...]


NEEDED: Final = (
    Needed(tables=GROWS_ONLY, rights=("SELECT", "INSERT")),
    Needed(tables=CHANGES, rights=("SELECT", "INSERT", "UPDATE", "DELETE")),
    Needed(tables=READ, rights=("SELECT",)),
)


def statements(role: str, schema: str = "public") -> list[str]:
    """Return the SQL, for a role and a schema whose names are quoted already."""
    trail, rest, read = (", ".join(tables) for tables in (GROWS_ONLY, CHANGES, READ))
    return [
        f"REVOKE ALL ON {trail}, {rest}, {read} FROM {role}",
        f"REVOKE UPDATE, DELETE, TRUNCATE ON {trail} FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT, INSERT ON {trail} TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {rest} TO {role}",
        f"GRANT SELECT ON {read} TO {role}",
    ]


def grant(records: "SqlRecords", role: str) -> list[str]:
    """Give a role its rights; return what was done. Raises SettingsError, and nothing is done.

    What the role has afterwards is compared: PostgreSQL only warns if a grant gave nothing.
    """
    if records.embedded:
        raise SettingsError("BFF_RECORDS_URL is a file, which knows no roles: only PostgreSQL does")
    if role == EVERYBODY:
        # However it is quoted, PostgreSQL gives it to every role.
        raise SettingsError("no rights were given: public is everybody, and no role")

    def give(connection: Connection) -> list[str]:
        schema = schema_of(connection)
        _refuse_unlimited(connection, role)
        quoted = connection.dialect.identifier_preparer.quote_identifier(role)
        done = statements(quoted, schema)
        for statement in done:
            # `text` would read a colon in a role's name as a parameter.
            connection.exec_driver_sql(statement)
        _refuse_unlimited(connection, role)
        _refuse_nothing_given(connection, role)
        return [statement.replace("%%", "%") for statement in done]

    try:
        return records.write(give)
    except DBAPIError as error:
        raise SettingsError(f"no rights were given: {first_line(error)}") from error


def extend(connection: Connection) -> list[str]:
    """Give roles that add to the log already what they need of new tables; say to whom.

    Else an upgrade would leave the service without a right until somebody thinks of `db grant`.
    """
    if connection.dialect.name == "sqlite":
        return []
    said = []
    for role in _granted(connection):
        missing = lacking(connection, role)
        quoted = connection.dialect.identifier_preparer.quote_identifier(role)
        for table, rights in missing.items():
            connection.exec_driver_sql(f"GRANT {', '.join(rights)} ON {table} TO {quoted}")
        if missing:
            said.append(f"{role} was granted what it needs on {', '.join(missing)}")
    return said


def _granted(connection: Connection) -> list[str]:
    """Return the roles that were granted to add to the log."""
    query = (
        "SELECT DISTINCT r.rolname::text FROM pg_class c, aclexplode(c.relacl) a "
        "JOIN pg_roles r ON r.oid = a.grantee WHERE c.oid = to_regclass('audit_events') "
        "AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner"
    )
    return list(connection.exec_driver_sql(query).scalars())


def _refuse_unlimited(connection: Connection, role: str) -> None:
    why = unlimited(connection, role)
    if not why:
        return
    raise SettingsError(
        f"{role} {why[0]}, so that it may change the audit log whatever is granted: run "
        "`db upgrade` and `db grant` as another role, and `serve` as one that is limited"
    )


def _refuse_nothing_given(connection: Connection, role: str) -> None:
    for table, rights in lacking(connection, role).items():
        raise SettingsError(
            f"no rights were given: {role} still lacks {', '.join(rights)} on {table}; "
            "run `db grant` as the owner of the tables"
        )


def lacking(
    connection: Connection, role: str, needed: Sequence[Needed] = NEEDED
) -> dict[str, list[str]]:
    """Return the rights that a role lacks, by table, the first table first."""
    missing = {}
    for group in needed:
        for table in group.tables:
            rights = [right for right in group.rights if not _may(connection, role, table, right)]
            if rights:
                missing[table] = rights
    return missing


def unlimited(connection: Connection, role: str) -> list[str]:
    """Return why a role can change the audit log, as predicates: `owns the tables`."""
    found = connection.exec_driver_sql(
        "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = %s", (role,)
    ).first()
    if found is None:
        return []
    own, joined = _owned(connection, role)
    if found.rolsuper:
        return [*own, "is a superuser"]
    why = [*own, *joined, *_powers(connection, role)]
    if found.rolbypassrls:
        why.append("has BYPASSRLS")
    if found.rolcreaterole and _version(connection) < _BOUNDED_CREATEROLE:
        why.append("has CREATEROLE, and so can become a member of who owns the tables")
    if _version(connection) >= _GRANTED_PARAMETERS and _may_pass_triggers(connection, role):
        why.append("may set session_replication_role, and so pass the triggers by")
    return why + _changes(connection, role)


def _may_pass_triggers(connection: Connection, role: str) -> bool:
    query = "SELECT has_parameter_privilege(%s, 'session_replication_role', 'SET')"
    return bool(connection.exec_driver_sql(query, (role,)).scalar())


def _owned(connection: Connection, role: str) -> tuple[list[str], list[str]]:
    """Say what of the tables and their schema a role owns, and what those that it can become."""
    query = (
        "SELECT pg_get_userbyid(owner)::text AS name, what FROM ("
        "SELECT DISTINCT relowner AS owner, 'owns the tables' AS what FROM pg_class "
        "WHERE oid IN (to_regclass('audit_events'), to_regclass('audit_heads')) UNION "
        "SELECT p.proowner, 'owns what protects them' FROM pg_trigger t JOIN pg_proc p "
        "ON p.oid = t.tgfoid WHERE NOT t.tgisinternal AND t.tgrelid IN "
        "(to_regclass('audit_events'), to_regclass('audit_heads')) UNION "
        "SELECT n.nspowner, 'owns their schema' FROM pg_class c JOIN pg_namespace n "
        "ON n.oid = c.relnamespace WHERE c.oid = to_regclass('audit_events')) AS owners "
        "WHERE pg_has_role(%s, owner, 'MEMBER') ORDER BY what"
    )
    rows = connection.exec_driver_sql(query, (role,)).all()
    own = [row.what for row in rows if row.name == role]
    return own, [f"is a member of {row.name}, who {row.what}" for row in rows if row.name != role]


def _version(connection: Connection) -> int:
    return int(str(connection.exec_driver_sql("SHOW server_version_num").scalar()))


def _powers(connection: Connection, role: str) -> list[str]:
    """Say which of PostgreSQL's own roles a role is a member of, that reach past any grant."""
    query = (
        "SELECT rolname FROM pg_roles WHERE pg_has_role(%s, oid, 'MEMBER') AND (rolsuper "
        "OR rolname IN ('pg_write_all_data', 'pg_execute_server_program', "
        "'pg_write_server_files')) ORDER BY rolname"
    )
    found = connection.exec_driver_sql(query, (role,)).scalars()
    return [f"is a member of {name}" for name in found]


def _changes(connection: Connection, role: str) -> list[str]:
    query = (
        "SELECT coalesce(bool_or(has_table_privilege(%s, oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER') "
        "OR has_any_column_privilege(%s, oid, 'UPDATE')), false) FROM pg_class "
        "WHERE oid IN (to_regclass('audit_events'), to_regclass('audit_heads'))"
    )
    may = connection.exec_driver_sql(query, (role, role)).scalar()
    return ["has a right to change its tables"] if may else []


def _may(connection: Connection, role: str, table: str, right: str) -> bool:
    query = "SELECT has_table_privilege(%s, to_regclass(%s), %s)"
    return bool(connection.exec_driver_sql(query, (role, table, right)).scalar())
