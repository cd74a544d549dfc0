"""A database that is not as it should be says so in one line, and what to do; nothing crashes."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from postgres_server import PostgresServer
from trail_rig import PATIENCE, TrailPlaces

from bff.adapters import sql_rights
from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.adapters.system import SystemEntropy
from bff.errors import RecordsDownError, SettingsError
from bff.trail_ports import DatabaseFinding, Weight

ENTROPY = SystemEntropy()


def opened(url: str) -> SqlRecords:
    return SqlRecords(RecordsPlace(url=url, patience=PATIENCE))


def examined(url: str) -> DatabaseFinding:
    """Return the first finding: it is one line, and names what to do."""
    records = opened(url)
    found = records.examine()
    records.close()
    assert found, "nothing was found"
    for one in found:
        assert one.what
        assert one.fix
        assert "\n" not in one.what + one.fix
    return found[0]


def refused(url: str) -> str:
    """Return why an upgrade was refused."""
    records = opened(url)
    with pytest.raises(SettingsError) as told:
        records.upgrade()
    records.close()
    assert "\n" not in told.value.detail
    return told.value.detail


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path, places: TrailPlaces) -> str:
    return places.new(request.param, tmp_path)


def on(url: str, *statements: str) -> None:
    """Run SQL as the owner of the database."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw, raw:
            for statement in statements:
                raw.execute(statement)
        return
    with psycopg.connect(url, autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement)


BOTH = pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
SERVER = pytest.mark.parametrize("url", ["postgresql"], indirect=True)
STAMP = "UPDATE alembic_version SET version_num = '{}'"


@BOTH
@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ((STAMP.format("8f3a1c"),), "belongs to another application"),
        ((STAMP.format("0099"),), "newer than this version"),
        (("INSERT INTO alembic_version VALUES ('other')",), "belongs to another application"),
        (
            ("DROP TABLE alembic_version", "CREATE TABLE alembic_version (number integer)"),
            "belongs to another application",
        ),
        (("DROP TABLE alembic_version",), "without their version"),
        (("DELETE FROM alembic_version",), "without their version"),
        (("DROP TABLE guests",), "guests is missing"),
        (("DROP TABLE audit_events",), "audit_events is missing"),
        (("DROP TABLE audit_strays", "DROP TABLE imports"), "audit_strays, imports are missing"),
        (("ALTER TABLE imports RENAME COLUMN skipped TO other",), "imports.skipped is missing"),
    ],
)
def test_tables_that_are_not_ours_or_not_whole(
    url: str, statements: tuple[str, ...], words: str
) -> None:
    on(url, *statements)

    found = examined(url)

    assert words in found.what
    assert found.weight is Weight.FAULT
    assert words in refused(url)


@BOTH
def test_a_stamp_without_any_table(url: str) -> None:
    tables = ("guests", "audit_events", "audit_heads", "audit_sources", "audit_strays")
    on(url, *(f"DROP TABLE {name}" for name in (*tables, "erasures", "imports")))

    assert "says that all tables are there" in examined(url).what
    assert "says that all tables are there" in refused(url)


@BOTH
def test_tables_of_the_version_before_need_an_upgrade(url: str) -> None:
    on(url, STAMP.format("0002"))

    assert examined(url).fix == "run `messenger-bff db upgrade`"
    assert "the tables were not brought up to date" in refused(url), "that was no 0002"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("statements", "how"),
    [
        (("DROP TRIGGER audit_events_no_update",), "dropped"),
        (("DROP TRIGGER audit_events_follows",), "dropped"),
        (
            (
                "DROP TRIGGER audit_heads_no_delete",
                (
                    "CREATE TRIGGER audit_heads_no_delete BEFORE DELETE ON audit_heads "
                    "BEGIN SELECT 1; END"
                ),
            ),
            "changed",
        ),
    ],
)
def test_a_trigger_of_a_file_that_was_taken_away(
    url: str, statements: tuple[str, ...], how: str
) -> None:
    assert_restored(url, statements, how)


