"""Events that find nobody at home: no store, no database, no room."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from postgres_server import PostgresServer
from trail_rig import KEYS, PATIENCE, TrailRig, trail_rig

from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.adapters.system import SystemClock
from bff.records.audit_events import AuditEvent, AuditTrail
from bff.records.audit_writing import PAUSE, OutboxTrail


def written(rig: TrailRig) -> list[str]:
    return [row.event_id for row in rig.keeper.rows(after=0, limit=10_000)]


def test_an_event_goes_through_the_outbox_into_the_trail(rig: TrailRig) -> None:
    keeps: AuditTrail = rig.trail
    keeps.note(rig.event(1))
    assert written(rig) == []

    assert rig.writer.once() == 1

    assert written(rig) == ["event-1"]
    assert rig.outbox.waiting() == []


def test_what_waits_tells_a_thief_of_the_store_nothing(on_file: TrailRig) -> None:
    on_file.trail.note(on_file.event(1, guest_id="guest-of-ours", source="192.0.2.77"))

    stolen = b"".join(on_file.store.values()) + "".join(on_file.store.names()).encode()

    assert b"guest-of-ours" not in stolen
    assert b"192.0.2.77" not in stolen
    assert KEYS.pseudonym("guest-of-ours").encode() not in stolen


def test_a_letter_that_is_delivered_twice_is_one_event(rig: TrailRig) -> None:
    rig.trail.note(rig.event(1))
    name = rig.outbox.waiting()[0]
    letter = rig.outbox.read(name)
    assert letter is not None
    rig.writer.once()

    rig.outbox.put(letter)
    rig.writer.once()

    assert written(rig) == ["event-1"]


def test_events_wait_while_the_database_is_away_and_come_when_it_is_back(tmp_path: Path) -> None:
    """A real PostgreSQL that dies, and comes back."""
    with PostgresServer() as server:
        url = server.new_database("dies")
        records = SqlRecords(RecordsPlace(url=url, patience=PATIENCE))
        records.upgrade()
        records.close()
        rig = trail_rig(url, tmp_path)
        rig.trail.note(rig.event(1))
        rig.writer.once()
        server.stop()

        for number in range(2, 6):
            rig.clock.advance(timedelta(seconds=1))
            rig.trail.note(rig.event(number))
        assert rig.writer.once() == 0
        assert len(rig.outbox.waiting()) == 4

        server.start()
        assert rig.writer.once() == 4
        assert written(rig) == [f"event-{number}" for number in range(1, 6)]
        assert rig.verify().faults == ()
        rig.records.close()


def test_events_wait_while_the_tables_are_not_there_yet(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = trail_rig(f"sqlite:///{tmp_path / 'new.sqlite3'}", tmp_path)
    rig.trail.note(rig.event(1))

    assert rig.writer.once() == 0
    assert "records wait" in caplog.text

    rig.records.upgrade()
    assert rig.writer.once() == 1
    assert written(rig) == ["event-1"]
    rig.records.close()


def test_while_even_the_store_is_away_events_wait_in_memory_in_their_order(
    on_file: TrailRig, caplog: pytest.LogCaptureFixture
) -> None:
    on_file.store.down = True
    for number in range(1, 4):
        on_file.clock.advance(timedelta(milliseconds=1))
        on_file.trail.note(on_file.event(number))
    assert on_file.trail.held == 3
    assert caplog.text.count("events wait in memory") == 1

    on_file.store.down = False
    on_file.clock.advance(PAUSE)
    on_file.trail.note(on_file.event(4))
    on_file.writer.once()

    assert on_file.trail.held == 0
    assert sorted(written(on_file)) == [f"event-{number}" for number in range(1, 5)]


def test_not_every_event_asks_a_store_that_is_away(on_file: TrailRig) -> None:
    """Each would wait a second for its time-out, on the back of somebody who signs in."""
    on_file.trail.note(on_file.event(0))
    on_file.store.down = True
    asked: list[str] = []
    real = on_file.outbox.put
    on_file.outbox.put = lambda letter: (asked.append(letter.desk), real(letter))[1]  # type: ignore[method-assign,func-returns-value]

    for number in range(50):
        on_file.trail.note(on_file.event(number))

    assert len(asked) == 1
    assert on_file.trail.held == 50


def test_a_round_of_the_writer_brings_what_waits_in_memory(on_file: TrailRig) -> None:
    on_file.store.down = True
    on_file.trail.note(on_file.event(1))
    on_file.store.down = False

    assert on_file.trail.flush()
    on_file.writer.once()

    assert written(on_file) == ["event-1"]


def test_the_memory_is_bounded_and_the_log_says_what_had_no_room(
    on_file: TrailRig, caplog: pytest.LogCaptureFixture
) -> None:
    trail = OutboxTrail(on_file.outbox, KEYS, clock=on_file.clock, limit=2)
    on_file.store.down = True

    for number in range(1, 4):
        trail.note(on_file.event(number, guest_id="guest-of-ours"))

    assert trail.held == 2
    told = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert len(told) == 1
    assert "event-3" in told[0]
    assert "guest-of-ours" not in told[0]


def test_a_full_outbox_is_like_a_store_that_is_away(on_file: TrailRig) -> None:
    on_file.outbox._limit = 2
    for number in range(1, 4):
        on_file.trail.note(on_file.event(number))
        on_file.outbox.waiting()

    assert on_file.trail.held == 1


class Stubborn:
    """Cannot be made into text."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_who_notes_an_event_learns_whether_it_would_survive_this_process(
    on_file: TrailRig,
) -> None:
    assert on_file.trail.note(on_file.event(1))
    on_file.store.down = True

    assert not on_file.trail.note(on_file.event(2))
    assert not on_file.trail.note(on_file.event(2)), "noted again, because it was not"
    assert on_file.trail.held == 1

    on_file.store.down = False
    on_file.clock.advance(PAUSE)
    assert on_file.trail.note(on_file.event(2))
    on_file.writer.once()
    assert written(on_file) == ["event-1", "event-2"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": datetime(2026, 11, 20, 9, 0)},  # noqa: DTZ001 - that is what is wrong
        {"details": {"x": Stubborn()}},
        {"details": None},
        {"guest_id": "\ud800"},
        {"actor": None},
        {"action": "no action"},
    ],
)
def test_an_event_that_makes_no_sense_stops_nobody(
    on_file: TrailRig, wrong: Mapping[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    event: AuditEvent = replace(on_file.event(1), **wrong)

    on_file.trail.note(event)
    on_file.trail.note(on_file.event(2))
    on_file.writer.once()

    assert "cannot be written" in caplog.text
    assert written(on_file) == ["event-2"]


def test_the_writer_delivers_on_its_own_and_ends_when_it_is_told(on_file: TrailRig) -> None:
    on_file.writer.start()
    for number in range(20):
        on_file.trail.note(on_file.event(number))

    clock = SystemClock()
    end = clock.now() + timedelta(seconds=20)
    while len(written(on_file)) < 20 and clock.now() < end:
        clock.sleep(timedelta(milliseconds=20))
    on_file.writer.stop()

    assert len(written(on_file)) == 20
    assert on_file.writer._thread is not None
    assert not on_file.writer._thread.is_alive()
