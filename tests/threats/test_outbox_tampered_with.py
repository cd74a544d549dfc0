"""The store's owner drops, swaps, changes, repeats or brings back what waits in the outbox."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from memory_store import MemoryStore
from outbox_rig import OutboxWorld, Process, memory_world
from security_model import Asset, Attacker, threat

from bff.records.outbox_events import GUEST

LONG: Final = 365 * 86_400


class StoreOwner:
    """Does with the store whatever somebody can who runs it, without any key."""

    def __init__(self, store: MemoryStore) -> None:
        self._entries = store._shelves.entries
        self._groups = store._shelves.groups

    def event(self, number: int) -> str:
        """Return the key of a pending guest event by its number."""
        (key,) = [one for one in self._entries if one.endswith(f":{number}")]
        return key

    def drop(self, key: str) -> None:
        del self._entries[key]

    def swap(self, one: str, other: str) -> None:
        entries = self._entries
        entries[one], entries[other] = entries[other], entries[one]

    def change(self, key: str) -> None:
        held: Any = self._entries[key]
        value = bytearray(held.entry.value)
        value[-1] ^= 1
        object.__setattr__(held.entry, "value", bytes(value))

    def copy(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return dict(self._entries), {name: dict(group) for name, group in self._groups.items()}

    def bring_back(self, copy: tuple[dict[str, Any], dict[str, Any]]) -> None:
        entries, groups = copy
        self._entries.clear()
        self._entries.update(entries)
        self._groups.clear()
        self._groups.update(groups)

    def empty(self) -> None:
        """Leave what the service cannot start without."""
        kept = {key: held for key, held in self._entries.items() if key.startswith("keyring")}
        self.bring_back((kept, {}))


@pytest.fixture
def world() -> OutboxWorld:
    return memory_world()


@pytest.fixture
def owner(world: OutboxWorld) -> StoreOwner:
    return StoreOwner(world.store)


@pytest.fixture
def process(world: OutboxWorld) -> Process:
    """A process with five events that wait."""
    made = world.process()
    for number in range(1, 6):
        made.put(f"event {number}")
    return made


def gaps(world: OutboxWorld) -> list[tuple[str, int, int | None]]:
    return [(one["why"], one["first"], one["last"]) for one in world.database.gaps]


def bodies(*numbers: int) -> list[str]:
    return [f"event {number}" for number in numbers]


@threat(
    Attacker.STORE_OWNER,
    Asset.AUDIT_LOG,
    can="drop events that wait for the database; the others are written",
    noticed="an alarm and an audit event `outbox_gap` name the missing numbers",
)
def test_dropped_events_are_missed_by_their_numbers(
    world: OutboxWorld, owner: StoreOwner, process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    owner.drop(owner.event(2))
    owner.drop(owner.event(3))
    process.writer.once()
    assert world.database.bodies == bodies(1, 4, 5)
    assert gaps(world) == [("missing", 2, 3)]
    assert process.outbox.tally.missing[GUEST] == 2
    assert [one.levelname for one in caplog.records] == ["ERROR"]
    process.writer.once()
    world.process().writer.once()
    assert len(world.database.gaps) == 1, "told once"


@threat(
    Attacker.STORE_OWNER,
    Asset.AUDIT_LOG,
    can="make events that wait unreadable, by changing or swapping them; they are set aside",
    noticed="an alarm, an audit event for each and a dead letter that holds the bytes",
)
@pytest.mark.parametrize("how", ["change", "swap"])
def test_changed_and_swapped_events_do_not_pass_for_others(
    how: str, world: OutboxWorld, owner: StoreOwner, process: Process
) -> None:
    if how == "change":
        owner.change(owner.event(2))
        wrong = [2]
    else:
        owner.swap(owner.event(2), owner.event(4))
        wrong = [2, 4]
    process.writer.once()
    assert world.database.bodies == bodies(*sorted({1, 2, 3, 4, 5} - set(wrong)))
    assert gaps(world) == [("unreadable", number, number) for number in wrong]
    dead = process.outbox.dead.all()
    assert [one.why for one in dead] == ["unreadable"] * len(wrong)
    assert all(one.raw for one in dead), "nothing is thrown away"


def test_a_changed_event_is_tried_again_and_stays_what_it_is(
    owner: StoreOwner, process: Process
) -> None:
    owner.change(owner.event(2))
    process.writer.once()
    (dead,) = process.outbox.dead.all()
    assert not process.outbox.retry(dead), "it stays what it is"
    assert process.outbox.dead.ids() == [dead.id]


@threat(
    Attacker.STORE_OWNER,
    Asset.AUDIT_LOG,
    can="bring back events that were delivered; they are delivered to nobody",
)
def test_what_was_delivered_and_is_put_back_is_not_delivered_again(
    world: OutboxWorld, owner: StoreOwner, process: Process
) -> None:
    entries, _ = owner.copy()
    process.writer.once()
    assert process.outbox.waiting() == []
    for key, held in entries.items():
        if key.startswith("outbox-event:"):
            owner._entries[key] = held
    process.put("event 6")
    assert process.writer.once() == 1
    assert world.database.bodies == bodies(1, 2, 3, 4, 5, 6)
    assert gaps(world) == []


@threat(
    Attacker.STORE_OWNER,
    Asset.AUDIT_LOG,
    can="empty the store, and with it what waits",
    noticed="an alarm and an audit event by the process that wrote it, or by the database's mark",
)
@pytest.mark.parametrize("who", ["the same process", "one that starts"])
def test_a_store_that_came_back_empty_is_noticed(
    who: str, world: OutboxWorld, owner: StoreOwner, process: Process
) -> None:
    process.writer.once()
    for number in range(6, 9):
        process.put(f"event {number}")
    owner.empty()
    later = process if who == "the same process" else world.process()
    later.put("event 9")
    later.writer.once()
    last = 8 if who == "the same process" else None
    assert gaps(world) == [("store_lost", 6, last)]
    assert world.database.bodies == bodies(1, 2, 3, 4, 5, 9)
    later.put("event 10")
    later.writer.once()
    world.process().writer.once()
    assert gaps(world) == [("store_lost", 6, last)], "told once"
    assert world.database.bodies[-1] == "event 10"


def test_all_of_an_outbox_that_nobody_has_delivered_from_is_missed_by_its_list(
    world: OutboxWorld, owner: StoreOwner, process: Process
) -> None:
    assert process.outbox.waiting()
    for key in [one for one in owner._entries if one.startswith("outbox")]:
        owner.drop(key)
    later = world.process()
    later.writer.once()
    assert gaps(world) == [("store_lost", 1, None)]


@threat(
    Attacker.STORE_OWNER,
    Asset.AUDIT_LOG,
    can="bring the store back to an earlier state, and with it what waits",
    noticed="an alarm and an audit event by the process that wrote it, or by the database's mark",
)
@pytest.mark.parametrize("who", ["the same process", "one that starts"])
@pytest.mark.parametrize("first", ["put", "deliver"])
def test_a_store_that_went_back_is_noticed(
    who: str, first: str, world: OutboxWorld, owner: StoreOwner, process: Process
) -> None:
    before = owner.copy()
    process.put("event 6")
    process.writer.once()
    process.put("event 7")
    owner.bring_back(before)
    later = process if who == "the same process" else world.process()
    if first == "put":
        later.put("event 8")
    later.writer.once()
    later.writer.once()
    later.put("event 9")
    later.writer.once()
    later.writer.once()
    ((why, *_),) = gaps(world)
    assert why in {"store_went_back", "store_lost", "mark_went_back"}
    if who == "the same process":
        assert gaps(world)[0][1:] == (7, 7)
    expected = {*bodies(1, 2, 3, 4, 5, 6, 9), *(bodies(8) if first == "put" else [])}
    assert set(world.database.bodies) == expected


@pytest.mark.parametrize("which", ["outbox-tip:guest", "outbox-mark:guest"])
@pytest.mark.parametrize("how", ["drop", "change"])
@pytest.mark.parametrize("who", ["the same process", "one that starts"])
@pytest.mark.parametrize("first", ["put", "deliver"])
def test_what_keeps_the_lane_together_may_go_and_only_the_newest_event_with_it(
    which: str, how: str, who: str, first: str, world: OutboxWorld, owner: StoreOwner
) -> None:
    process = world.process()
    process.put("event 0")
    process.writer.once()
    for number in range(1, 6):
        process.put(f"event {number}")
    getattr(owner, how)(which)
    later = process if who == "the same process" else world.process()
    if first == "put":
        later.put("event 6")
    for _ in range(3):
        later.writer.once()
    later.put("event 7")
    for _ in range(3):
        later.writer.once()
    tip = which.startswith("outbox-tip")
    expected = bodies(0, 1, 2, 3, 4, *([] if tip else [5]), *([6] if first == "put" else []), 7)
    assert set(world.database.bodies) == set(expected)
    assert len(world.database.gaps) == 1, "and it is told, once"
    if tip and how == "change":
        assert [one.why for one in later.outbox.dead.all()] == ["unreadable"]


def test_a_tip_that_is_older_makes_no_two_events_of_one_number(
    world: OutboxWorld, owner: StoreOwner, process: Process
) -> None:
    """Only the tip goes back: the numbers that come next lie there already."""
    older = dict(owner._entries)["outbox-tip:guest"]
    for number in range(6, 10):
        process.put(f"event {number}")
    owner._entries["outbox-tip:guest"] = older
    fresh = world.process()
    for number in range(10, 14):
        fresh.put(f"event {number}")
    for _ in range(3):
        fresh.writer.once()
    expected = bodies(1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13)
    assert set(world.database.bodies) == set(expected), "all but the one that was in the tip"
    assert len(world.database.gaps) == 1


@threat(
    Attacker.STORE_OWNER,
    Asset.AUDIT_LOG,
    can="put a genuine event of an earlier state in the place of a later one of the same number",
    noticed="the next event does not link to it: an alarm and an audit event",
)
def test_an_event_of_another_history_does_not_link(
    world: OutboxWorld, owner: StoreOwner, process: Process
) -> None:
    before = owner.copy()
    process.put("of the first history")
    process.put("event 7")
    first = owner._entries[owner.event(6)]
    owner.bring_back(before)
    fresh = world.process()
    fresh.put("event 6")
    fresh.put("event 7")
    owner._entries[owner.event(6)] = first
    fresh.writer.once()
    assert gaps(world) == [("link_broken", 7, 7)]
    assert world.database.bodies[-1] == "event 7"


@threat(
    Attacker.STORE_OWNER,
    Asset.RECORD,
    can="read nothing of what waits: not who, not what, not from where",
)
def test_without_a_key_the_store_says_nothing(world: OutboxWorld, process: Process) -> None:
    process.put(json.dumps({"name": "Amira Haddad", "source": "192.0.2.77"}))
    stolen = b"".join(world.store.values()) + "".join(world.store.names()).encode()
    for word in (b"Amira", b"192.0.2.77", b"event 1"):
        assert word not in stolen


def test_no_alarm_without_an_attack_whatever_order_work_comes_in(
    world: OutboxWorld, process: Process
) -> None:
    others = [world.process() for _ in range(3)]
    work: list[Callable[[], Any]] = []
    for round_ in range(5):
        for index, one in enumerate(others):
            work.append(lambda one=one, n=f"{round_}-{index}": one.put(n))  # type: ignore[misc]
            work.append(lambda one=one: one.writer.once())  # type: ignore[misc]
    for step in work:
        step()
    assert world.database.gaps == []
    assert process.missing == 0
