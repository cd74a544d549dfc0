"""Databases of the version before: they are brought up to date, and verify; spoilt ones say so."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from database_attackers import KeyThief
from old_records import (
    fill_old_tables,
    insert,
    insert_head,
    make_old_tables,
    old_event,
    old_head,
    old_keys,
)
from postgres_server import PostgresServer
from sqlalchemy.exc import DBAPIError
from trail_rig import KINDS, TrailRig, trail_rig

from bff.adapters.system import SystemEntropy
from bff.errors import RecordsDownError

ENTROPY = SystemEntropy()


@pytest.fixture(params=KINDS)
def old(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer
) -> Iterator[TrailRig]:
    """A database at migration 0002, and no event in it."""
    url = f"sqlite:///{tmp_path / 'old.sqlite3'}"
    if request.param == "postgresql":
        url = postgres.new_database(f"old-{ENTROPY.token(9)}")
    rig = trail_rig(url, tmp_path)
    make_old_tables(rig.records)
    yield rig
    rig.records.close()


def test_events_heads_and_keys_of_the_version_before_verify(old: TrailRig) -> None:
    first, second = old_keys(old, 2)
    hashes = fill_old_tables(old.records, old, 6)
    old.clock.advance(-timedelta(days=1))
    insert_head(old.records, old_head(old, first, 2, hashes[1]))
    old.clock.advance(timedelta(days=1))
    insert_head(old.records, old_head(old, second, 5, hashes[4]))

    assert old.records.upgrade() == []

    assert old.records.is_current()
    assert old.verify(store=True).faults == ()
    old.fill(2, first=7)
    assert old.signer.tend(now=old.clock.now() + timedelta(hours=1))
    old.signer.introduce()
    old.writer.once()
    verdict = old.verify(store=True)
    assert verdict.faults == ()
    assert (verdict.events, verdict.signed_up_to) == (9, 8)
    assert old.head_keys.ends() == {old.head_keys.known()[0].public: 2}


def test_the_old_key_of_the_version_before_signs_nothing_with_an_old_date(old: TrailRig) -> None:
    first, _ = old_keys(old, 2)
    hashes = fill_old_tables(old.records, old, 6)
    old.clock.advance(-timedelta(days=1))
    insert_head(old.records, old_head(old, first, 2, hashes[1]))
    old.clock.advance(timedelta(days=1))
    old.records.upgrade()
    old.signer.tend(now=old.clock.now())
    old.signer.introduce()
    old.writer.once()

    newest = old.keeper.newest()
    assert newest is not None
    thief = KeyThief(seed=first)
    old.keeper.add_head(thief.checkpoint(newest.seq, newest.hash, signed_at=0))

    assert ["event 2 is the last that it signed" in one.meaning for one in old.verify().faults] == [
        True
    ]


def test_the_end_of_a_log_that_was_put_there_is_set_aside(old: TrailRig) -> None:
    """One INSERT of the version before: no event, and no erasure, came after it."""
    fill_old_tables(old.records, old, 3)
    insert(old.records, "audit_events", old_event(old, 2**63 - 1, bytes(32)))
    insert_head(old.records, old_head(old, old_keys(old)[0], 2**63 - 1, bytes(32)))

    said = old.records.upgrade()

    assert len(said) == 2
    assert "audit_events: 1 rows that were no events were set aside" in said[0]
    old.fill(2, first=4)
    verdict = old.verify()
    assert (verdict.events, verdict.faults) == (5, ())
    assert old.keeper.strays() == 2


def test_a_log_whose_tail_was_cut_is_brought_up_to_date_and_told(old: TrailRig) -> None:
    seed = old_keys(old)[0]
    hashes = fill_old_tables(old.records, old, 3)
    insert_head(old.records, old_head(old, seed, 9, hashes[0]))

    assert old.records.upgrade() == []

    old.fill(1, first=4)
    assert "event 9 was signed" in old.verify().faults[0].meaning


def test_an_end_that_an_owner_put_there_afterwards_is_a_clear_sentence(old: TrailRig) -> None:
    fill_old_tables(old.records, old, 2)
    old.records.upgrade()
    old.without_triggers()
    insert(old.records, "audit_events", old_event(old, 2**53 - 1, bytes(32)))

    with pytest.raises(RecordsDownError, match="ended it with the number 9007199254740991"):
        old.fill(1, first=7)

    said = old.records.restore()
    assert "set aside" in said[0]
    assert all("made anew" in one for one in said[1:])
    old.fill(1, first=7)
    assert old.verify().faults == ()


def test_a_number_past_all_bounds_is_refused_even_without_triggers(old: TrailRig) -> None:
    old.records.upgrade()
    old.without_triggers()

    with pytest.raises(DBAPIError, match="seq_range"):
        insert(old.records, "audit_events", old_event(old, 2**63 - 1, bytes(32)))


def test_an_upgrade_twice_is_an_upgrade_once(old: TrailRig) -> None:
    fill_old_tables(old.records, old, 2)
    old.records.upgrade()

    assert old.records.upgrade() == []
    assert old.records.restore() == []
    assert old.records.examine() == [] or not old.records.embedded