@SERVER
@pytest.mark.parametrize(
    ("statements", "how"),
    [
        (("DROP TRIGGER audit_events_no_change ON audit_events",), "dropped"),
        (("DROP FUNCTION audit_heads_follows CASCADE",), "dropped"),
        (("ALTER TABLE audit_heads DISABLE TRIGGER audit_heads_no_truncate",), "disabled"),
        (("ALTER TABLE audit_events DISABLE TRIGGER ALL",), "disabled"),
        (("ALTER TABLE audit_events ENABLE REPLICA TRIGGER audit_events_follows",), "disabled"),
        (
            (
                (
                    "CREATE OR REPLACE FUNCTION audit_events_only_grows() RETURNS trigger "
                    "LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
                ),
            ),
            "changed",
        ),
        (
            (
                "DROP TRIGGER audit_events_no_change ON audit_events",
                (
                    "CREATE TRIGGER audit_events_no_change BEFORE UPDATE OR DELETE ON audit_events "
                    "FOR EACH ROW WHEN (false) EXECUTE FUNCTION audit_events_only_grows()"
                ),
            ),
            "changed",
        ),
        (
            (
                "DROP TRIGGER audit_events_no_change ON audit_events",
                (
                    "CREATE TRIGGER audit_events_no_change BEFORE UPDATE OF actor ON audit_events "
                    "FOR EACH ROW EXECUTE FUNCTION audit_events_only_grows()"
                ),
            ),
            "changed",
        ),
    ],
)
def test_a_trigger_of_a_server_that_was_taken_away(
    url: str, statements: tuple[str, ...], how: str
) -> None:
    assert_restored(url, statements, how)


def assert_restored(url: str, statements: tuple[str, ...], how: str) -> None:
    on(url, *statements)
    found = examined(url)
    assert f"({how})" in found.what
    assert found.weight is Weight.DAMAGE
    records = opened(url)
    assert records.upgrade() == [], "a start of the service hides nothing"
    assert how in records.restore()[0]
    assert [one for one in records.examine() if one.weight is not Weight.WARNING] == []
    records.close()


@BOTH
@pytest.mark.parametrize("table", ["guests", "audit_events", "audit_heads", "erasures"])
def test_a_trigger_of_somebody_else(url: str, table: str) -> None:
    if url.startswith("sqlite"):
        on(url, f"CREATE TRIGGER zz BEFORE INSERT ON {table} BEGIN SELECT RAISE(IGNORE); END")
    else:
        on(
            url,
            "CREATE FUNCTION zz() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            f"CREATE TRIGGER zz BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION zz()",
        )

    found = examined(url)

    assert f"the table {table} has a trigger zz that is not ours" in found.what
    assert found.weight is Weight.WARNING


@SERVER
@pytest.mark.parametrize("change", ["INSERT", "UPDATE", "DELETE"])
def test_a_rule_of_somebody_else(url: str, change: str) -> None:
    on(url, f"CREATE RULE quiet AS ON {change} TO guests DO INSTEAD NOTHING")

    assert "the table guests has a rule quiet that is not ours" in examined(url).what


@BOTH
@pytest.mark.parametrize("index", ["guests_by_device", "audit_events_by_time"])
def test_an_index_that_is_gone_comes_back(url: str, index: str) -> None:
    on(url, f"DROP INDEX {index}")
    found = examined(url)
    assert f"has lost its index {index}" in found.what
    assert found.weight is Weight.WARNING

    records = opened(url)
    assert records.restore() == [f"the index {index} was gone; it was made anew"]
    assert not any("index" in one.what for one in records.examine())
    records.close()


