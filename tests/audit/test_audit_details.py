"""What an event says is canonical, short and printable, whatever it was given."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hand_clock import START
from hypothesis import given
from hypothesis import strategies as st
from trail_rig import KEYS, TrailRig

from bff.crypto.trail_chain import BEGINNING, framed, link
from bff.records.audit_details import MOST_BYTES, canonical, escaped
from bff.records.audit_events import Action, Actor, ActorKind, AuditEvent
from bff.records.audit_writing import entry

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)


def test_details_have_one_spelling() -> None:
    assert canonical({"b": 1, "a": None, "c": True}) == canonical({"c": True, "a": None, "b": 1})
    assert canonical({"b": 1, "a": None, "c": True}) == '{"a":null,"b":1,"c":true}'


@given(st.dictionaries(ANY_TEXT, ANY_TEXT | st.integers() | st.booleans() | st.none(), max_size=40))
def test_details_are_short_printable_json_of_sorted_names(details: dict[str, Any]) -> None:
    spelled = canonical(details)

    assert len(spelled) <= MOST_BYTES
    assert spelled.isascii()
    assert spelled.isprintable()
    assert list(json.loads(spelled)) == sorted(json.loads(spelled))


@pytest.mark.parametrize("value", [1.5, float("nan"), Decimal("0.1"), 10**30])
def test_numbers_whose_spelling_could_differ_are_written_as_text(value: Any) -> None:
    assert json.loads(canonical({"x": value})) == {"x": str(value)}


def test_what_is_too_long_is_cut_and_says_so() -> None:
    told = json.loads(canonical({"x": "a" * 1_000_000}))

    assert len(told["x"]) == 200
    assert told["x"].endswith("…")


def test_too_many_fields_are_counted() -> None:
    assert json.loads(canonical({f"f{n:02}": n for n in range(20)}))["…"] == 4


@given(ANY_TEXT)
def test_a_name_is_one_printable_line(text: str) -> None:
    assert escaped(text).isprintable()


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_whatever_an_event_says_it_can_be_written(name: str, source: str, value: str) -> None:
    """On PostgreSQL a NUL in a text is an error, on SQLite half of a pair of surrogates."""
    rig_event = _event(name, source, value)

    made = entry(rig_event, KEYS)

    for text in (made.event_id, made.actor, made.source, made.details):
        assert text is not None
        assert "\x00" not in text
        text.encode()


def _event(name: str, source: str, value: str) -> AuditEvent:
    return AuditEvent(
        event_id=name,
        at=START,
        action=Action.SIGNED_IN,
        actor=Actor(kind=ActorKind.PERSON, name=name),
        source=source,
        details={"value": value},
    )


def test_a_nul_and_an_injection_are_stored_as_what_they_are(rig: TrailRig) -> None:
    wicked = "x'); DROP TABLE audit_events; --\x00\x1b[2J"

    rig.keeper.append([rig.entry(1, details={"x": wicked}, source=wicked, event_id=wicked)])

    row = rig.keeper.newest()
    assert row is not None
    assert json.loads(row.details) == {"x": wicked}
    assert row.source == "x'); DROP TABLE audit_events; --\\u0000\\u001b[2J"
    assert rig.verify().faults == ()


COLUMN = st.none() | st.integers() | st.text(max_size=8) | st.binary(max_size=8)


@given(st.lists(COLUMN, max_size=4), st.lists(COLUMN, max_size=4))
def test_no_two_different_rows_are_spelled_alike(one: list[Any], other: list[Any]) -> None:
    same = [type(x) for x in one] == [type(x) for x in other] and one == other

    assert (b"".join(map(framed, one)) == b"".join(map(framed, other))) is same
    assert (link(tuple(one), BEGINNING) == link(tuple(other), BEGINNING)) is same


def test_framing_tells_apart_what_looks_alike() -> None:
    alike: list[Any] = [1, "1", b"1", None, "", b"", "-", 1.0, "i1;"]

    assert len({framed(column) for column in alike}) == len(alike)
