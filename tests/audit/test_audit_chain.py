"""The promises of the trail's keeper, on SQLite and on PostgreSQL."""

from datetime import timedelta

import pytest
from process_crowd import Crowd
from sqlalchemy.exc import DBAPIError
from trail_rig import SECONDS, TrailRig, append_together

from bff.crypto.trail_chain import BEGINNING, source_digest
from bff.errors import RecordsDownError
from bff.trail_ports import Place, TrailQuery, micros


def test_events_are_linked_in_the_order_in_which_they_came(rig: TrailRig) -> None:
    rig.fill(3)

    rows = rig.keeper.rows(after=0, limit=10)

    assert [row.seq for row in rows] == [1, 2, 3]
    assert [row.event_id for row in rows] == ["event-1", "event-2", "event-3"]
    assert [row.previous for row in rows] == [BEGINNING, rows[0].hash, rows[1].hash]
    assert rig.verify().faults == ()


def test_all_of_an_event_comes_back_as_it_was_written(rig: TrailRig) -> None:
    entry = rig.entry(7, details={"ümläut": "🙂", "n": 2, "b": True, "none": None})

    rig.keeper.append([entry])

    row = rig.keeper.newest()
    assert row is not None
    for name in ("event_id", "at", "action", "outcome", "actor_kind", "actor", "guest", "details"):
        assert getattr(row, name) == getattr(entry, name)
    assert row.source == "192.0.2.7"
    assert row.written_at == micros(rig.clock.now())


def test_writing_an_event_twice_is_the_same_as_once(rig: TrailRig) -> None:
    rig.fill(2)

    assert rig.keeper.append([rig.entry(1), rig.entry(2)]) == 2
    assert rig.keeper.append([rig.entry(2), rig.entry(3), rig.entry(3)]) == 3

    assert [row.event_id for row in rig.keeper.rows(after=0, limit=10)] == [
        "event-1",
        "event-2",
        "event-3",
    ]


def test_writers_in_three_processes_keep_one_chain(rig: TrailRig) -> None:
    count = 40
    with Crowd(3) as crowd:
        jobs = [crowd.start(append_together, rig.url, f"p{n}", count) for n in range(3)]
        crowd.go()
        assert [job.result(SECONDS) for job in jobs] == [count] * 3

    rows = rig.keeper.rows(after=0, limit=1000)
    assert len(rows) == 3 * count + count  # each one's own, and what all of them had once
    assert len({row.event_id for row in rows}) == len(rows)
    verdict = rig.verify()
    assert verdict.faults == ()
    assert verdict.events == len(rows)


@pytest.mark.parametrize("table", ["audit_events", "audit_heads"])
@pytest.mark.parametrize(
    "change", ["UPDATE {} SET hash = hash", "DELETE FROM {}", "DELETE FROM {} WHERE seq > 1"]
)
def test_the_database_refuses_to_change_the_trail(rig: TrailRig, table: str, change: str) -> None:
    rig.fill(2)
    rig.sign()

    with pytest.raises(DBAPIError, match=f"{table} only grows"):
        rig.raw(change.format(table))

    assert rig.verify().faults == ()


def test_replacing_an_event_is_refused_as_well(rig: TrailRig) -> None:
    rig.fill(2)
    replacing = (
        "INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events WHERE seq = 1"
        if rig.records.embedded
        else "TRUNCATE audit_events"
    )

    with pytest.raises(DBAPIError, match="audit_events only grows"):
        rig.raw(replacing)


def test_where_events_came_from_is_forgotten_and_the_chain_still_verifies(rig: TrailRig) -> None:
    rig.fill(4)
    row = rig.keeper.rows(after=0, limit=1)[0]
    assert row.salt is not None
    assert row.source_digest == source_digest(row.salt, "192.0.2.1")

    forgotten = rig.keeper.prune_sources(rig.entry(3).at)

    assert forgotten == 2
    assert [one.source for one in rig.keeper.rows(after=0, limit=10)] == [
        None,
        None,
        "192.0.2.3",
        "192.0.2.4",
    ]
    assert rig.verify().faults == ()


def test_equal_addresses_do_not_look_equal_in_the_chain(rig: TrailRig) -> None:
    rig.keeper.append([rig.entry(1, source="192.0.2.9"), rig.entry(2, source="192.0.2.9")])

    first, second = rig.keeper.rows(after=0, limit=2)

    assert first.source_digest != second.source_digest


def test_an_event_without_an_address_has_none(rig: TrailRig) -> None:
    rig.keeper.append([rig.entry(1, source=None)])

    row = rig.keeper.newest()

    assert row is not None
    assert (row.source, row.salt, row.source_digest) == (None, None, None)


def test_what_the_database_refuses_is_a_reason_to_wait(rig: TrailRig) -> None:
    """A table that is not there yet must not cost an event."""
    rig.raw("ALTER TABLE audit_sources RENAME TO away")

    with pytest.raises(RecordsDownError):
        rig.keeper.append([rig.entry(1)])

    rig.raw("ALTER TABLE away RENAME TO audit_sources")
    assert rig.keeper.append([rig.entry(1)]) == 1


def test_an_event_is_written_whole_or_not_at_all(rig: TrailRig) -> None:
    rig.raw("DROP TABLE audit_sources", "CREATE TABLE audit_sources (seq BIGINT)")

    with pytest.raises(RecordsDownError):
        rig.keeper.append([rig.entry(1), rig.entry(2)])

    assert rig.raw("SELECT count(*) FROM audit_events")[0][0] == 0


def test_a_report_is_in_the_order_of_time_whatever_the_order_of_writing(rig: TrailRig) -> None:
    for number in (5, 1, 3, 2, 4):
        rig.keeper.append([rig.entry(number)])
    query = TrailQuery(since=rig.entry(2).at, until=rig.entry(4).at)

    first = rig.keeper.page(query, after=None, limit=2)
    rest = rig.keeper.page(query, after=Place(at=first[-1].at, seq=first[-1].seq), limit=2)

    assert [row.event_id for row in (*first, *rest)] == ["event-2", "event-3", "event-4"]


def test_events_of_one_moment_are_neither_lost_nor_repeated_between_pages(rig: TrailRig) -> None:
    same = rig.clock.now() + timedelta(seconds=1)
    rig.keeper.append([rig.entry(number, at=same) for number in range(7)])

    seen, place = [], None
    while page := rig.keeper.page(TrailQuery(), after=place, limit=3):
        seen += [row.event_id for row in page]
        place = Place(at=page[-1].at, seq=page[-1].seq)

    assert seen == [f"event-{number}" for number in range(7)]