@SERVER
@pytest.mark.parametrize("table", ["guests", "audit_events", "outbox_marks"])
def test_a_primary_key_that_is_gone(url: str, table: str) -> None:
    on(url, f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey")

    assert f"the table {table} has lost its primary key" in examined(url).what


@SERVER
@pytest.mark.parametrize(
    "change", ["RESET search_path", "SET search_path = public", "SECURITY DEFINER"]
)
def test_a_function_that_runs_in_another_way(url: str, change: str) -> None:
    assert_restored(url, (f"ALTER FUNCTION audit_events_follows() {change}",), "changed")


@pytest.fixture
def role(postgres: PostgresServer) -> str:
    name = f"role_{ENTROPY.bytes(6).hex()}"
    with psycopg.connect(postgres.url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN")
    return name


def as_role(url: str, role: str) -> str:
    return url.replace("postgres@", f"{role}@")


@SERVER
def test_a_role_without_rights(url: str, role: str) -> None:
    found = examined(as_role(url, role))

    assert f"the role {role} lacks the right SELECT on the table alembic_version" in found.what
    assert f"messenger-bff db grant {role}" in found.fix
    assert "lacks the right" in refused(as_role(url, role))


@SERVER
@pytest.mark.parametrize(
    ("table", "right"),
    [("audit_events", "INSERT"), ("guests", "DELETE"), ("audit_sources", "UPDATE")],
)
def test_a_role_that_lacks_one_right(url: str, role: str, table: str, right: str) -> None:
    granted(url, role)
    on(url, f"REVOKE {right} ON {table} FROM {role}")

    assert f"lacks the right {right} on the table {table}" in examined(as_role(url, role)).what


@SERVER
@pytest.mark.parametrize("table", ["guests", "audit_events", "audit_sources", "alembic_version"])
def test_a_table_whose_rows_are_hidden(url: str, role: str, table: str) -> None:
    granted(url, role)
    on(url, f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")

    found = examined(as_role(url, role))

    assert found.weight is Weight.FAULT
    assert f"rows of the table {table}" in found.what


@SERVER
@pytest.mark.parametrize(
    "statement",
    [
        "GRANT SET ON PARAMETER session_replication_role TO {role}",
        "ALTER FUNCTION audit_events_follows() OWNER TO {role}",
        "ALTER FUNCTION audit_heads_only_grows() OWNER TO {role}",
    ],
)
def test_a_role_that_gets_around_the_triggers(url: str, role: str, statement: str) -> None:
    granted(url, role)
    on(url, statement.format(role=role))

    found = examined(as_role(url, role))

    assert "is not limited" in found.what
    assert found.weight is Weight.WARNING
    records = opened(url)
    with pytest.raises(SettingsError):
        sql_rights.grant(records, role)
    records.close()
    on(url, f"DROP OWNED BY {role} CASCADE")


@SERVER
def test_rights_are_not_given_to_everybody(url: str) -> None:
    records = opened(url)
    with pytest.raises(SettingsError, match="everybody"):
        sql_rights.grant(records, "public")
    records.close()


@SERVER
def test_a_role_that_may_not_enter_the_schema(url: str, role: str) -> None:
    granted(url, role)
    on(
        url,
        "REVOKE USAGE ON SCHEMA public FROM PUBLIC",
        f"REVOKE USAGE ON SCHEMA public FROM {role}",
    )

    assert "can use no schema" in examined(as_role(url, role)).what


@SERVER
def test_a_granted_role_is_as_it_should_be(url: str, role: str) -> None:
    granted(url, role)
    records = opened(as_role(url, role))

    assert records.examine() == []
    assert records.is_current()
    assert records.upgrade() == [], "an upgrade that has nothing to do needs no right of its own"
    records.close()


@SERVER
@pytest.mark.parametrize(
    ("make", "words"),
    [
        ("ALTER ROLE {} SUPERUSER", "is a superuser"),
        ("GRANT postgres TO {}", "is a member of postgres"),
        ("ALTER ROLE {} BYPASSRLS", "has BYPASSRLS"),
        ("GRANT pg_write_all_data TO {}", "is a member of pg_write_all_data"),
        ("GRANT pg_execute_server_program TO {}", "is a member of pg_execute_server_program"),
        ("ALTER TABLE audit_events OWNER TO {}", "owns the tables"),
        ("ALTER SCHEMA public OWNER TO {}", "owns their schema"),
        ("GRANT UPDATE ON audit_events TO {}", "has a right to change its tables"),
        ("GRANT UPDATE (actor) ON audit_events TO {}", "has a right to change its tables"),
        ("GRANT TRIGGER ON audit_heads TO {}", "has a right to change its tables"),
    ],
)
def test_a_role_that_is_not_limited(url: str, role: str, make: str, words: str) -> None:
    granted(url, role)
    on(url, make.format(role))

    found = examined(as_role(url, role))

    assert "is not limited" in found.what
    assert words in found.what
    assert found.weight is Weight.WARNING


@SERVER
@pytest.mark.parametrize(
    ("make", "words"),
    [
        ("ALTER ROLE {} SUPERUSER", "is a superuser"),
        ("GRANT postgres TO {}", "is a member of postgres"),
        ("ALTER TABLE audit_heads OWNER TO {}", "owns the tables"),
        ("GRANT pg_write_all_data TO {}", "pg_write_all_data"),
    ],
)
def test_no_grant_to_a_role_that_is_not_limited(url: str, role: str, make: str, words: str) -> None:
    on(url, make.format(role))

    with pytest.raises(SettingsError, match=words):
        granted(url, role)


@SERVER
def test_rights_from_elsewhere_are_found_by_a_grant(url: str, role: str) -> None:
    on(url, f"CREATE ROLE {role}_group", f"GRANT {role}_group TO {role}")
    on(url, f"GRANT UPDATE ON audit_events TO {role}_group")

    with pytest.raises(SettingsError, match="has a right to change its tables"):
        granted(url, role)


@SERVER
def test_a_grant_that_gives_nothing(url: str, role: str, postgres: PostgresServer) -> None:
    """PostgreSQL warns, and no more, if whoever grants has a right and may not pass it on."""
    other = f"{role}_other"
    on(url, f"CREATE ROLE {other} LOGIN")
    granted(url, role)
    records = opened(as_role(url, role))

    with pytest.raises(SettingsError, match="no rights were given"):
        sql_rights.grant(records, other)

    records.close()
    del postgres


@SERVER
def test_a_database_that_is_read_only(url: str, role: str) -> None:
    granted(url, role)
    on(url, f'ALTER DATABASE "{url.rpartition("/")[2]}" SET default_transaction_read_only = on')

    assert "is read-only" in examined(as_role(url, role)).what
    assert "is read-only" in refused(url)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_an_encoding_that_holds_not_every_name(postgres: PostgresServer, encoding: str) -> None:
    name = f"enc_{ENTROPY.bytes(6).hex()}"
    with psycopg.connect(postgres.url, autocommit=True) as owner:
        owner.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' "
            "TEMPLATE template0"
        )
    url = postgres.database(name)

    assert encoding in examined(url).what
    assert "UTF8" in refused(url)


def test_a_role_that_may_make_no_tables(postgres: PostgresServer, role: str) -> None:
    url = postgres.new_database(f"bare_{ENTROPY.bytes(6).hex()}")
    on(url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")

    said = refused(as_role(url, role))

    assert "permission denied for schema public" in said
    assert "may make some" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url + "-of-nobody", "there is no such database"),
        (lambda url: as_role(url, "nobody_of_that_name"), "there is no such role"),
    ],
)
def test_a_server_that_refuses_us_is_not_away(
    postgres: PostgresServer, change: Callable[[str], str], words: str
) -> None:
    url = change(postgres.url)

    assert words in examined(url).what
    assert words in refused(url)


