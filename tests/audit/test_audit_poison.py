"""Rows that the service's role may add, made to stop whoever reads: they stop nobody."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audit_office import GUEST, Office
from database_attackers import KeyThief, ServiceRole, service_role
from trail_rig import PATIENCE, TrailRig

from bff.adapters.head_copies import FileCopies
from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.adapters.system import SystemClock, SystemEntropy
from bff.crypto import head_lines
from bff.errors import RecordsDownError
from bff.records.audit_events import Action, AuditEvent
from bff.records.audit_report import cursor, place_at, place_of
from bff.records.audit_writing import entry
from bff.records.purpose_keys import PurposeKeys
from bff.setting_checks import decoded_key
from bff.settings import Settings

DEEP = "[" * 100_000 + "]" * 100_000
STEERING = "\x1b[2J" + "A" * 38 + "\n"
FAR = [2**63 - 1, -(2**63), 2**62]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    made.fill()
    return made


def role_of(office: Office) -> ServiceRole:
    place = RecordsPlace(url=f"sqlite:///{office.database}", patience=PATIENCE)
    return ServiceRole(records=SqlRecords(place))


def invent(office: Office, **changes: Any) -> None:
    """Add an event that follows, as the service's role can."""
    keys = PurposeKeys(decoded_key(Settings.read(office.env).pairwise_salt))
    event = AuditEvent(
        event_id="invented", at=SystemClock().now(), action=Action.GUEST_CREATED, guest_id=GUEST
    )
    role = role_of(office)
    role.insert_event(entry(event, keys), **changes)
    role.records.close()


@pytest.mark.parametrize("action", [Action.KEYS_ROTATED, Action.CHECKPOINT_BREAK])
def test_details_that_are_nested_without_end_stop_no_verification(
    rig: TrailRig, action: Action
) -> None:
    rig.fill(2)
    role = service_role(rig)
    details = f'{{"proof":{DEEP}}}'
    role.insert_event(rig.entry(9), action=action.value, details=details)
    role.records.close()

    verdict = rig.verify()

    assert verdict.events == 3
    assert verdict.faults or verdict.notes


@pytest.mark.parametrize("depth", [1, 400, 950, 100_000])
def test_details_that_are_nested_stop_no_report(office: Office, depth: int) -> None:
    nested = "[" * depth + "]" * depth
    invent(office, details=f'{{"x":{nested}}}')

    for how in ("table", "csv", "jsonl"):
        done = office.command("audit", "report", "--format", how)
        assert (done.code, done.err) == (0, "")
        assert nested in done.out
    assert office.command("audit", "page", GUEST, "-o", "page.html").code == 0


@pytest.mark.parametrize("at", FAR)
def test_a_time_that_no_calendar_has_stops_no_report_and_no_export(office: Office, at: int) -> None:
    invent(office, at=at)

    report = office.command("audit", "report", "--format", "jsonl")
    export = office.command("export", GUEST)

    assert report.code == export.code == 0
    assert str(at) in [json.loads(line)["at"] for line in report.out.splitlines()]
    assert str(at) in [event["at"] for event in json.loads(export.out)["events"]]


@pytest.mark.parametrize("at", FAR)
def test_a_report_goes_on_behind_an_event_of_any_time(rig: TrailRig, at: int) -> None:
    rig.fill(1)
    role = service_role(rig)
    role.insert_event(rig.entry(9), at=at)
    role.records.close()

    newest = rig.keeper.newest()

    assert newest is not None
    assert place_at(cursor(place_of(newest))) == place_of(newest)


def test_a_forged_checkpoint_of_no_time_stops_no_verification(office: Office) -> None:
    role, thief = role_of(office), KeyThief.with_own_key(SystemEntropy())
    seq = 6
    digest = role.run("SELECT hash FROM audit_events WHERE seq = 6")[0].hash
    role.insert_checkpoint(thief.checkpoint(seq, bytes(digest), signed_at=2**63 - 1))
    role.records.close()

    done = office.command("audit", "verify")

    assert (done.code, done.err) == (1, "")
    assert "table   reaches event 6, signed 20" in done.out
    assert thief.public in done.out


def test_the_name_of_a_key_steers_no_terminal(office: Office) -> None:
    role = role_of(office)
    digest = bytes(role.run("SELECT hash FROM audit_events WHERE seq = 6")[0].hash)
    role.run(
        "INSERT INTO audit_heads VALUES (6, :hash, 1, :key, :signature)",
        hash=digest,
        key=STEERING,
        signature=bytes(64),
    )
    role.records.close()
    copies = office.folder / "heads.jsonl"
    head = head_lines.read(copies.read_text().splitlines()[0])
    told = json.loads(head_lines.spelled(head)) | {"key_id": STEERING}
    copies.write_text(f"{copies.read_text()}{json.dumps(told)}\n")

    done = office.command("audit", "verify")

    assert done.code == 1
    assert "\x1b" not in done.out
    assert done.out.count("\\u001b[2JAAA") == 2
    assert all(line.strip() for line in done.out.splitlines())


def test_a_copy_that_is_nested_without_end_is_one_line_of_the_verdict(office: Office) -> None:
    copies = office.folder / "heads.jsonl"
    copies.write_text(f"{copies.read_text()}{DEEP}\n")

    done = office.command("audit", "verify")

    assert done.code == 1
    assert "line 2 of" in done.out


@pytest.mark.parametrize(
    "carried",
    [
        lambda raw: raw.replace(b"\n", b"\r\n"),
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: b"\n" + raw + b"\r\n\r\n",
        lambda raw: raw + raw,
    ],
    ids=["CRLF", "BOM", "empty lines", "twice"],
)
def test_a_copy_that_was_carried_from_another_system_is_the_same(
    office: Office, carried: Callable[[bytes], bytes]
) -> None:
    copies = office.folder / "heads.jsonl"
    copies.write_bytes(carried(copies.read_bytes()))

    done = office.command("audit", "verify")

    assert (done.code, done.err) == (0, "")
    assert "copies  reaches event 6" in done.out


@pytest.mark.parametrize("name", ["seq", "signed_at"])
@pytest.mark.parametrize("number", [10**300, -(10**300), 2**63, -(2**63) - 1])
def test_a_copy_with_a_number_past_all_bounds_is_a_fault(
    office: Office, name: str, number: int
) -> None:
    copies = office.folder / "heads.jsonl"
    told = json.loads(copies.read_text().splitlines()[0]) | {name: number}
    copies.write_text(f"{copies.read_text()}{json.dumps(told)}\n")

    done = office.command("audit", "verify")

    assert (done.code, done.err) == (1, "")
    assert "its signature does not fit" in done.out


def test_a_copy_after_half_a_line_is_a_line_of_its_own(rig: TrailRig, tmp_path: Path) -> None:
    """A disk was full in the middle of a head: the next one is whole all the same."""
    rig.fill(2)
    rig.sign()
    file = rig.copies_file
    file.write_text(file.read_text() + '{"seq": 4, "ha')
    rig.fill(1, first=3)

    head = rig.sign()

    last = file.read_text().splitlines()[-1]
    assert head_lines.read(last) == head
    with pytest.raises(RecordsDownError):
        FileCopies(tmp_path).keep(head)
