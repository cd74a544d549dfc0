"""What the role of the running service may do: everything with guests, only add to the trail."""

from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from bff.adapters.sql_engine import SqlRecords
from bff.errors import SettingsError

GROWS_ONLY: Final = ("audit_events", "audit_heads")
CHANGES: Final = ("guests", "erasures", "imports", "audit_sources", "outbox_marks")
READ: Final = ("alembic_version",)


def statements(role: str) -> list[str]:
    """Return the SQL, for a role whose name is quoted already."""
    trail, rest = ", ".join(GROWS_ONLY), ", ".join(CHANGES)
    return [
        f"REVOKE ALL ON {trail}, {rest}, {', '.join(READ)} FROM {role}",
        f"REVOKE UPDATE, DELETE, TRUNCATE ON {trail} FROM PUBLIC",
        f"GRANT SELECT, INSERT ON {trail} TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {rest} TO {role}",
        f"GRANT SELECT ON {', '.join(READ)} TO {role}",
    ]


def grant(records: SqlRecords, role: str) -> list[str]:
    """Give a role its rights; return what was done. Raises SettingsError."""
    if records.embedded:
        raise SettingsError("BFF_RECORDS_URL is a file, which knows no roles: only PostgreSQL does")

    def give(connection: Connection) -> list[str]:
        quoted = connection.dialect.identifier_preparer.quote_identifier(role)
        done = statements(quoted)
        for statement in done:
            # `text` would read a colon in a role's name as a parameter.
            connection.exec_driver_sql(statement)
        owner = connection.execute(
            text("SELECT tableowner = :role FROM pg_tables WHERE tablename = 'audit_events'"),
            {"role": role},
        ).scalar()
        if owner:
            raise SettingsError(
                f"{role} owns the tables, and an owner may do everything: run `db upgrade` and "
                "`db grant` as another role, and `serve` as this one"
            )
        return [statement.replace("%%", "%") for statement in done]

    try:
        return records.write(give)
    except ProgrammingError as error:
        raise SettingsError(f"no rights were given: {str(error.orig).splitlines()[0]}") from error
