"""Recordings: written by many at once without a hole, capped, over after a day."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from ring_rigs import key_ring
from store_rigs import StoreRig, redis_server, rig

from bff.adapters.system import SystemEntropy
from bff.inspector import recordings
from bff.inspector.flow_events import FlowEvent
from bff.inspector.recordings import Recording, RecordingShelf, id_of
from bff.ports import Foundation, Store

__all__ = ["redis_server", "rig"]

WRITERS = 4
EACH = 12


def shelf_on(store: Store, rig: StoreRig) -> RecordingShelf:
    return RecordingShelf(
        Foundation(
            store=store,
            sealer=key_ring(store, rig.clock),
            clock=rig.clock,
            entropy=SystemEntropy(),
        )
    )


@pytest.fixture
def shelf(rig: StoreRig) -> RecordingShelf:
    return shelf_on(rig.store, rig)


def event(number: int, tab: str = "aaaa1111") -> FlowEvent:
    return FlowEvent(at_ms=number, step="bus", tab=tab, facts={"n": number + 1})


def head_of(shelf: RecordingShelf, recording: str) -> Recording:
    found = shelf.look_up(recording)
    assert found is not None
    return found


def numbers(shelf: RecordingShelf, recording: str, after: int = 0) -> list[int]:
    return [one.at_ms for one in shelf.read(head_of(shelf, recording), after=after).fresh]


def test_events_are_read_in_the_order_in_which_they_came(shelf: RecordingShelf) -> None:
    _, begun = shelf.start(salt="s")

    shelf.append(begun.id, [event(1), event(2)])
    shelf.append(begun.id, [event(3)])

    assert numbers(shelf, begun.id) == [1, 2, 3]
    assert numbers(shelf, begun.id, after=1) == [3]


def test_many_writers_at_once_lose_nothing_and_leave_no_hole(rig: StoreRig) -> None:
    shelves = [shelf_on(rig.another(), rig) for _ in range(WRITERS)]
    _, begun = shelves[0].start(salt="s")

    def write(place: int) -> None:
        for number in range(EACH):
            shelves[place].append(begun.id, [event(place * EACH + number)])

    with ThreadPoolExecutor(WRITERS) as crowd:
        for done in [crowd.submit(write, place) for place in range(WRITERS)]:
            done.result(timeout=60)

    assert sorted(numbers(shelves[0], begun.id)) == list(range(WRITERS * EACH))
    assert head_of(shelves[0], begun.id).batches == WRITERS * EACH


def test_only_the_last_ones_are_kept(
    shelf: RecordingShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "KEPT_BATCHES", 3)
    monkeypatch.setattr(recordings, "KEPT_EVENTS", 5)
    _, begun = shelf.start(salt="s")

    for number in range(8):
        shelf.append(begun.id, [event(2 * number), event(2 * number + 1)])

    assert numbers(shelf, begun.id) == [11, 12, 13, 14, 15]


def test_a_recording_is_over_after_a_day_however_busy(shelf: RecordingShelf, rig: StoreRig) -> None:
    _, begun = shelf.start(salt="s")
    rig.forward(timedelta(hours=23))
    shelf.append(begun.id, [event(1)])
    assert numbers(shelf, begun.id) == [1]

    rig.forward(timedelta(hours=1, seconds=1))

    assert shelf.look_up(begun.id) is None
    assert shelf.everything() == []
    shelf.append(begun.id, [event(2)])
    assert shelf.look_up(begun.id) is None


def test_the_cookie_names_its_recording_and_the_name_opens_nothing(shelf: RecordingShelf) -> None:
    secret, begun = shelf.start(salt="s", label="Ticket 4711")

    assert id_of(secret) == begun.id
    assert id_of(begun.id) != begun.id
    assert secret not in repr(begun)


def test_an_invitation_is_good_once(shelf: RecordingShelf, rig: StoreRig) -> None:
    key, late = shelf.invite("Ticket 4711"), shelf.invite("late")

    first, second = shelf.accept(key), shelf.accept(key)
    rig.forward(timedelta(hours=24, seconds=1))

    assert first is not None
    assert first.label == "Ticket 4711"
    assert second is None
    assert shelf.accept(late) is None


def test_the_liveliest_recording_comes_first(shelf: RecordingShelf, rig: StoreRig) -> None:
    _, older = shelf.start(salt="s")
    rig.forward(timedelta(seconds=5))
    _, newer = shelf.start(salt="s")
    rig.forward(timedelta(seconds=5))
    shelf.append(older.id, [event(1)], person="tag")

    assert [one.id for one in shelf.everything()] == [older.id, newer.id]
    assert shelf.everything()[0].person == "tag"
