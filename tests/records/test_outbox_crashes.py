"""Processes that die, or lose their connection, at every call of the store: nothing is lost."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outbox_rig import KilledError, MortalStore, OutboxWorld, cut, memory_world

from bff.errors import StoreDownError

LONG = timedelta(minutes=5)


def run(world: OutboxWorld, *, die_at: int, after: bool, error: Callable[[], Exception]) -> bool:
    """Put and deliver in a process that dies at one call; say whether it got to its end."""
    mortal = MortalStore(world.store)
    process = world.process(mortal)
    mortal.calls, mortal.die_at, mortal.after, mortal.error = 0, die_at, after, error
    promised = []
    try:
        for number in range(3):
            body = f"mortal-{die_at}-{number}"
            process.put(body)
            promised.append(body)
        process.writer.once()
        process.put(f"mortal-{die_at}-last")
        promised.append(f"mortal-{die_at}-last")
        process.writer.once()
    except (KilledError, StoreDownError):
        pass
    world.clock.advance(LONG)  # whatever lease it had
    survivor = world.process()
    survivor.put(f"survivor-{die_at}")
    survivor.writer.once()
    world.clock.advance(LONG)
    survivor.writer.once()
    assert set(promised) <= set(world.database.bodies), "lost"
    assert f"survivor-{die_at}" in world.database.bodies
    assert world.database.gaps == [], "nothing was missing"
    assert process.missing == survivor.missing == 0
    own = [body for body in world.database.bodies if body in promised]
    assert own == promised, "in their order"
    assert survivor.outbox.waiting() == []
    assert survivor.outbox.dead.ids() == []
    return mortal.calls < die_at


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", [KilledError, cut], ids=["killed", "cut"])
@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "used"])
def test_dying_at_any_call_loses_nothing_doubles_nothing_and_alarms_nobody(
    after: bool, error: Callable[[], Exception], fresh: bool
) -> None:
    over = False
    die_at = 0
    world = memory_world()
    while not over:
        die_at += 1
        world = memory_world() if fresh else world
        over = run(world, die_at=die_at, after=after, error=error)
    assert die_at > 40, "the whole way was tried"


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["put", "put", "put", "deliver"]),
        st.integers(1, 40),
        st.booleans(),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_several_processes_that_die_in_any_order_lose_nothing(
    steps: list[tuple[int, str, int, bool]],
) -> None:
    world = memory_world()
    stores = [MortalStore(world.store) for _ in range(3)]
    processes = [world.process(store) for store in stores]
    promised: list[str] = []
    for step, (who, what, die_in, after) in enumerate(steps):
        store = stores[who]
        store.die_at, store.after = store.calls + die_in, after
        try:
            if what == "put":
                processes[who].put(f"{step}")
                promised.append(f"{step}")
            else:
                processes[who].writer.once()
        except KilledError:
            # Another one in its place, which remembers nothing.
            stores[who] = MortalStore(world.store)
            processes[who] = world.process(stores[who])
            world.clock.advance(LONG)
        stores[who].die_at = None
    world.clock.advance(LONG)
    last = world.process()
    last.writer.once()
    assert set(promised) <= set(world.database.bodies)
    assert world.database.gaps == []
    assert [body for body in world.database.bodies if body in promised] == promised
    assert last.outbox.waiting() == []


class Interleaved:
    """A store that lets another process do its work before one call of ours."""

    def __init__(self, world: OutboxWorld, at: int, work: Callable[[], None]) -> None:
        self._store, self._at, self._work, self.calls = world.store, at, work, 0

    def __getattr__(self, name: str) -> object:
        call = getattr(self._store, name)

        def counted(*arguments: object, **more: object) -> object:
            self.calls += 1
            if self.calls == self._at:
                self._work()
            return call(*arguments, **more)

        return counted


def cases() -> Iterator[tuple[int, int, bool]]:
    for at in range(1, 70):
        yield from ((at, puts, stolen) for puts in (0, 1, 3) for stolen in (False, True))


@pytest.mark.parametrize(("at", "puts", "stolen"), list(cases()))
def test_whatever_another_process_does_in_between_numbers_are_given_once(
    at: int, puts: int, stolen: bool
) -> None:
    """The other one puts, delivers and deletes while ours stands still before one call.

    `stolen`: it stood so long that its lease has run out.
    """
    world = memory_world()
    other = world.process()
    done: list[str] = []

    def work() -> None:
        if stolen:
            world.clock.advance(LONG)
        for number in range(puts):
            other.put(f"other-{number}")
            done.append(f"other-{number}")
        other.writer.once()
        other.put("other-last")
        done.append("other-last")
        other.writer.once()

    slow = Interleaved(world, 10**9, work)
    ours = world.process(slow)
    slow.calls, slow._at = 0, at
    for number in range(4):
        ours.put(f"ours-{number}")
        done.append(f"ours-{number}")
        if number == 1:
            ours.writer.once()
    ours.writer.once()
    world.clock.advance(LONG)
    last = world.process()
    last.writer.once()

    assert sorted(world.database.bodies) == sorted(done)
    assert world.database.gaps == []
    assert ours.missing == other.missing == last.missing == 0
    left = [name for name in world.store.names() if name.startswith("outbox-event:")]
    assert left == [], "nothing that was delivered stays behind"