def test_a_role_that_may_not_log_in(postgres: PostgresServer, role: str) -> None:
    on(postgres.url, f"ALTER ROLE {role} NOLOGIN")

    assert "may not log in" in examined(as_role(postgres.url, role)).what


def test_a_server_that_is_away_is_away() -> None:
    records = opened("postgresql://me:s3cret@127.0.0.1:1/records")
    for ask in (records.examine, records.upgrade, records.is_current):
        with pytest.raises(RecordsDownError) as told:
            ask()
        assert "s3cret" not in told.value.detail


def _directory(path: Path) -> None:
    path.mkdir()


def _junk(path: Path) -> None:
    path.write_bytes(b"no database at all " * 500)


def _short_junk(path: Path) -> None:
    path.write_bytes(b"no")


def _another_application(path: Path) -> None:
    on(f"sqlite:///{path}", "CREATE TABLE invoices (id integer)")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_directory, "it is a directory"),
        (_junk, "not a SQLite database"),
        (_short_junk, "not a SQLite database"),
        (_another_application, "belongs to another application: it has the tables invoices"),
    ],
)
def test_a_file_that_is_none_of_ours(
    tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "records.sqlite3"
    make(path)

    assert words in examined(f"sqlite:///{path}").what
    assert refused(f"sqlite:///{path}")


def test_a_file_in_a_folder_that_is_missing(tmp_path: Path) -> None:
    assert "its folder is missing" in examined(f"sqlite:///{tmp_path}/no/records.sqlite3").what


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_file_that_is_read_only(url: str) -> None:
    path = url.removeprefix("sqlite:///")

    found = examined(f"sqlite:///file:{path}?mode=ro&uri=true")

    assert "read-only" in found.what


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_file_that_is_damaged(url: str) -> None:
    path = Path(url.removeprefix("sqlite:///"))
    raw = bytearray(path.read_bytes())
    raw[100:8000] = b"\xff" * 7900
    path.write_bytes(raw)

    assert examined(url).weight is Weight.FAULT


def granted(url: str, role: str) -> Any:
    owner = opened(url)
    try:
        return sql_rights.grant(owner, role)
    finally:
        owner.close()
