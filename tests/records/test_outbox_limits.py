"""A full outbox: an alarm, lanes that do not fill each other, and who is slowed down first."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from erasure_rig import ErasureRig, erasure_rig
from outbox_rig import OutboxWorld, memory_world
from security_model import Asset, Attacker, threat

from bff.errors import RecordsDownError
from bff.guests.guest_archive import Caller
from bff.records.archive import Archive
from bff.records.audit_events import Action, AuditEvent, Outcome
from bff.records.guest_memory import GuestFacts
from bff.records.outbox import Letter, Outbox, OutboxFullError
from bff.records.outbox_events import AUDIT, GUEST

CALLER = Caller(device_id="d", browser_secret="b" * 43, person=None, source="192.0.2.1")


@pytest.fixture
def world() -> OutboxWorld:
    made = memory_world()
    made.database.refuses = lambda _: RecordsDownError("away")
    return made


def event(number: int, action: Action, outcome: Outcome = Outcome.DONE) -> AuditEvent:
    clock = memory_world().clock
    return AuditEvent(
        event_id=f"event-{number}",
        at=clock.now(),
        action=action,
        outcome=outcome,
        source="192.0.2.1",
    )


@pytest.mark.parametrize(("full", "free"), [(GUEST, AUDIT), (AUDIT, GUEST)])
def test_a_full_lane_does_not_block_the_other(full: str, free: str, world: OutboxWorld) -> None:
    process = world.process(limit=3)
    for number in range(3):
        process.put(f"{number}", lane=full)
    with pytest.raises(OutboxFullError):
        process.put("3", lane=full)
    process.put("4", lane=free)
    assert len(process.outbox.waiting()) == 4


def test_the_limit_is_that_of_all_processes_and_room_is_seen_at_once(world: OutboxWorld) -> None:
    one, other = world.process(limit=3), world.process(limit=3)
    for number in range(3):
        one.put(f"{number}")
    with pytest.raises(OutboxFullError):
        other.put("3")
    world.database.refuses = lambda _: None
    one.writer.once()
    other.put("3")


def test_a_full_lane_is_an_alarm_but_not_each_time(
    world: OutboxWorld, caplog: pytest.LogCaptureFixture
) -> None:
    process = world.process(limit=3)
    for number in range(3):
        process.put(f"{number}")
    for _ in range(5):
        process.writer.once()
    alarms = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert len(alarms) == 1
    assert "guest is full" in alarms[0]
    world.clock.advance(timedelta(minutes=11))
    process.writer.once()
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == 2
    assert process.outbox.figures[GUEST].pending == 3
    assert process.outbox.oldest_age(GUEST) == timedelta(minutes=11)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[ErasureRig]:
    """Records with room for ten events a lane."""
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        rig.records.outbox._limit = 10
        yield rig


def test_sign_ins_and_sign_outs_find_room_when_nothing_else_does(small: ErasureRig) -> None:
    trail = small.records.trail
    for number in range(10):
        trail.note(event(number, Action.GUEST_CREATED))
    trail.note(event(10, Action.GUEST_CREATED))
    assert trail.held == 1
    assert trail.flush() is False
    full = Outbox(small.foundation, limit=10)
    full.put(Letter(desk=AUDIT, body="{}", urgent=True))
    with pytest.raises(OutboxFullError):
        full.put(Letter(desk=AUDIT, body="{}"))


@threat(
    Attacker.STRANGER,
    Asset.AUDIT_LOG,
    can="fill the outbox up to its limit; from four fifths on one refusal of ten has an event",
    noticed="the event says how many were left out; the alarm of a full outbox",
)
def test_in_a_crowded_outbox_refusals_are_sampled_with_their_number(small: ErasureRig) -> None:
    records = small.records
    for number in range(8):
        records.trail.note(event(number, Action.GUEST_CREATED))
    records.outbox.look()
    for number in range(100, 120):
        records.trail.note(event(number, Action.GUEST_REFUSED, Outcome.REFUSED))
    assert records.outbox.tally.sampled[AUDIT] == 18
    assert len(records.outbox.waiting()) == 10
    records.settle()
    rows = [row for row in records.keeper.rows(after=0, limit=99) if row.outcome == "refused"]
    assert [json.loads(row.details)["skipped"] for row in rows] == [9, 9]


@threat(
    Attacker.STRANGER,
    Asset.SERVICE,
    can="have no new anonymous conversation while much waits; signed-in users still get theirs",
    noticed="the alarm of a full outbox",
)
def test_new_anonymous_guests_wait_and_signed_in_ones_do_not(small: ErasureRig) -> None:
    archive = Archive(
        memory=small.guests.memory,
        trail=small.records.trail,
        clock=small.clock,
        entropy=small.foundation.entropy,
    )
    archive.admit_newcomer(CALLER)
    for number in range(8):
        small.records.trail.note(event(number, Action.GUEST_CREATED))
    small.records.outbox.look()
    with pytest.raises(OutboxFullError) as refused:
        archive.admit_newcomer(CALLER)
    assert refused.value.retry_after
    archive.admit_newcomer(replace(CALLER, person="amira"))
    small.records.settle()
    archive.admit_newcomer(CALLER)


def test_an_event_that_finds_no_room_anywhere_is_in_the_log_in_full_and_counted(
    small: ErasureRig, caplog: pytest.LogCaptureFixture
) -> None:
    trail, outbox = small.records.trail, small.records.outbox
    outbox._limit = 1
    trail._limit = 1
    for number in range(3):
        trail.note(replace(event(number, Action.GUEST_CREATED), guest_id="guest-1"))
    assert outbox.tally.lost[AUDIT] == 1
    (told,) = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    values = json.loads(told[told.index("{") :])
    assert (values["event_id"], values["source"]) == ("event-2", "192.0.2.1")
    assert values["guest"] == small.records.keys.pseudonym("guest-1")


def test_a_guest_who_could_not_be_kept_is_counted(small: ErasureRig) -> None:
    small.records.outbox._limit = 0
    with pytest.raises(OutboxFullError):
        small.guests.memory.remember(GuestFacts(guest_id="g", at=small.clock.now()))
    assert small.records.outbox.tally.lost[GUEST] == 1


def test_an_event_costs_its_caller_three_calls_of_the_store(world: OutboxWorld) -> None:
    process = world.process()
    process.put("warm")
    before = world.store.calls
    for number in range(10):
        process.put(f"{number}")
    assert world.store.calls - before <= 30
