"""Keys of checkpoints: what they say of each other, and whom an auditor believes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from database_attackers import KeyThief
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trail_rig import TrailPlaces, TrailRig, trail_rig

from bff.records.audit_events import Action
from bff.records.audit_heads import HeadKeys
from bff.records.audit_verification import Verdict, Verification
from bff.records.checkpoint_memory import CheckpointMemory
from bff.trail_ports import SignedHead, micros

AGE = timedelta(minutes=15)


def sign(rig: TrailRig) -> None:
    rig.clock.advance(AGE)
    rig.signer.tend(now=rig.clock.now())


def rotate(rig: TrailRig) -> None:
    rig.head_keys.rotate()
    rig.signer.introduce()
    rig.writer.once()


def lose(rig: TrailRig) -> None:
    if rig.store.get("audit-head-keys:keys") is not None:
        rig.store.put("audit-head-keys:keys", b"written over", ttl=AGE)
    rig.head_keys.tend()
    rig.signer.introduce()
    rig.writer.once()


def believing(rig: TrailRig, *keys: str) -> Verdict:
    """Verify as an auditor does who has nothing but some public keys."""
    return Verification(rig.keeper, trusted=dict.fromkeys(keys)).run()


@pytest.fixture
def keys(on_file: TrailRig) -> tuple[TrailRig, list[str], list[str]]:
    """Three keys, each of which has signed two events; their public and private halves."""
    seeds = []
    for number in range(3):
        on_file.fill(2, first=1 + 2 * number)
        sign(on_file)
        seeds.append(on_file.head_keys._record().seed)
        on_file.signer.introduce()
        on_file.writer.once()
        if number < 2:
            rotate(on_file)
    return on_file, [key.public for key in on_file.head_keys.known()], seeds


@pytest.mark.parametrize("which", [0, 1, 2])
def test_one_public_key_leads_to_all_others(
    keys: tuple[TrailRig, list[str], list[str]], which: int
) -> None:
    rig, public, _ = keys

    assert believing(rig, public[which]).faults == ()
    assert len(rig.keeper.heads()) == 3


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("ago", [timedelta(0), timedelta(days=400), timedelta(days=-400)])
def test_an_old_key_is_believed_up_to_its_last_event_whatever_it_says_of_the_time(
    keys: tuple[TrailRig, list[str], list[str]], which: int, ago: timedelta
) -> None:
    rig, public, seeds = keys
    newest = rig.keeper.newest()
    assert newest is not None
    forged = KeyThief(seed=seeds[which]).checkpoint(
        newest.seq, newest.hash, signed_at=micros(rig.clock.now() - ago)
    )
    rig.keeper.add_head(forged)

    for verdict in (rig.verify(), believing(rig, public[2]), believing(rig, public[0])):
        assert len(verdict.faults) == 1
        assert "forged: its key had been replaced" in verdict.faults[0].meaning


def test_an_old_key_introduces_nobody(keys: tuple[TrailRig, list[str], list[str]]) -> None:
    """A thief of an old key has it vouch for a key of their own."""
    rig, public, seeds = keys
    thief = HeadKeys(rig.foundation)
    record = thief._record()
    record = replace(record, seed=seeds[0], keys=record.keys[:1])
    successor = thief._successor(record)
    told = successor.keys[-1].introduction
    assert told is not None
    details = {
        "head_key": told.statement.key,
        "begun": told.statement.begun,
        "replaces": told.statement.replaces,
        "last_seq": told.statement.last_seq,
        "last_hash": told.statement.last_hash,
        "proof": told.proof,
        "vouched": told.vouched,
    }
    rig.keeper.append([rig.entry(50, action=Action.KEYS_ROTATED, details=details)])

    for verdict in (rig.verify(), believing(rig, public[0]), believing(rig, public[2])):
        assert [("vouches for" in one.meaning) for one in verdict.faults] == [True]


def test_an_old_key_says_of_nobody_that_they_were_before(
    keys: tuple[TrailRig, list[str], list[str]],
) -> None:
    """A thief of an old key has it name a key of their own as the one that it replaced."""
    rig, public, seeds = keys
    own = KeyThief.with_own_key(rig.foundation.entropy)
    said = KeyThief(seed=seeds[1]).statement(replaces=own.public)
    rig.keeper.append([rig.entry(50, action=Action.KEYS_ROTATED, details=said)])
    newest = rig.keeper.newest()
    assert newest is not None
    rig.keeper.add_head(own.checkpoint(newest.seq, newest.hash, signed_at=0))

    for verdict in (rig.verify(), believing(rig, public[0]), believing(rig, public[2])):
        assert ["unknown here" in one.meaning for one in verdict.faults].count(True) == 1
        assert ["speaks that had been" in one.meaning for one in verdict.faults].count(True) == 1


def test_the_end_of_an_old_key_is_pinned_by_the_new_one(
    keys: tuple[TrailRig, list[str], list[str]],
) -> None:
    """Its checkpoints are deleted, and what it signed is rewritten: the statement tells."""
    rig, public, _ = keys
    rig.without_triggers()
    rig.raw("DELETE FROM audit_heads", "UPDATE audit_events SET actor = 'x' WHERE seq = 1")
    rig.rehash(1)

    assert any(
        "the trail was rewritten between event 1 and event 2" in one.meaning
        for one in believing(rig, public[2]).faults
    )


def test_a_key_that_signs_while_it_is_replaced_ends_with_what_it_signed(
    on_file: TrailRig,
) -> None:
    """Another process signs between the look at what was signed last and the new record."""
    on_file.fill(3)
    sign(on_file)
    on_file.fill(2, first=4)
    newest = on_file.keeper.newest()
    assert newest is not None
    other, real = HeadKeys(on_file.foundation), on_file.head_keys._replaced
    signed: list[SignedHead] = []

    def late(record: Any, version: int) -> bool:
        if not signed:
            seed = other._record().seed
            head = KeyThief(seed=seed).checkpoint(newest.seq, newest.hash, signed_at=0)
            signed.append(head)
            other.memory.keep(head)
        return real(record, version)

    on_file.head_keys._replaced = late  # type: ignore[method-assign]
    on_file.head_keys.rotate()

    assert on_file.head_keys.ends() == {signed[0].key_id: newest.seq}


def test_what_was_signed_last_is_of_one_database(on_file: TrailRig) -> None:
    on_file.fill(2)
    sign(on_file)

    other = CheckpointMemory(on_file.foundation, "another database")

    assert other.newest() is None
    assert on_file.head_keys.memory.newest() is not None


def test_what_was_signed_last_outlives_the_keys_that_seal_it(on_file: TrailRig) -> None:
    on_file.fill(2)
    sign(on_file)
    for _ in range(120):
        on_file.clock.advance(timedelta(days=1))
        on_file.foundation.sealer.seal(b"others seal as well", context="x")
        on_file.signer.tend(now=on_file.clock.now())

    assert on_file.head_keys.memory.newest() is not None


def test_what_was_signed_last_tells_a_thief_of_the_store_nothing(on_file: TrailRig) -> None:
    on_file.fill(2)
    sign(on_file)
    head = on_file.keeper.newest_head()
    assert head is not None

    stolen = b"".join(on_file.store.values())

    assert head.hash.hex().encode() not in stolen
    assert head.key_id.encode() not in stolen


def test_a_checkpoint_that_was_deleted_is_put_back(
    on_file: TrailRig, caplog: pytest.LogCaptureFixture
) -> None:
    on_file.fill(2)
    sign(on_file)
    on_file.signer.tend()
    on_file.without_triggers()
    on_file.raw("DELETE FROM audit_heads")
    assert "the store remembers it" in on_file.verify(store=True, outside=False).faults[0].meaning

    on_file.signer.tend()

    assert "was removed; it is put back" in caplog.text
    assert on_file.verify(store=True).faults == ()


def test_a_log_that_was_rewritten_is_not_signed_and_that_is_an_event(
    rig: TrailRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.fill(4)
    sign(rig)
    rig.without_triggers()
    rig.raw("UPDATE audit_events SET actor = 'x' WHERE seq = 2", "DELETE FROM audit_heads")
    rig.rehash(2)
    rig.fill(3, first=5)

    for _ in range(3):
        rig.clock.advance(AGE)
        assert not rig.signer.tend(now=rig.clock.now())
        rig.writer.once()

    assert rig.signer.refuses is not None
    assert rig.keeper.heads() == []
    assert caplog.text.count("the trail was rewritten") == 1
    rows = rig.keeper.rows(after=0, limit=99)
    assert [row.action for row in rows].count("checkpoint_break") == 1


def test_the_newest_head_of_many_forged_ones_is_found(rig: TrailRig) -> None:
    """After an upgrade nothing is remembered: the table is asked, past all that is forged."""
    rig.fill(3)
    genuine = rig.sign()
    rig.head_keys.memory.forget()
    rig.without_triggers()
    thief = KeyThief.with_own_key(rig.foundation.entropy)
    for number in range(150):
        rig.keeper.add_head(thief.checkpoint(1000 + number, bytes(32), signed_at=2**62))
        rig.keeper.add_head(thief.checkpoint(3, genuine.hash, signed_at=number))

    assert rig.signer.last_signed() == genuine


@pytest.mark.parametrize("signed_at", [2**63 - 1, -(2**63), 0])
def test_a_checkpoint_of_an_impossible_time_trips_nobody(rig: TrailRig, signed_at: int) -> None:
    rig.fill(3)
    sign(rig)
    seed = rig.head_keys._record().seed
    rig.head_keys.rotate()
    newest = rig.keeper.newest()
    assert newest is not None
    rig.keeper.add_head(
        KeyThief(seed=seed).checkpoint(newest.seq, newest.hash, signed_at=signed_at)
    )

    rig.verify(store=True)
    sign(rig)


def introduce(rig: TrailRig) -> None:
    rig.signer.introduce()
    rig.writer.once()


def test_a_clock_that_was_wrong_and_was_set_makes_no_forgery(rig: TrailRig) -> None:
    rig.fill(3)
    rig.clock.advance(timedelta(days=300))
    sign(rig)
    rig.clock.advance(-timedelta(days=300))
    rig.head_keys.rotate()
    introduce(rig)
    rig.fill(2, first=10)
    sign(rig)

    assert rig.verify(store=True).faults == ()
    assert rig.signer.refuses is None


def test_a_key_whose_record_was_taken_away_is_a_break_and_no_beginning(rig: TrailRig) -> None:
    rig.fill(3)
    sign(rig)
    before = rig.head_keys.known()[-1].public
    rig.store.delete("audit-head-keys:keys")
    rig.fill(2, first=10)
    sign(rig)
    introduce(rig)

    verdict = rig.verify(store=True)

    assert verdict.faults == ()
    assert [note.startswith("BREAK") and before in note for note in verdict.notes] == [True]


STEPS: dict[str, Callable[[TrailRig], object]] = {
    "write": lambda rig: rig.fill(1, first=1 + len(rig.keeper.rows(after=0, limit=10**6))),
    "sign": sign,
    "rotate": rotate,
    "introduce": introduce,
    "lose": lose,
    "set the clock forward": lambda rig: rig.clock.advance(timedelta(days=1)),
    "set the clock back": lambda rig: rig.clock.advance(-timedelta(days=1)),
}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=14))
def test_an_honest_log_never_looks_forged(
    tmp_path_factory: pytest.TempPathFactory, places: TrailPlaces, steps: list[str]
) -> None:
    """Whatever keys do, in whatever order; and none that was replaced signs what came later."""
    folder: Path = tmp_path_factory.mktemp("honest")
    rig = trail_rig(places.new("sqlite", folder), folder)
    seeds: dict[str, str] = {}
    for step in steps:
        STEPS[step](rig)
        if rig.head_keys.known():
            record = rig.head_keys._record()
            seeds[record.keys[-1].public] = record.seed
    assert rig.verify(store=True).faults == (), steps
    newest, ends = rig.keeper.newest(), rig.head_keys.ends()
    replaced = [public for public in ends if public in seeds]
    if newest is not None and replaced and newest.seq > ends[replaced[0]]:
        rig.without_triggers()
        thief = KeyThief(seed=seeds[replaced[0]])
        rig.keeper.add_head(thief.checkpoint(newest.seq, newest.hash, signed_at=0))
        assert rig.verify(store=True).faults, steps
    rig.records.close()
