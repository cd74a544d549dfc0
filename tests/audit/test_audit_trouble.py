"""What commands and the service say of a log, or a database, that is not as it should be."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from audit_office import Office
from command_rig import Outcome, run_command
from postgres_server import PostgresServer
from sqlalchemy import text

from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.adapters.sql_migrations import known_revisions
from bff.settings import Settings
from bff.wiring import build

LINES = 3  # what went wrong, of what, and what there is to do


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    made.fill()
    return made


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as running:
        yield running


def meddled(office: Office, *statements: str) -> None:
    records = SqlRecords(RecordsPlace(url=f"sqlite:///{office.database}"))
    for statement in statements:
        records.write(lambda connection, it=statement: connection.execute(text(it)))  # type: ignore[misc]
    records.close()


def signed_again(office: Office) -> None:
    """Sign what came since."""
    here = build(Settings.read(office.env))
    assert here.records is not None
    here.records.signer.tend(now=here.clock.now() + timedelta(hours=1))
    here.close()


def test_verify_says_how_far_table_store_and_copies_reach(office: Office) -> None:
    done = office.command("audit", "verify")

    reached = [line.split(",")[0] for line in done.out.splitlines() if "reaches" in line]
    assert reached == [
        "table   reaches event 6",
        "store   reaches event 6",
        "copies  reaches event 6",
    ]
    assert done.out.count("3 events after it") == 3


def test_copies_that_have_stopped_are_a_fault(office: Office) -> None:
    copies = office.folder / "heads.jsonl"
    before = copies.read_text()
    signed_again(office)
    copies.write_text(before)

    stopped = office.command("audit", "verify")
    brought = office.command("audit", "verify", "--heads", str(copies))

    assert stopped.code == 1
    assert "FAULT at event 9: the outside copies stop at event 6" in stopped.out
    assert brought.code == 0, "an auditor has fetched them some time ago"
    assert "note: the outside copies stop at event 6" in brought.out


def test_an_address_that_takes_no_copies_is_a_fault(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.env["BFF_AUDIT_HEADS"] = "https://127.0.0.1:1/heads"
    office.fill()

    done = office.command("audit", "verify")

    assert done.code == 1
    assert "BFF_AUDIT_HEADS has taken no head after event 0, and event 6 was signed" in done.out


def test_copies_of_another_database_are_named_once(office: Office, tmp_path: Path) -> None:
    other = Office(tmp_path / "other")
    other.folder.mkdir()
    other.fill()
    signed_again(other)

    done = office.command("audit", "verify", "--heads", str(other.folder / "heads.jsonl"))

    assert done.code == 1
    told = [line for line in done.out.splitlines() if "another database" in line]
    assert len(told) == 1
    assert "2 heads of the outside copy are forged, or of a key that is unknown here" in told[0]


def test_a_key_that_was_lost_is_told_by_verify(office: Office) -> None:
    here = build(Settings.read(office.env))
    assert here.records is not None
    here.store.put("audit-head-keys:keys", b"written over", ttl=timedelta(days=1))
    here.records.signer.tend(now=here.clock.now() + timedelta(hours=1))
    here.records.signer.introduce()
    here.records.settle()
    here.close()

    done = office.command("audit", "verify")

    assert done.code == 0, done.out
    assert "note: BREAK at event 10: the checkpoint key was lost" in done.out
    assert "which signed event 6 last" in done.out
    report = office.command("audit", "report", "--action", "keys_rotated", "--format", "jsonl")
    assert '"begun":"lost"' in report.out.replace(" ", "")
    assert '"outcome":"failed"' in report.out.replace(" ", "")


def test_a_log_that_was_restored_is_signed_again_if_an_operator_says_so(office: Office) -> None:
    """A backup of the database is brought back: what was signed since is missing."""
    signed_again(office)
    meddled(
        office,
        *(f"DROP TRIGGER {name}" for name in ("audit_events_no_delete", "audit_heads_no_delete")),
        "DELETE FROM audit_events WHERE seq > 7",
        "DELETE FROM audit_heads WHERE seq > 7",
        "DELETE FROM audit_sources WHERE seq > 7",
    )
    office.command("db", "upgrade")
    (office.folder / "heads.jsonl").unlink()
    refused = office.command("audit", "verify")

    asked = office.command("audit", "accept")
    assert office.command("audit", "verify").code == refused.code == 1
    done = office.command("audit", "accept", "--yes")
    after = office.command("audit", "verify")

    assert "the log ends with event 7; event 9 was signed last" in asked.out
    assert "nothing was done" in asked.out
    assert done.code == 0
    assert after.code == 0, after.out
    assert "accepted by an operator" in after.out


def test_a_trigger_that_is_gone_is_told_by_everybody(office: Office) -> None:
    meddled(office, "DROP TRIGGER audit_events_no_update")
    words = "the table audit_events has lost its trigger audit_events_no_update (dropped)"

    verify = office.command("audit", "verify")
    report = office.command("audit", "report")
    check = office.command("check")
    serve = run_command("serve", folder=office.folder, env={**office.env, "BFF_PORT": "0"})
    upgrade = office.command("db", "upgrade")

    assert (verify.code, report.code, check.code, serve.code, upgrade.code) == (1, 0, 1, 2, 0)
    for said in (verify.out, check.out, serve.err):
        assert words in said
    assert "was dropped; it was made anew" in upgrade.out
    assert office.command("audit", "verify").code == 0


def another_application(url: str) -> None:
    on(url, "CREATE TABLE alembic_version (version_num varchar(32))")
    on(url, "INSERT INTO alembic_version VALUES ('9f2c')")


def stamped_without_tables(url: str) -> None:
    on(url, "CREATE TABLE alembic_version (version_num varchar(32))")
    on(url, f"INSERT INTO alembic_version VALUES ('{known_revisions()[0]}')")


def newer(url: str) -> None:
    on(url, "CREATE TABLE alembic_version (version_num varchar(32))")
    on(url, "INSERT INTO alembic_version VALUES ('0999')")


def nothing(_: str) -> None:
    """Leave it empty."""


def on(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(statement)


def assert_one_line(done: Outcome, words: str) -> None:
    assert done.code in (1, 2)
    assert words in done.err
    assert "Traceback" not in done.err + done.out
    assert len([line for line in done.err.splitlines() if line]) <= LINES


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (another_application, "belongs to another application"),
        (stamped_without_tables, "says that all tables are there"),
        (newer, "newer than this version"),
    ],
)
def test_a_database_that_is_not_ours_is_told_in_a_line(
    tmp_path: Path, server: PostgresServer, make: Callable[[str], None], words: str
) -> None:
    url = server.new_database(f"trouble_{make.__name__}")
    make(url)
    office = Office(tmp_path, BFF_RECORDS_URL=url)

    for command in (
        ("db", "upgrade"),
        ("db", "grant", "postgres"),
        ("audit", "verify"),
        ("audit", "report"),
        ("records", "prune"),
    ):
        assert_one_line(office.command(*command), words)
    check = office.command("check")
    assert check.code == 1
    assert words in check.out


def test_a_role_that_was_granted_nothing_is_told_in_a_line(
    tmp_path: Path, server: PostgresServer
) -> None:
    url = server.new_database("ungranted")
    office = Office(tmp_path, BFF_RECORDS_URL=url)
    on(url, "CREATE ROLE ungranted LOGIN")
    assert_one_line(office.command("db", "grant", "ungranted"), "there are none yet")
    assert office.command("db", "upgrade").code == 0

    office.env["BFF_RECORDS_URL"] = url.replace("postgres@", "ungranted@")

    for command in (("audit", "verify"), ("db", "upgrade"), ("db", "grant", "ungranted")):
        assert_one_line(office.command(*command), "the role ungranted lacks the right SELECT")


def test_alembic_says_nothing(tmp_path: Path, server: PostgresServer) -> None:
    office = Office(tmp_path, BFF_RECORDS_URL=server.new_database("quiet"), BFF_LOG_LEVEL="DEBUG")

    done = office.command("db", "upgrade")

    assert (done.out, done.err) == ("the tables are up to date\n", "")
