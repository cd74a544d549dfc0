"""Each way to falsify the trail, done with raw SQL, and what `audit verify` says of it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from trail_rig import TrailRig

from bff.records.audit_heads import HeadKeys
from bff.records.audit_verification import MOST_FAULTS, Verdict

COLUMNS = (
    "event_id, at, written_at, action, outcome, actor_kind, actor, guest, source_digest, "
    "details, previous, hash"
)


@pytest.fixture
def trail(rig: TrailRig) -> TrailRig:
    """Nine events, signed at the sixth, and nothing that protects them but the chain."""
    rig.fill(6)
    rig.sign()
    rig.fill(3, first=7)
    rig.keeper.prune_sources(2**60)
    assert rig.verify().faults == ()
    rig.without_triggers()
    return rig


def only_fault(verdict: Verdict) -> tuple[int, str]:
    assert len(verdict.faults) == 1, verdict.faults
    return verdict.faults[0].seq, verdict.faults[0].meaning


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("action", "'guest_erased'"),
        ("outcome", "'refused'"),
        ("actor", "'somebody else'"),
        ("actor_kind", "'operator'"),
        ("guest", "NULL"),
        ("details", "'{}'"),
        ("at", "at + 1"),
        ("written_at", "written_at - 1"),
        ("event_id", "'another'"),
        ("source_digest", "NULL"),
    ],
)
def test_an_edit_of_any_column_is_found(trail: TrailRig, column: str, value: str) -> None:
    trail.raw(f"UPDATE audit_events SET {column} = {value} WHERE seq = 4")

    seq, meaning = only_fault(trail.verify())

    assert seq == 4
    assert "changed after it was written" in meaning


def test_an_edit_whose_own_hash_was_mended_is_found_at_the_next_event(trail: TrailRig) -> None:
    trail.raw("UPDATE audit_events SET actor = 'somebody else' WHERE seq = 8")
    later = trail.raw("SELECT previous, hash FROM audit_events WHERE seq = 9")[0]
    trail.rehash(8)
    trail.raw(
        "UPDATE audit_events SET previous = :previous, hash = :hash WHERE seq = 9",
        previous=later.previous,
        hash=later.hash,
    )

    seq, meaning = only_fault(trail.verify())

    assert seq == 9
    assert "does not follow the one before" in meaning


def test_a_deletion_in_the_middle_is_found(trail: TrailRig) -> None:
    trail.raw("DELETE FROM audit_events WHERE seq IN (3, 4)")

    seq, meaning = only_fault(trail.verify())

    assert seq == 3
    assert "events 3 to 4 are missing" in meaning


def test_a_deletion_at_the_beginning_is_found(trail: TrailRig) -> None:
    trail.raw("DELETE FROM audit_events WHERE seq = 1")

    assert only_fault(trail.verify()) == (
        1,
        "event 1 is missing: deleted from the middle of the trail",
    )


def test_a_deletion_that_was_closed_up_is_found(trail: TrailRig) -> None:
    trail.raw(
        "DELETE FROM audit_events WHERE seq = 8", "UPDATE audit_events SET seq = 8 WHERE seq = 9"
    )

    seq, meaning = only_fault(trail.verify())

    assert seq == 8
    assert "it was written as event 9" in meaning


def test_two_events_that_changed_places_are_found(trail: TrailRig) -> None:
    trail.raw("UPDATE audit_events SET seq = 99 WHERE seq = 7")
    trail.raw("UPDATE audit_events SET seq = 7 WHERE seq = 8")
    trail.raw("UPDATE audit_events SET seq = 8 WHERE seq = 99")

    found = {fault.seq: fault.meaning for fault in trail.verify().faults}

    assert "it was written as event 8" in found[7]
    assert "it was written as event 7" in found[8]


def test_an_insertion_in_the_middle_is_found(trail: TrailRig) -> None:
    for seq in (9, 8, 7):
        trail.raw("UPDATE audit_events SET seq = seq + 1 WHERE seq = :seq", seq=seq)
    trail.raw(
        f"INSERT INTO audit_events (seq, {COLUMNS}) SELECT 7, 'forged', at, written_at, action, "
        "outcome, actor_kind, actor, guest, source_digest, details, previous, hash "
        "FROM audit_events WHERE seq = 8"
    )

    found = {fault.seq: fault.meaning for fault in trail.verify().faults}

    assert "changed after it was written" in found[7]
    assert "it was written as event 7" in found[8]


def test_an_insertion_with_a_hash_of_its_own_is_named(trail: TrailRig) -> None:
    """The last event is moved on by one and made to look right; it still names what it followed."""
    trail.raw("UPDATE audit_events SET seq = 10 WHERE seq = 9")
    trail.raw(
        f"INSERT INTO audit_events (seq, {COLUMNS}) SELECT 9, 'forged', at, written_at, action, "
        "outcome, actor_kind, actor, guest, NULL, details, previous, hash "
        "FROM audit_events WHERE seq = 8"
    )
    before = trail.raw("SELECT hash FROM audit_events WHERE seq = 8")[0].hash
    trail.rehash(9)
    trail.rehash_one(10, previous=bytes(before))

    seq, meaning = only_fault(trail.verify())

    assert seq == 10
    assert "event 9 was inserted" in meaning


def test_an_event_before_the_first_is_found(trail: TrailRig) -> None:
    trail.raw(
        f"INSERT INTO audit_events (seq, {COLUMNS}) SELECT 0, 'forged', at, written_at, action, "
        "outcome, actor_kind, actor, guest, source_digest, details, previous, hash "
        "FROM audit_events WHERE seq = 1"
    )

    assert only_fault(trail.verify())[0] == 0


def test_a_cut_tail_is_found_by_the_newest_head(trail: TrailRig) -> None:
    trail.raw("DELETE FROM audit_events WHERE seq > 4")

    seq, meaning = only_fault(trail.verify(outside=False))

    assert seq == 5
    assert "the tail was cut" in meaning
    assert "event 6 was signed" in meaning


def test_a_tail_that_was_cut_together_with_its_head_is_found_outside(trail: TrailRig) -> None:
    trail.raw("DELETE FROM audit_events WHERE seq > 4", "DELETE FROM audit_heads")

    assert trail.verify(outside=False).faults == (), "nothing inside can tell"
    meanings = [fault.meaning for fault in trail.verify().faults]

    assert any("the tail was cut" in meaning for meaning in meanings)
    assert any("was removed from the table" in meaning for meaning in meanings)


def test_a_whole_trail_that_was_emptied_is_found_outside(trail: TrailRig) -> None:
    trail.raw("DELETE FROM audit_events", "DELETE FROM audit_heads")

    meanings = [fault.meaning for fault in trail.verify().faults]

    assert any("the trail ends with event 0" in meaning for meaning in meanings)


def test_a_rewritten_chain_is_found_by_a_head(trail: TrailRig) -> None:
    """Every hash fits every other; only the signature knows better."""
    trail.raw("UPDATE audit_events SET actor = 'somebody else' WHERE seq = 2")
    trail.rehash(2)

    seq, meaning = only_fault(trail.verify(outside=False))

    assert seq == 6
    assert "rewritten between event 1 and event 6" in meaning


def test_a_rewritten_chain_is_found_outside_if_its_heads_are_gone(trail: TrailRig) -> None:
    trail.raw("UPDATE audit_events SET actor = 'somebody else' WHERE seq = 2")
    trail.rehash(2)
    trail.raw("DELETE FROM audit_heads")

    meanings = [fault.meaning for fault in trail.verify().faults]

    assert any("the trail was rewritten" in meaning for meaning in meanings)


def test_a_tail_that_was_cut_and_grew_again_is_found_outside(trail: TrailRig) -> None:
    """The service itself signs what has grown, with the same key and at the same event."""
    trail.raw("DELETE FROM audit_events WHERE seq > 4", "DELETE FROM audit_heads")
    trail.fill(2, first=20)
    trail.sign()

    assert trail.verify(outside=False).faults == ()
    seq, meaning = only_fault(trail.verify())

    assert seq == 6
    assert "the trail was rewritten" in meaning


def test_a_head_signed_by_a_stranger_is_forged(trail: TrailRig) -> None:
    """A careful thief: rewrites everything and signs it, with a key of his own."""
    trail.raw("UPDATE audit_events SET actor = 'somebody else' WHERE seq = 2")
    trail.rehash(2)
    newest = trail.keeper.newest()
    assert newest is not None
    trail.raw("DELETE FROM audit_heads")
    trail.store.delete("audit-head-keys:keys")
    forged = HeadKeys(trail.foundation).sign(newest.seq, newest.hash)
    assert trail.keeper.add_head(forged)

    trail.store.delete("audit-head-keys:keys")
    trail.head_keys.tend()
    seq, meaning = only_fault(trail.verify(outside=False))

    assert seq == 9
    assert "forged, or of a key that is unknown" in meaning


@pytest.mark.parametrize("change", ["hash = previous", "signed_at = signed_at + 1", "seq = 5"])
def test_a_head_that_was_changed_is_forged(trail: TrailRig, change: str) -> None:
    change = change.replace("previous", "(SELECT previous FROM audit_events WHERE seq = 6)")
    trail.raw(f"UPDATE audit_heads SET {change}")

    meanings = [fault.meaning for fault in trail.verify(outside=False).faults]

    assert meanings == ["the head in the table is forged: its signature does not fit"]


def test_a_key_that_was_replaced_signs_nothing_later(trail: TrailRig) -> None:
    """Whoever stole it cannot sign a new trail with today's date."""
    stolen = trail.head_keys._record().seed
    trail.head_keys.rotate()
    thief = HeadKeys(trail.foundation)
    held = thief._record()
    trail.clock.advance(timedelta(days=1))
    newest = trail.keeper.newest()
    assert newest is not None
    old = replace(held, seed=stolen, keys=held.keys[:1], sealed_at=trail.clock.now())
    thief._record = lambda: old  # type: ignore[method-assign]  # the thief's own
    assert trail.keeper.add_head(thief.sign(newest.seq, newest.hash))

    seq, meaning = only_fault(trail.verify(outside=False))

    assert seq == 9
    assert "forged" in meaning


