"""Absent is not unreadable: what lies there is kept, told, and never taken for nothing."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

import pytest
from hand_clock import HandClock
from memory_store import MemoryStore
from newer_version import by_another_key, rewrite, tampered
from ring_rigs import MASTER

from bff.adapters.system import SystemEntropy
from bff.crypto.keyring import KeyRing
from bff.crypto.sealed_drawer import Drawer
from bff.errors import StoreDownError, UnreadableRecordError
from bff.ports import Foundation

LIFE = timedelta(hours=1)
NAME = "name-of-a-person"
KEY = f"thing:{NAME}"
SECRET = "a-secret-in-the-record"


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    text: str = field(repr=False)
    colour: Colour = Colour.RED
    count: int = 0


@dataclass
class Rig:
    store: MemoryStore
    foundation: Foundation
    drawer: Drawer[Thing]
    spare: Drawer[Thing]

    def raw(self, key: str = KEY) -> bytes | None:
        entry = self.store.get(key)
        return None if entry is None else entry.value


@pytest.fixture
def rig() -> Rig:
    clock, entropy = HandClock(), SystemEntropy()
    store = MemoryStore(clock)
    ring = KeyRing(
        store,
        "at-rest",
        master_keys=(MASTER,),
        clock=clock,
        entropy=entropy,
        rotate_after=timedelta(days=1),
        keep_for=timedelta(days=1),
    )
    foundation = Foundation(store=store, sealer=ring, clock=clock, entropy=entropy)
    drawer = Drawer("thing", Thing, foundation)
    drawer.put(NAME, Thing(text=SECRET), ttl=LIFE)
    return Rig(store, foundation, drawer, Drawer("thing", Thing, foundation, spare=True))


def _newer(**fields: Any) -> Callable[[Rig], bytes]:
    def plant(rig: Rig) -> bytes:
        rewrite(rig.store, rig.foundation.sealer, KEY, lambda record: record.update(fields))
        return rig.raw() or b""

    return plant


def _other_key(rig: Rig) -> bytes:
    return by_another_key(rig.store, rig.foundation.sealer, KEY)


UNREADABLE = {
    "an unknown value of an enumeration": _newer(colour="ultraviolet"),
    "another type": _newer(count={"of": "many"}),
    "a field that is missing": lambda rig: _without(rig, "text"),
    "no record at all": lambda rig: rig.foundation.sealer.seal(b"[", context=KEY),
    "sealed by another key": _other_key,
    "changed by a byte": lambda rig: tampered(rig.store, KEY),
    "moved from another name": lambda rig: rig.foundation.sealer.seal(b"{}", context="thing:else"),
    "no seal": lambda _: b"garbage",
    "empty": lambda _: b"",
    "a seal of a later make": lambda rig: b"\x02" + (rig.raw() or b"")[1:],
}


def _without(rig: Rig, name: str) -> bytes:
    rewrite(rig.store, rig.foundation.sealer, KEY, lambda record: record.pop(name))
    return rig.raw() or b""


@pytest.fixture(params=UNREADABLE)
def planted(request: pytest.FixtureRequest, rig: Rig) -> bytes:
    """Bytes that this version or its keys cannot read, in the place of the record."""
    found: bytes = UNREADABLE[request.param](rig)  # type: ignore[no-untyped-call]  # of a table
    rig.store.put(KEY, found, ttl=LIFE)
    return found


def test_what_is_not_there_is_absent(rig: Rig) -> None:
    assert rig.drawer.get("nobody") is None
    assert rig.drawer.take("nobody") is None
    assert not rig.foundation.unreadable


def test_reading_it_is_refused_like_a_store_that_is_away_and_keeps_it(
    rig: Rig, planted: bytes
) -> None:
    for read in (rig.drawer.get, rig.drawer.take, rig.spare.take):
        with pytest.raises(UnreadableRecordError) as refused:
            read(NAME)
        assert isinstance(refused.value, StoreDownError)
        assert refused.value.code == "record_unreadable"
    assert rig.raw() == planted
    assert rig.foundation.unreadable["thing"] == 3


def test_writing_over_it_sets_it_aside(rig: Rig, planted: bytes) -> None:
    assert not rig.drawer.add(NAME, Thing(text="fresh"), ttl=LIFE)
    assert rig.raw() == planted

    rig.drawer.put(NAME, Thing(text="fresh"), ttl=LIFE)

    held = rig.drawer.get(NAME)
    assert held is not None
    assert held.record.text == "fresh"
    assert rig.raw(f"unreadable:{KEY}") == planted


def test_a_spare_one_is_set_aside_and_then_there_is_none(rig: Rig, planted: bytes) -> None:
    assert rig.spare.get(NAME) is None
    assert rig.raw() is None
    assert rig.raw(f"unreadable:{KEY}") == planted
    assert rig.spare.add(NAME, Thing(text="fresh"), ttl=LIFE)


def test_it_is_told_once_and_counted_each_time_without_what_is_in_it(
    rig: Rig, planted: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with pytest.raises(UnreadableRecordError):
                rig.drawer.get(NAME)
        with pytest.raises(UnreadableRecordError) as refused:
            rig.drawer.get(NAME)
    assert len(caplog.records) == 1
    assert "thing" in caplog.text
    assert rig.foundation.unreadable["thing"] == 3
    for told in (caplog.text, str(refused.value), refused.value.detail):
        assert NAME not in told
        assert SECRET not in told
    assert planted == rig.raw()


def test_it_can_be_read_again_when_what_it_needs_is_back(rig: Rig) -> None:
    before = rig.raw()
    assert before is not None
    rig.store.put(KEY, _other_key(rig), ttl=LIFE)
    with pytest.raises(UnreadableRecordError):
        rig.drawer.take(NAME)
    rig.store.put(KEY, before, ttl=LIFE)

    assert rig.drawer.take(NAME) == Thing(text=SECRET)
    assert rig.drawer.get(NAME) is None


def test_fields_of_a_newer_version_are_passed_over(rig: Rig) -> None:
    rewrite(rig.store, rig.foundation.sealer, KEY, lambda record: record.update(mood={"x": [1]}))

    held = rig.drawer.get(NAME)

    assert held is not None
    assert held.record == Thing(text=SECRET)
    # Written again by this version, they are lost: whoever adds one must be able to bear it.
    assert rig.drawer.replace(NAME, held.record, version=held.version, ttl=LIFE) is not None
    plain = rig.foundation.sealer.open(rig.raw() or b"", context=KEY)
    assert set(json.loads(plain)) == {"text", "colour", "count"}


def test_fields_of_an_older_version_that_are_missing_have_their_defaults(rig: Rig) -> None:
    _without(rig, "colour")
    _without(rig, "count")
    held = rig.drawer.get(NAME)
    assert held is not None
    assert held.record == Thing(text=SECRET)


def test_newer_is_told_from_not_ours(rig: Rig) -> None:
    _newer(colour="ultraviolet")(rig)
    with pytest.raises(UnreadableRecordError) as newer:
        rig.drawer.get(NAME)
    rig.store.put(KEY, b"garbage", ttl=LIFE)
    with pytest.raises(UnreadableRecordError) as broken:
        rig.drawer.get(NAME)
    assert (newer.value.newer, broken.value.newer) == (True, False)
    assert "colour" in newer.value.detail
    # Whoever can begin anew does so for a key that is gone, and not for a newer version.
    assert rig.drawer.opened(NAME) is None
    assert rig.raw() == b"garbage"
    rig.drawer.put(NAME, Thing(text=SECRET), ttl=LIFE)
    _newer(colour="ultraviolet")(rig)
    with pytest.raises(UnreadableRecordError):
        rig.drawer.opened(NAME)


def test_a_ring_that_cannot_be_read_refuses_reading_and_writing_and_changes_nothing(
    rig: Rig,
) -> None:
    before = rig.raw()
    rig.store.put("keyring:at-rest", b"of another world", ttl=LIFE)
    ring = KeyRing(
        rig.store,
        "at-rest",
        master_keys=(MASTER,),
        clock=HandClock(),
        entropy=SystemEntropy(),
        rotate_after=timedelta(days=1),
        keep_for=timedelta(days=1),
    )
    drawer = Drawer(
        "thing",
        Thing,
        Foundation(store=rig.store, sealer=ring, clock=HandClock(), entropy=rig.foundation.entropy),
    )

    for attempt in (
        lambda: drawer.get(NAME),
        lambda: drawer.put(NAME, Thing(text="fresh"), ttl=LIFE),
        lambda: drawer.take(NAME),
    ):
        with pytest.raises(UnreadableRecordError):
            attempt()
    assert rig.raw() == before
    assert rig.raw("keyring:at-rest") == b"of another world"
