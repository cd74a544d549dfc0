"""`messenger-bff audit` and `db`: what they say, what they leave, and how they exit."""

import csv
import io
import json
import os
import pty
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from audit_office import GUEST, Office
from command_rig import COMMAND, bare, run_command
from postgres_server import PostgresServer


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    made.fill()
    return made


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as running:
        yield running


def test_a_good_trail_is_told_and_nothing_else_happens(office: Office) -> None:
    done = office.command("audit", "verify")

    assert (done.code, done.err) == (0, "")
    assert "9 events, 1 signed heads, 1 copies outside" in done.out
    assert "3 events came after the newest head" in done.out
    assert done.out.rstrip().endswith("added or rewritten")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE audit_events SET actor = 'x' WHERE seq = 4", "FAULT at event 4: the event was"),
        ("DELETE FROM audit_events WHERE seq = 4", "event 4 is missing"),
        ("DELETE FROM audit_events WHERE seq > 4", "the tail was cut"),
    ],
)
def test_a_falsified_trail_is_told_where_and_exits_1(
    office: Office, statement: str, words: str
) -> None:
    office.meddle(statement)

    done = office.command("audit", "verify")

    assert done.code == 1
    assert words in done.out
    assert "it is evidence" in done.out


def test_the_outside_copy_that_is_gone_or_broken_exits_1(office: Office) -> None:
    copies = office.folder / "heads.jsonl"
    kept = copies.read_text()
    copies.unlink()
    gone = office.command("audit", "verify")
    copies.write_text(kept + "half a li")
    broken = office.command("audit", "verify")

    assert gone.code == broken.code == 1
    assert "the outside copy of the heads is empty or gone" in gone.out
    assert "line 2 of" in broken.out


def test_a_key_that_was_printed_is_trusted_when_the_store_is_lost(office: Office) -> None:
    printed = office.command("audit", "keys").out.split()[0]
    (office.folder / "store.sqlite3").unlink()

    stranger = office.command("audit", "verify")
    known = office.command("audit", "verify", "--key", printed)

    assert stranger.code == 1
    assert "of a key that is unknown here" in stranger.out
    assert known.code == 0


def test_keys_rotate_takes_the_head_key_along_and_is_an_event(office: Office) -> None:
    assert office.command("keys", "rotate").code == 0

    keys = office.command("audit", "keys").out.splitlines()
    report = office.command("audit", "report", "--action", "keys_rotated", "--format", "jsonl")

    assert [line.split()[-1] for line in keys][-1] == "signs"
    assert len(keys) == 2
    told = json.loads(report.out)
    assert told["actor_kind"] == "operator"
    assert told["details"]["head_key"] == keys[1].split()[0]
    assert office.command("audit", "verify").code == 0


def test_a_report_is_a_table_csv_or_json_lines(office: Office) -> None:
    table = office.command("audit", "report", "--guest", GUEST)
    text = office.command("audit", "report", "--guest", GUEST, "--format", "csv").out
    told = office.command("audit", "report", "--guest", GUEST, "--format", "jsonl").out

    rows = list(csv.DictReader(io.StringIO(text)))
    # Each report about this guest is an event about this guest.
    assert [row["action"] for row in rows] == ["guest_created"] * 9 + ["report_read"] * 2
    assert len(told.splitlines()) == 12
    assert table.out.splitlines()[0].split()[:3] == ["SEQ", "AT", "ACTION"]
    assert len(table.out.splitlines()) == 11


@pytest.mark.parametrize(
    "arguments",
    [
        ("--from", "yesterday"),
        ("--to", "2026-02-30"),
        ("--from", "2026-11-21", "--to", "2026-11-20"),
        ("--action", "x"),
        ("--guest", "a\nb"),
    ],
)
def test_a_question_that_makes_no_sense_exits_2(office: Office, arguments: tuple[str, ...]) -> None:
    done = office.command("audit", "report", *arguments)

    assert done.code == 2
    assert done.err.startswith("messenger-bff: ")
    assert "Traceback" not in done.err


def test_who_reads_only_the_beginning_of_a_report_hears_no_complaint(office: Office) -> None:
    with subprocess.Popen(
        [*COMMAND, "audit", "report"],
        env=bare(office.env),
        cwd=office.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_the_page_is_one_file_that_only_its_owner_reads(office: Office) -> None:
    done = office.command("audit", "page", GUEST, "-o", "person.html")
    page = office.folder / "person.html"

    assert done.code == 0
    assert "10 events" in done.out  # nine, and this one
    html = page.read_text("utf-8")
    assert "<style>" in html
    assert '<link rel="stylesheet"' not in html
    assert html.count("<strong>guest created</strong>") == 9
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_a_page_that_cannot_be_written_is_told(office: Office) -> None:
    done = office.command("audit", "page", GUEST, "-o", "no/such/folder.html")

    assert done.code == 2
    assert "No such file" in done.err


def test_a_file_of_our_own_needs_no_preparation(tmp_path: Path) -> None:
    done = Office(tmp_path).command("audit", "verify")

    assert done.code == 0
    assert "0 events" in done.out


def test_tables_that_are_not_there_are_told_with_what_to_do(
    tmp_path: Path, server: PostgresServer
) -> None:
    office = Office(tmp_path, BFF_RECORDS_URL=server.new_database("untouched"))

    before = office.command("audit", "verify")
    upgraded = office.command("db", "upgrade")
    after = office.command("audit", "verify")

    assert before.code == 2
    assert "messenger-bff db upgrade" in before.err
    assert upgraded.code == after.code == 0


def test_where_no_records_are_kept_that_is_told(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.env["BFF_STORE_URL"] = "redis://127.0.0.1:1/0"

    done = office.command("audit", "verify")

    assert done.code == 1
    assert "BFF_RECORDS_URL" in done.err


def test_the_files_of_the_records_are_readable_by_their_owner_alone(office: Office) -> None:
    files = list(office.folder.glob("*.sqlite3*"))

    assert office.database in files
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_terminal_sees_how_far_it_is(office: Office) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "audit", "verify"],
        env=bare(office.env),
        cwd=office.folder,
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    told = os.read(ours, 1000).decode()
    os.close(ours)

    assert done.returncode == 0
    assert "9 of 9 events" in told
    assert told.endswith("\x1b[K")


def test_serve_does_not_start_on_tables_of_another_version(
    tmp_path: Path, server: PostgresServer
) -> None:
    office = Office(tmp_path, BFF_RECORDS_URL=server.new_database("empty"), BFF_PORT="0")

    done = run_command("serve", folder=office.folder, env=office.env)

    assert done.code == 2
    assert "run `messenger-bff db upgrade`" in done.err


def test_upgrade_and_grant_prepare_a_role_that_serves(
    tmp_path: Path, server: PostgresServer
) -> None:
    url = server.new_database("granted")
    office = Office(tmp_path, BFF_RECORDS_URL=url)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE ROLE service LOGIN")

    assert office.command("db", "upgrade").code == 0
    granted = office.command("db", "grant", "service")
    office.env["BFF_RECORDS_URL"] = url.replace("postgres@", "service@")
    office.fill(upgrade=False)

    assert granted.code == 0
    assert "GRANT SELECT, INSERT ON audit_events" in granted.out
    assert office.command("audit", "verify").code == 0
    assert office.command("db", "grant", "nobody-of-that-name").code == 2
