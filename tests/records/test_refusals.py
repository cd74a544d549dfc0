"""Refusals of strangers are sampled, for each household and for all, and none goes uncounted."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import pytest
from hand_clock import HandClock
from hypothesis import given
from hypothesis import strategies as st
from memory_store import MemoryStore

from bff.adapters.system import SystemEntropy
from bff.errors import StoreDownError
from bff.records.audit_events import Action, AuditEvent, Outcome
from bff.records.refusals import OF_STRANGERS, SUPPRESSED, RefusalLimits, RefusalSampler
from bff.signin.households import household

MINUTE = timedelta(minutes=1, seconds=1)


@dataclass
class Written:
    """A trail that keeps what it is told."""

    events: list[AuditEvent] = field(default_factory=list)

    def note(self, event: AuditEvent) -> bool:
        self.events.append(event)
        return True

    @property
    def suppressed(self) -> int:
        return sum(int(event.details.get(SUPPRESSED) or 0) for event in self.events)

    @property
    def own(self) -> int:
        """How many of them tell of one refusal each."""
        return sum(1 for event in self.events if "why" in event.details)


@dataclass
class Rig:
    clock: HandClock = field(default_factory=HandClock)
    written: Written = field(default_factory=Written)
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.clock)

    def sampler(self, limits: RefusalLimits | None = None) -> RefusalSampler:
        return RefusalSampler(
            self.written,
            store=self.store,
            clock=self.clock,
            entropy=SystemEntropy(),
            limits=limits,
        )

    def refusal(
        self, source: str | None = "192.0.2.1", action: Action = Action.GUEST_REFUSED
    ) -> AuditEvent:
        return AuditEvent(
            event_id=f"event-{next(self.numbers)}",
            at=self.clock.now(),
            action=action,
            outcome=OF_STRANGERS.get(action, Outcome.DONE),
            source=source,
            details={"why": "session_id"},
        )


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize("action", OF_STRANGERS)
def test_a_flood_of_one_household_is_a_few_events_and_a_count(rig: Rig, action: Action) -> None:
    sampler = rig.sampler()
    for number in range(3832):
        sampler.note(rig.refusal(f"2001:db8::{number:x}", action))

    few = RefusalLimits().of(action)
    assert len(rig.written.events) == few
    rig.clock.advance(MINUTE)
    sampler.note(rig.refusal("2001:db8::1", action))
    assert rig.written.events[-1].details == {"why": "session_id", SUPPRESSED: 3832 - few}
    sampler.once()
    assert len(rig.written.events) == few + 1


def test_a_flood_that_stops_is_told_by_an_event_of_its_own(rig: Rig) -> None:
    sampler, other = rig.sampler(), rig.sampler()
    for _ in range(100):
        sampler.note(rig.refusal())
    rig.clock.advance(MINUTE)

    other.once()
    other.once()
    rig.clock.advance(MINUTE)
    sampler.once()

    told = rig.written.events[-1]
    assert len(rig.written.events) == 11
    assert (told.action, told.outcome) == (Action.GUEST_REFUSED, Outcome.REFUSED)
    assert (told.source, told.details) == (None, {SUPPRESSED: 90})


def test_a_flood_from_everywhere_is_bounded_too(rig: Rig) -> None:
    sampler = rig.sampler()
    for number in range(1000):
        sampler.note(rig.refusal(f"203.0.{number // 250}.{number % 250}"))
    assert len(rig.written.events) == 50
    rig.clock.advance(MINUTE)
    sampler.once()
    assert rig.written.suppressed == 950


def test_one_household_does_not_use_up_what_others_may(rig: Rig) -> None:
    sampler = rig.sampler()
    for _ in range(1000):
        sampler.note(rig.refusal("2001:db8::1"))
    sampler.note(rig.refusal("192.0.2.7"))
    assert rig.written.events[-1].source == "192.0.2.7"


def test_what_is_no_refusal_of_a_stranger_is_always_written(rig: Rig) -> None:
    sampler = rig.sampler()
    for _ in range(200):
        sampler.note(rig.refusal(action=Action.GUEST_CREATED))
        sampler.note(
            AuditEvent(
                event_id=f"read-{next(rig.numbers)}", at=rig.clock.now(), action=Action.REPORT_READ
            )
        )
    assert len(rig.written.events) == 400


def test_while_the_store_is_away_nothing_is_kept_for_a_stranger(rig: Rig) -> None:
    sampler = rig.sampler()
    rig.store.down = True
    for _ in range(100):
        sampler.note(rig.refusal())
    assert not rig.written.events
    with pytest.raises(StoreDownError):
        sampler.once()


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["note", "round", "minute"]),
            st.integers(0, 2),
            st.sampled_from(["192.0.2.1", "2001:db8::1", "2001:db8::ffff", "198.51.100.9"]),
        ),
        max_size=150,
    )
)
def test_every_refusal_is_written_or_counted_once_in_any_order(
    steps: list[tuple[str, int, str]],
) -> None:
    rig = Rig()
    samplers = [rig.sampler(RefusalLimits(of_household=2, of_all=5)) for _ in range(3)]
    noted = 0
    for step, who, source in steps:
        if step == "note":
            samplers[who].note(rig.refusal(source))
            noted += 1
        elif step == "round":
            samplers[who].once()
        else:
            rig.clock.advance(MINUTE)
    rig.clock.advance(MINUTE)
    samplers[0].once()

    assert rig.written.own + rig.written.suppressed == noted


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0:1::", "2001:db8::2"),
    ],
)
def test_one_household_has_one_name(one: str, other: str) -> None:
    assert household(one) == household(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:2::1"),
        ("192.0.2.1", "192.0.2.2"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("", "unknown"),
    ],
)
def test_two_households_have_two(one: str, other: str) -> None:
    assert household(one) != household(other)
