"""Whatever is the matter with the database, nothing that waits is lost; put right, all of it comes.

Each trouble is made in a real SQLite file, or in a real PostgreSQL whose role has what it needs.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from database_troubles import POSTGRESQL, SERVICE, SQLITE, Place, disk_full, passing_over
from erasure_rig import ErasureRig, erasure_rig
from postgres_server import PostgresServer
from records_rig import database
from sqlalchemy import text

from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.adapters.sql_rights import grant
from bff.records.audit_events import Action, AuditEvent
from bff.records.guest_memory import GuestFacts
from bff.records.outbox import Letter

TROUBLES = [
    *(pytest.param("sqlite", name, id=f"sqlite-{name}") for name in SQLITE),
    *(pytest.param("postgresql", name, id=f"postgresql-{name}") for name in POSTGRESQL),
]


@contextmanager
def world(kind: str, folder: Path, postgres: PostgresServer) -> Iterator[tuple[ErasureRig, Place]]:
    """Records as `serve` has them, and the database's owner."""
    with database(kind, folder, postgres) as url:
        served = url
        records = SqlRecords(RecordsPlace(url=url))
        records.upgrade()
        if kind == "postgresql":
            with psycopg.connect(url, autocommit=True) as owner:
                owner.execute(f"CREATE ROLE {SERVICE} LOGIN".encode())
            grant(records, SERVICE)
            served = url.replace("postgres@", f"{SERVICE}@")
        records.close()
        try:
            yield from _served(folder, served, url)
        finally:
            if kind == "postgresql":
                with psycopg.connect(url, autocommit=True) as owner:
                    owner.execute(f"DROP OWNED BY {SERVICE}".encode())
                    owner.execute(f"DROP ROLE {SERVICE}".encode())


def _served(folder: Path, served: str, url: str) -> Iterator[tuple[ErasureRig, Place]]:
    with erasure_rig(folder, served, BFF_RECORDS_TIMEOUT="PT0.3S") as rig:
        engine: Any = rig.records.database
        yield rig, Place(url=url, engine=engine.engine)


def fill(rig: ErasureRig, count: int = 3, *, first: int = 0) -> None:
    for number in range(first, first + count):
        rig.clock.advance(timedelta(seconds=1))
        facts = GuestFacts(
            guest_id=f"guest-{number}", at=rig.clock.now(), profile={"name": f"name {number}"}
        )
        rig.guests.memory.remember(facts)
        rig.records.trail.note(
            AuditEvent(
                event_id=f"event-{number}",
                at=rig.clock.now(),
                action=Action.GUEST_CREATED,
                guest_id=f"guest-{number}",
                source="192.0.2.1",
            )
        )


def events(rig: ErasureRig) -> list[str]:
    return [row.event_id for row in rig.records.keeper.rows(after=0, limit=1000)]


