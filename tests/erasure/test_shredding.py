"""Copies of the past: a backup of the records, what lies in the files, and what stays provable."""

import shutil
import sqlite3
from pathlib import Path

import psycopg
import pytest
from erasure_rig import ASKER, ErasureRig, erasure_rig, stored_key
from hand_clock import HandClock
from postgres_server import PostgresServer
from sqlalchemy import make_url, text

from bff.records.audit_events import Action, AuditEvent
from bff.records.erasure import Erased


def with_events(rig: ErasureRig) -> None:
    """Let the trail tell something of the guest, and be signed, before anybody erases."""
    for number in range(3):
        rig.records.trail.note(
            AuditEvent(
                event_id=f"created-{number}",
                at=rig.clock.now(),
                action=Action.GUEST_CREATED,
                guest_id="guest-1",
                source="192.0.2.9",
            )
        )
    rig.records.settle()
    rig.records.signer.tend(now=rig.clock.now())


def test_an_older_copy_of_the_records_opens_nothing_and_the_trail_still_verifies(
    tmp_path: Path,
) -> None:
    file = tmp_path / "records.sqlite3"
    url, clock = f"sqlite:///{file}", HandClock()
    with erasure_rig(tmp_path, url, clock=clock) as rig:
        rig.remember()
        rig.remember("guest-2", device_id="another")
        with_events(rig)
        rig.guests.erasure._erasures.scrub()
        dump = tmp_path / "dump.sqlite3"
        with sqlite3.connect(file) as source, sqlite3.connect(dump) as target:
            source.backup(target)
        source.close()
        target.close()
        assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
    for leftover in tmp_path.glob("records.sqlite3*"):
        leftover.unlink()
    shutil.copy(dump, file)
    with erasure_rig(tmp_path, url, clock=clock) as rig:
        comes_to_nothing(rig)


def test_the_same_with_a_copy_of_postgresql(tmp_path: Path, postgres: PostgresServer) -> None:
    name, copy = f"before-{tmp_path.name}", f"after-{tmp_path.name}"
    url, clock = postgres.new_database(name), HandClock()
    with erasure_rig(tmp_path, url, clock=clock) as rig:
        rig.remember()
        rig.remember("guest-2", device_id="another")
        with_events(rig)
        rig.records.database.close()  # PostgreSQL copies a database that nobody uses
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}"')
        assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
    with erasure_rig(tmp_path, postgres.database(copy), clock=clock) as rig:
        comes_to_nothing(rig)


def comes_to_nothing(rig: ErasureRig) -> None:
    """The copy has the guest's row, and nobody can read it; everybody else's opens."""
    assert rig.guests.rows.find("guest-1") is not None
    assert rig.guests.keys.find("guest-1") is None
    assert rig.opens_nothing()
    assert rig.guests.memory.profile_of("guest-2") is not None
    assert rig.verdict().faults == ()
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE, "and what is left goes again"
    assert rig.guests.rows.find("guest-1") is None
    assert rig.verdict().faults == ()


def test_guests_brought_back_beside_their_erasure_can_be_erased_again(rig: ErasureRig) -> None:
    rig.remember()
    row = rig.guests.rows.find("guest-1")
    rig.guests.erasure.ask("guest-1", ASKER)
    assert row is not None
    again = text(
        "INSERT INTO guests (guest_id, tenant, created_at, seen_at, version, name_sealed) "
        "VALUES ('guest-1', '-', 1, 1, 1, :sealed)"
    ).bindparams(sealed=row.name_sealed)
    rig.records.database.write(lambda connection: connection.execute(again))  # type: ignore[attr-defined]  # the real one
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
    assert rig.guests.rows.find("guest-1") is None


@pytest.mark.parametrize("idle_reader", [False, True])
def test_neither_plain_nor_sealed_is_anything_of_the_guest_left_in_the_files(
    tmp_path: Path, idle_reader: bool
) -> None:
    url = f"sqlite:///{tmp_path / 'records.sqlite3'}"
    with erasure_rig(tmp_path, url) as rig:
        rig.remember()
        row, key = rig.guests.rows.find("guest-1"), rig.guests.keys.find("guest-1")
        assert row is not None
        assert key is not None
        keys_file = tmp_path / "store-keys.sqlite3"
        sealed_key = stored_key(keys_file)
        traces = [row.name_sealed, row.email_sealed, row.session_sealed, sealed_key]
        assert all(trace and found_in(tmp_path, trace) for trace in traces), "the check can see"
        reader = sqlite3.connect(keys_file) if idle_reader else None
        rig.guests.erasure.ask("guest-1", ASKER)
        for trace in (*traces, key.secret, b"Amira", (row.device or "").encode()):
            assert trace
            assert found_in(tmp_path, trace) == [], "gone from the files while they are open"
        if reader is not None:
            reader.close()


def found_in(folder: Path, trace: bytes) -> list[str]:
    """Return the files that hold these bytes."""
    files = (one for one in folder.iterdir() if "records" in one.name or "keys" in one.name)
    return [one.name for one in files if trace in one.read_bytes()]


def test_the_two_files_hold_nothing_of_each_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'records.sqlite3'}"
    with erasure_rig(tmp_path, url) as rig:
        rig.remember()
        row = rig.guests.rows.find("guest-1")
        key = rig.guests.keys.find("guest-1")
    assert row is not None
    assert key is not None
    assert {*map(Path, found_in(tmp_path, row.name_sealed or b"-"))} <= {Path("records.sqlite3")}
    assert found_in(tmp_path, key.secret) == [], "keys lie sealed"
    assert make_url(url).database not in (None, "store-keys.sqlite3")
