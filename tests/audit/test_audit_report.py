"""Which events a report has, and how they are written out."""

import csv
import io
import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from trail_rig import KEYS, TrailRig

from bff.errors import RequestRefusedError
from bff.records.audit_events import Action, Actor, ActorKind
from bff.records.audit_report import (
    COLUMNS,
    Format,
    Wanted,
    bound,
    cursor,
    events,
    fields,
    lines,
    place_at,
    place_of,
    query_of,
)
from bff.trail_ports import TrailQuery, micros


def at(text: str) -> int:
    return micros(datetime.fromisoformat(text).astimezone(UTC))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-11-20", "2026-11-20T00:00:00Z", "2026-11-20T23:59:59.999999Z"),
        ("2026-11-20T09:30", "2026-11-20T09:30:00Z", "2026-11-20T09:30:59.999999Z"),
        ("2026-11-20 09:30:05", "2026-11-20T09:30:05Z", "2026-11-20T09:30:05.999999Z"),
        ("2026-11-20T09:30:05Z", "2026-11-20T09:30:05Z", "2026-11-20T09:30:05.999999Z"),
        ("2026-11-20T09:30:05.25Z", "2026-11-20T09:30:05.25Z", "2026-11-20T09:30:05.25Z"),
        ("2026-11-20T09:30:00+01:00", "2026-11-20T08:30:00Z", "2026-11-20T08:30:00.999999Z"),
        ("2026-11-20T00:15-0500", "2026-11-20T05:15:00Z", "2026-11-20T05:15:59.999999Z"),
        ("2026-10-25T02:30+02:00", "2026-10-25T00:30:00Z", "2026-10-25T00:30:59.999999Z"),
    ],
)
def test_both_bounds_include_all_that_they_name(text: str, first: str, last: str) -> None:
    assert bound(text) == at(first)
    assert bound(text, end=True) == at(last)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "2026-13-01", "2026-02-30", "20261120", "2026-W01-1", "1763629200"),
        *("2026-11-20T25:00", "2026-11-20T09:30:00 01:00", "2026-11-20Z"),
        "\u0662\u0660\u0662\u0666-\u0661\u0661-\u0662\u0660",
        "2026-11-20T09:30; DROP TABLE audit_events",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(RequestRefusedError):
        bound(text)


def test_a_report_that_would_end_before_it_begins_is_refused() -> None:
    with pytest.raises(RequestRefusedError):
        query_of(Wanted(since="2026-11-21", until="2026-11-20"), KEYS)


@pytest.mark.parametrize("guest", ["", "x" * 513, "a\x00b", "a\nb", "\ud800"])
def test_what_cannot_be_a_guest_is_refused(guest: str) -> None:
    with pytest.raises(RequestRefusedError):
        query_of(Wanted(guest=guest), KEYS)


def test_an_unknown_action_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(RequestRefusedError) as told:
        query_of(Wanted(action="guest_created' OR 1=1"), KEYS)

    assert "guest_erased" in told.value.detail


def found(rig: TrailRig, **wanted: str) -> list[str]:
    return [row.event_id for row in events(rig.keeper, query_of(Wanted(**wanted), KEYS))]


def test_events_at_the_bounds_are_in_the_report(rig: TrailRig) -> None:
    start = datetime(2026, 11, 20, tzinfo=UTC)
    moments = [-1, 0, 86_399_999_999, 86_400_000_000]
    for number, moment in enumerate(moments):
        rig.keeper.append([rig.entry(number, at=start + timedelta(microseconds=moment))])

    assert found(rig, since="2026-11-20", until="2026-11-20") == ["event-1", "event-2"]
    assert found(rig, since="2026-11-21") == ["event-3"]
    assert found(rig, until="2026-11-19") == ["event-0"]


def test_a_guest_is_found_by_id_and_by_pseudonym(rig: TrailRig) -> None:
    rig.keeper.append([rig.entry(1, guest_id="ours"), rig.entry(2, guest_id="another")])
    rig.keeper.append([rig.entry(3, guest_id=None)])

    assert found(rig, guest="ours") == ["event-1"]
    assert found(rig, guest=KEYS.pseudonym("ours")) == ["event-1"]
    assert found(rig, guest="nobody") == []


def test_an_action_is_found_alone(rig: TrailRig) -> None:
    rig.keeper.append([rig.entry(1), rig.entry(2, action=Action.GUEST_ERASED)])

    assert found(rig, action="guest_erased") == ["event-2"]


def test_a_long_report_holds_one_page_at_a_time(on_file: TrailRig) -> None:
    on_file.keeper.append([on_file.entry(number) for number in range(6000)])

    tracemalloc.start()
    count = sum(1 for _ in lines(events(on_file.keeper, TrailQuery()), Format.CSV))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 6001
    assert peak < 4_000_000


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\n=1", "\uff1d1"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_of_a_csv_is_a_formula(on_file: TrailRig, formula: str) -> None:
    on_file.keeper.append(
        [
            on_file.entry(
                1,
                event_id=formula,
                source=formula,
                actor=Actor(kind=ActorKind.PERSON, name=formula),
                details={formula: formula},
            )
        ]
    )

    text = "".join(lines(events(on_file.keeper, TrailQuery()), Format.CSV))
    head, cells = csv.reader(io.StringIO(text, newline=""))

    assert head == list(COLUMNS)
    assert not any(cell.startswith(tuple("=+-@\t\r\n\uff1d")) for cell in cells)


def test_json_lines_say_everything(on_file: TrailRig) -> None:
    on_file.keeper.append([on_file.entry(1, details={"x": "\x00\x1b[2J", "y": True})])

    (line,) = lines(events(on_file.keeper, TrailQuery()), Format.JSONL)
    told = json.loads(line)

    assert list(told) == list(COLUMNS)
    assert told["details"] == {"x": "\x00\x1b[2J", "y": True}
    assert told["at"] == "2026-11-20T09:00:01.000000Z"
    assert told["guest"] == KEYS.pseudonym("guest-1")
    assert told["source"] == "192.0.2.1"


def test_a_table_cannot_steer_the_terminal(on_file: TrailRig) -> None:
    on_file.fill(1)
    on_file.without_triggers()
    on_file.raw("UPDATE audit_events SET actor = :wicked", wicked="\x1b[2J\x07evil")

    text = "".join(lines(events(on_file.keeper, TrailQuery()), Format.TABLE))

    assert "?[2J?evil" in text
    assert all(line.isprintable() for line in text.splitlines())


@pytest.mark.parametrize(
    "meddling", ["details = 'no json'", "at = 9223372036854775807", "details = '7'"]
)
def test_what_somebody_has_made_unreadable_stops_no_report(rig: TrailRig, meddling: str) -> None:
    rig.fill(2)
    rig.without_triggers()
    rig.raw(f"UPDATE audit_events SET {meddling} WHERE seq = 1")

    for how in Format:
        told = list(lines(events(rig.keeper, TrailQuery()), how))
        assert len(told) == 2 + (how is not Format.JSONL)


def test_a_cursor_leads_back_to_its_place(rig: TrailRig) -> None:
    rig.fill(3)
    rows = list(events(rig.keeper, TrailQuery()))

    place = place_at(cursor(place_of(rows[0])))

    after: Any = [fields(row)["seq"] for row in events(rig.keeper, TrailQuery(), after=place)]
    assert after == [2, 3]


@pytest.mark.parametrize("text", ["", "1", "1.2.3", "-1.2", "1.x", "9" * 40 + ".1", "1.2\n"])
def test_a_cursor_that_was_made_up_is_refused(text: str) -> None:
    with pytest.raises(RequestRefusedError):
        place_at(text)