@pytest.mark.parametrize(("kind", "name"), TROUBLES)
def test_what_waits_waits_and_comes_in_its_order_when_all_is_well_again(
    kind: str,
    name: str,
    tmp_path: Path,
    postgres: PostgresServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with world(kind, tmp_path, postgres) as (rig, place):
        fill(rig)
        trouble = {"sqlite": SQLITE, "postgresql": POSTGRESQL}[kind][name]
        with trouble(place):
            for _ in range(3):
                assert rig.records.writer.once() == 0
            assert len(rig.records.outbox.waiting()) == 6
            assert rig.records.outbox.dead.ids() == []
            alarms = [one for one in caplog.records if one.levelname == "ERROR"]
            assert any("records wait" in one.getMessage() for one in alarms)
            fill(rig, first=3)
        assert rig.records.writer.once() == 12
        assert events(rig) == [f"event-{number}" for number in range(6)]
        assert rig.guests.rows.count() == 6
        assert rig.guests.memory.profile_of("guest-5") == {"name": "name 5"}
        assert rig.records.outbox.waiting() == []
        assert not any(rig.records.outbox.tally.missing.values())


def test_a_disk_that_is_full_takes_what_fits_and_the_rest_waits(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with world("sqlite", tmp_path, postgres) as (rig, place):
        fill(rig, 40)
        with disk_full(place):
            delivered = rig.records.writer.once()
            assert rig.records.writer.once() == 0
            assert len(rig.records.outbox.waiting()) == 80 - delivered > 0
            assert rig.records.outbox.dead.ids() == []
        assert rig.records.writer.once() == 80 - delivered
        assert events(rig) == [f"event-{number}" for number in range(40)]
        assert rig.guests.rows.count() == 40


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_lane_that_waits_does_not_hold_up_the_other(
    kind: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    with world(kind, tmp_path, postgres) as (rig, place):
        fill(rig)
        place.run("ALTER TABLE audit_events RENAME TO gone")
        assert rig.records.writer.once() == 3
        assert rig.guests.rows.count() == 3
        assert len(rig.records.outbox.waiting()) == 3
        place.run("ALTER TABLE gone RENAME TO audit_events", "ALTER TABLE guests RENAME TO gone")
        fill(rig, first=3)
        assert rig.records.writer.once() == 6
        assert len(events(rig)) == 6
        assert len(rig.records.outbox.waiting()) == 3


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_one_event_that_the_database_refuses_is_set_aside_and_the_others_go_on(
    kind: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    with world(kind, tmp_path, postgres) as (rig, place):
        refuse, allow = _refusing_one(kind)
        place.run(*refuse)
        fill(rig)
        assert rig.records.writer.once() == 4
        assert events(rig) == ["event-0", "event-2"]
        assert rig.guests.rows.count() == 2
        dead = rig.records.outbox.dead.all()
        assert sorted((one.lane, one.why) for one in dead) == [
            ("audit", "refused_by_database"),
            ("guest", "refused_by_database"),
        ]
        assert rig.records.outbox.tally.set_aside == {"audit": 1, "guest": 1}

        place.run(*allow)
        assert all(rig.records.outbox.retry(one) for one in dead)
        assert rig.records.writer.once() == 2
        assert events(rig) == ["event-0", "event-2", "event-1"]
        assert rig.guests.rows.count() == 3
        assert rig.records.outbox.dead.ids() == []


def test_a_right_that_only_some_events_need_is_a_reason_to_wait_and_not_to_set_aside(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """To change a guest is not allowed, to add one is: that is no fault of the first event."""
    with world("postgresql", tmp_path, postgres) as (rig, place):
        fill(rig, 1)
        rig.records.writer.once()
        place.run(
            f"REVOKE UPDATE ON guests FROM {SERVICE}",
            f"GRANT UPDATE (seen_at) ON guests TO {SERVICE}",
        )
        fill(rig, 3)
        for _ in range(3):
            rig.records.writer.once()
        assert rig.records.outbox.figures["guest"].pending == 3
        assert rig.records.outbox.dead.ids() == []
        place.run(f"GRANT UPDATE ON guests TO {SERVICE}")
        assert rig.records.writer.once() == 3
        assert rig.guests.rows.count() == 3


def _refusing_one(kind: str) -> tuple[list[str], list[str]]:
    wrong = {"audit_events": "event_id = 'event-1'", "guests": "guest_id = 'guest-1'"}
    if kind == "sqlite":
        return (
            [
                f"CREATE TRIGGER {table}_one BEFORE INSERT ON {table} "
                f"WHEN NEW.{which} BEGIN SELECT RAISE(ABORT, 'no'); END"
                for table, which in wrong.items()
            ],
            [f"DROP TRIGGER {table}_one" for table in wrong],
        )
    return (
        [
            f"ALTER TABLE {table} ADD CONSTRAINT one CHECK (NOT ({which})) NOT VALID"
            for table, which in wrong.items()
        ],
        [f"ALTER TABLE {table} DROP CONSTRAINT one" for table in wrong],
    )


GOOD = {
    "event_id": "e",
    "at": 1,
    "action": "x",
    "outcome": "done",
    "actor_kind": "system",
    "actor": "",
    "guest": None,
    "source": None,
    "details": "{}",
}
FACTS = {"guest_id": "g", "at": "2026-11-20T09:00:00+00:00", "profile": {}}
BODIES = {
    "no JSON": ("audit", "{", "malformed"),
    "no object": ("audit", "[]", "malformed"),
    "null": ("audit", "null", "malformed"),
    "lacks a field": ("audit", json.dumps({"event_id": "e"}), "malformed"),
    "wrong type": ("audit", json.dumps({**GOOD, "at": "soon"}), "malformed"),
    "a newer field": ("audit", json.dumps({**GOOD, "colour": "red"}), "unknown_kind"),
    "guest: no JSON": ("guest", "nothing", "malformed"),
    "guest: no object": ("guest", "7", "malformed"),
    "guest: lacks a field": ("guest", "{}", "malformed"),
    "guest: wrong type": ("guest", json.dumps({**FACTS, "profile": 7}), "malformed"),
    "guest: wrong time": ("guest", json.dumps({**FACTS, "at": "never"}), "malformed"),
    "guest: a newer field": ("guest", json.dumps({**FACTS, "mood": "good"}), "unknown_kind"),
    "guest: no ciphertext": ("guest", json.dumps({"alias": "a", "sealed": "%"}), "malformed"),
    "guest: unknown key": ("guest", json.dumps({"alias": "a", "sealed": "YQ=="}), "unreadable"),
    "another kind": ("weather", "{}", "unknown_kind"),
}


@pytest.mark.parametrize("name", BODIES)
def test_what_no_version_or_only_a_newer_one_can_read_is_set_aside(
    name: str, tmp_path: Path
) -> None:
    desk, body, why = BODIES[name]
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        rig.records.outbox.put(Letter(desk=desk, body=body))
        fill(rig)
        assert rig.records.writer.once() == 6, "the others go on"
        (dead,) = rig.records.outbox.dead.all()
        assert (dead.why, dead.desk) == (why, desk)
        assert dead.letter == Letter(desk=desk, body=body)
        assert rig.records.outbox.figures[dead.lane].dead == 1


def test_a_number_that_no_database_holds_is_set_aside_once_another_came_through(
    tmp_path: Path,
) -> None:
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        rig.records.outbox.put(Letter(desk="audit", body=json.dumps({**GOOD, "at": 2**70})))
        assert rig.records.writer.once() == 0
        assert len(rig.records.outbox.waiting()) == 1, "alone it may be the database that is wrong"
        fill(rig, 1)
        assert rig.records.writer.once() == 2
        assert [one.why for one in rig.records.outbox.dead.all()] == ["refused_by_database"]


def test_how_far_it_is_stands_in_the_database(tmp_path: Path) -> None:
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        fill(rig)
        rig.records.writer.once()
        database: Any = rig.records.database
        rows = database.read(
            lambda connection: connection.execute(text("SELECT * FROM outbox_marks")).all()
        )
        assert {(row.lane, row.number) for row in rows} == {("audit", 3), ("guest", 3)}


LONG = {
    name: {**GOOD, "event_id": "long", name: "".join(map(chr, range(200, 12_000)))}
    for name in ("event_id", "guest", "actor")
}


@pytest.mark.parametrize("name", LONG)
def test_what_is_longer_than_an_index_holds_does_not_hold_up_the_lane(
    name: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    with world("postgresql", tmp_path, postgres) as (rig, _):
        body = json.dumps({**LONG[name], "actor_kind": "person"})
        rig.records.outbox.put(Letter(desk="audit", body=body))
        fill(rig)
        assert rig.records.writer.once() == 6, "the others go on"
        assert [one.why for one in rig.records.outbox.dead.all()] == ["refused_by_database"]


def test_what_a_trigger_refuses_of_one_event_does_not_hold_up_the_lane(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with world("postgresql", tmp_path, postgres) as (rig, place):
        place.run(
            "CREATE FUNCTION picky() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'not this one'; END $$",
            "CREATE TRIGGER picky BEFORE INSERT ON audit_events FOR EACH ROW "
            "WHEN (NEW.event_id = 'event-1') EXECUTE FUNCTION picky()",
        )
        fill(rig)
        assert rig.records.writer.once() == 5
        assert [one.why for one in rig.records.outbox.dead.all()] == ["refused_by_database"]
        place.run("DROP TRIGGER picky ON audit_events")
        assert all(map(rig.records.outbox.retry, rig.records.outbox.dead.all()))
        assert rig.records.writer.once() == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_change_that_is_passed_over_in_silence_waits(
    kind: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    with world(kind, tmp_path, postgres) as (rig, place):
        fill(rig, 1)
        rig.records.writer.once()
        with passing_over(place, "UPDATE"):
            fill(rig, 1)
            assert rig.records.writer.once() == 1, "the event of the audit log"
            assert len(rig.records.outbox.waiting()) == 1
        assert rig.records.writer.once() == 1
        row = rig.guests.rows.find("guest-0")
        assert row is not None
        assert row.seen_at == rig.clock.now()
