"""What is told to a guest holds at once, while the database is away and while its news wait."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records_rig import TENANT, NotedTrail, RecordsRig, memory_of, running_records

from bff.adapters.sql_guests import SqlGuests
from bff.adapters.system import SystemEntropy
from bff.errors import RecordsDownError, StoreDownError
from bff.guests.frame_errors import GuestEnd
from bff.guests.guest_archive import Caller
from bff.record_ports import GuestRow
from bff.records.archive import Archive
from bff.records.guest_marks import GuestMarks
from bff.records.guest_memory import GuestFacts, GuestMemory, Recall
from bff.records.outbox import OutboxFullError

DEVICE: Final = "device-1"
BROWSER: Final = "b" * 43
TOKEN: Final = "3f0e3c52-9a53-4d32-8ea7-6a2b21f0a1aa"
PERSONS: Final = ("amira", "zoe")


class Rows(SqlGuests):
    """The real rows, of a database that may be read and not written."""

    away = False

    def keep(self, row: GuestRow, **how: Any) -> bool:
        if self.away:
            raise RecordsDownError("away")
        return super().keep(row, **how)


@dataclass
class Late:
    """What waits for the database, and whether more may wait."""

    facts: list[GuestFacts] = field(default_factory=list)
    full: bool = False

    def put(self, facts: GuestFacts) -> None:
        if self.full:
            raise OutboxFullError("full")
        self.facts.append(facts)


@dataclass
class World:
    """One browser, its guests, and two workers that serve them."""

    rig: RecordsRig
    rows: Rows
    late: Late = field(default_factory=Late)
    owner: dict[str, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    count: int = 0

    def __post_init__(self) -> None:
        self.rig.rows = self.rows
        self.memories = tuple(self._worker() for _ in range(2))

    def _worker(self) -> GuestMemory:
        memory = memory_of(self.rig, TENANT)
        memory.remember = self.late.put  # type: ignore[method-assign]  # waits, in any order
        return memory

    def archive(self, worker: int) -> Archive:
        return Archive(
            memory=self.memories[worker],
            trail=NotedTrail(),
            clock=self.rig.clock,
            entropy=SystemEntropy(),
        )

    def caller(self, person: str | None = None) -> Caller:
        return Caller(device_id=DEVICE, browser_secret=BROWSER, person=person, source="192.0.2.1")

    def opens(self, worker: int, person: str | None) -> None:
        self.count += 1
        guest_id = f"guest-{self.count}"
        self.archive(worker).opened(
            guest_id, self.caller(person), genesys_token=TOKEN, resumed=False
        )
        if person is not None:
            self.owner[guest_id] = person

    def steps_up(self, worker: int, guest_id: str, person: str) -> None:
        if self.owner.get(guest_id, person) != person or guest_id in self.ended:
            return  # the binding refuses
        archive = self.archive(worker)
        archive.claims(guest_id, person)
        self.owner[guest_id] = person
        archive.stepped_up(guest_id, person, {"email": f"{person}@example.com"})

    def ends(self, worker: int, guest_id: str) -> None:
        at = self.rig.clock.now()
        self.archive(worker).ends(guest_id, at)
        self.ended.add(guest_id)
        self.archive(worker).ended(guest_id, GuestEnd.ENDED, at=at)

    def delivers(self, which: int, *, again: bool) -> None:
        if self.late.facts and not self.rows.away:
            facts = self.late.facts[which % len(self.late.facts)]
            assert self.memories[which % 2].write(facts)
            if not again:
                self.late.facts.remove(facts)

    def comes_back(self, worker: int, person: str | None) -> str | None:
        guest = self.archive(worker).recall(self.caller(person))
        if guest is None:
            return None
        assert guest.guest_id not in self.ended, "an ended conversation comes back"
        assert self.owner.get(guest.guest_id, person) == person, "a person's, to somebody else"
        assert self.archive(worker).confirms(guest.guest_id, self.caller(person))
        return guest.guest_id

    def looked_for_by_everybody(self) -> set[str]:
        found = {self.comes_back(n % 2, who) for n, who in enumerate((None, *PERSONS))}
        return {guest_id for guest_id in found if guest_id is not None}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordsRig]:
    folder: Path = tmp_path_factory.mktemp("records")
    with running_records(f"sqlite:///{folder / 'records.sqlite3'}") as running:
        yield running


STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(
            ["open", "open", "step_up", "end", "deliver", "again", "away", "full", "wait"]
        ),
        st.integers(0, 7),
        st.booleans(),
    ),
    min_size=3,
    max_size=14,
)


def a_new_browser(rig: RecordsRig) -> World:
    """Forget everything of the examples before, marks included."""
    rig.sql.write(lambda connection: connection.exec_driver_sql("DELETE FROM guests"))
    for number in range(20):
        GuestMarks(rig.foundation.store).forget(f"guest-{number}")
    return World(rig=rig, rows=Rows(rig.sql))


def take(world: World, step: str, number: int, *, flag: bool) -> None:
    one = f"guest-{number % world.count + 1}"
    match step:
        case "open":
            world.opens(number % 2, PERSONS[number % 2] if flag else None)
        case "step_up":
            world.steps_up(number % 2, one, PERSONS[flag])
        case "end":
            world.ends(number % 2, one)
        case "away":
            world.rows.away = flag
        case "full":
            world.late.full = flag
        case "wait":
            world.rig.clock.advance(timedelta(seconds=number))
        case _:
            world.delivers(number, again=step == "again")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_nobody_gets_what_is_over_or_anothers_whatever_waits(
    rig: RecordsRig, steps: list[tuple[str, int, bool]]
) -> None:
    world = a_new_browser(rig)
    for _ in range(2):
        world.opens(0, None)
        world.delivers(0, again=False)
    for step, number, flag in steps:
        take(world, step, number, flag=flag)
        world.looked_for_by_everybody()
    world.rows.away = False
    while world.late.facts:
        world.delivers(len(world.late.facts) * 3, again=False)
        world.looked_for_by_everybody()


def test_what_goes_on_is_found_by_whose_it_is_once_everything_is_delivered(
    rig: RecordsRig,
) -> None:
    world = a_new_browser(rig)
    world.opens(0, None)
    world.delivers(0, again=False)
    world.rows.away = True
    world.steps_up(0, "guest-1", "amira")
    assert world.comes_back(1, None) is None
    assert world.comes_back(1, "zoe") is None
    assert world.comes_back(1, "amira") == "guest-1", "though it is not written yet"
    world.rows.away = False
    world.delivers(0, again=False)
    assert not world.late.facts
    assert world.looked_for_by_everybody() == {"guest-1"}
    assert world.comes_back(0, None) is None


def test_if_the_marks_cannot_be_read_nobody_is_recalled(rig: RecordsRig) -> None:
    world = a_new_browser(rig)
    world.opens(0, None)
    world.delivers(0, again=False)
    assert world.comes_back(0, None) == "guest-1"
    memory, store = world.memories[0], rig.foundation.store
    store.down = True  # type: ignore[attr-defined]
    try:
        assert world.comes_back(0, None) is None
        with pytest.raises(StoreDownError):
            memory.recall(device_id=DEVICE, browser_secret=BROWSER, person=None)
        with pytest.raises(StoreDownError):
            world.archive(0).allows("guest-1", None, opened_at=rig.clock.now())
        with pytest.raises(StoreDownError):
            world.archive(0).claims("guest-1", "amira")
    finally:
        store.down = False  # type: ignore[attr-defined]


def test_an_end_without_a_row_leaves_nothing_personal_behind(rig: RecordsRig) -> None:
    world = a_new_browser(rig)
    world.ends(0, "guest-9")
    row = rig.rows.find("guest-9")
    assert row is not None
    kept = {name for name in GuestRow.__dataclass_fields__ if getattr(row, name) is not None}
    assert kept == {"guest_id", "tenant", "ended_at", "created_at", "seen_at", "version"}
    assert rig.keys.find("guest-9") is None
    late = rig.facts("guest-9", device_id=DEVICE, browser_secret=BROWSER, genesys_token=TOKEN)
    assert rig.memory.write(late)
    asked = rig.memory.recall(device_id=DEVICE, browser_secret=BROWSER, person=None)
    assert asked == (Recall.UNKNOWN, None)


def test_a_browser_alone_is_too_late_after_a_while_and_says_so(rig: RecordsRig) -> None:
    world = a_new_browser(rig)
    world.opens(0, None)
    world.delivers(0, again=False)
    memory = memory_of(rig, TENANT, recall_age=timedelta(hours=24))
    rig.clock.advance(timedelta(hours=24))
    asked: dict[str, Any] = {"device_id": DEVICE, "browser_secret": BROWSER, "person": None}
    assert memory.recall(**asked)[0] is Recall.RESUMED
    rig.clock.advance(timedelta(seconds=1))
    assert memory.recall(**asked) == (Recall.EXPIRED, None)
    assert memory.write(rig.facts("guest-1")), "a sign of life"
    assert memory.recall(**asked)[0] is Recall.RESUMED