def test_an_address_that_was_changed_is_found(rig: TrailRig) -> None:
    rig.fill(4)
    rig.raw("UPDATE audit_sources SET source = '203.0.113.1' WHERE seq = 3")

    assert only_fault(rig.verify()) == (3, "the address that it came from was changed")


def test_addresses_left_behind_by_a_cut_tail_do_not_stop_new_events(rig: TrailRig) -> None:
    rig.fill(4)
    rig.without_triggers()
    rig.raw("DELETE FROM audit_events WHERE seq > 2")

    rig.fill(2, first=9)

    assert [row.event_id for row in rig.keeper.rows(after=2, limit=9)] == ["event-9", "event-10"]
    assert {fault.seq for fault in rig.verify().faults} == {3, 4}


def test_the_outside_copy_that_is_gone_is_a_fault(trail: TrailRig) -> None:
    trail.copies_file.write_text("")

    assert "outside copy of the heads is empty or gone" in only_fault(trail.verify())[1]


def test_of_very_many_faults_the_first_are_told_and_the_others_counted(trail: TrailRig) -> None:
    trail.fill(60, first=10)
    trail.raw("UPDATE audit_events SET actor = 'x' WHERE seq > 9")

    verdict = trail.verify()

    assert len(verdict.faults) == MOST_FAULTS
    assert verdict.more == 60 - MOST_FAULTS


def test_events_after_the_newest_head_are_counted_as_not_signed(trail: TrailRig) -> None:
    verdict = trail.verify()

    assert (verdict.events, verdict.signed_up_to, verdict.unsigned) == (9, 6, 3)
    assert (verdict.heads, verdict.copies) == (1, 1)
