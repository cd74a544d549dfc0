"""How many are welcome: moving windows, exact waits, one count for all processes, keyed by us."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hand_clock import HandClock
from hypothesis import given
from hypothesis import strategies as st
from limit_jobs import sessions_together
from limits import RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter
from memory_store import MemoryStore
from process_crowd import all_at_once
from store_rigs import StoreRig

from bff.errors import RateLimitedError, SettingsError, StoreDownError
from bff.guests.guest_limits import GuestLimits, LimitPolicy
from bff.guests.limit_storage import StoreWindows
from bff.ports import Store

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def limits(clock: HandClock) -> GuestLimits:
    return GuestLimits(MemoryStore(clock), clock=clock)


def on(rig: StoreRig) -> GuestLimits:
    return GuestLimits(rig.store, clock=rig.clock)


def admitted(ask: Callable[[], None], times: int) -> int:
    """Ask so often; return how many were admitted."""
    return sum(wait_of(ask) is None for _ in range(times))


def wait_of(ask: Callable[[], None]) -> timedelta | None:
    """Return how long to wait, or None if it was admitted."""
    try:
        ask()
    except RateLimitedError as error:
        return error.retry_after or timedelta(0)
    return None


def test_ten_new_sessions_a_minute_for_each_address(rig: StoreRig) -> None:
    limits = on(rig)

    def here() -> None:
        limits.admit_session(address="192.0.2.1", device=None)

    assert admitted(here, 15) == 10
    assert admitted(lambda: limits.admit_session(address="192.0.2.2", device=None), 1) == 1
    rig.forward(MINUTE - SECOND)
    assert admitted(here, 1) == 0
    rig.forward(SECOND)
    assert admitted(here, 15) == 10


def test_ten_new_sessions_a_minute_for_each_device_wherever_it_is(limits: GuestLimits) -> None:
    numbers = iter(range(100))

    def travelling() -> None:
        limits.admit_session(address=f"192.0.2.{next(numbers)}", device="cookie-1")

    assert admitted(travelling, 15) == 10


def test_what_a_device_was_refused_is_not_counted_against_its_office(limits: GuestLimits) -> None:
    admitted(lambda: limits.admit_session(address="192.0.2.1", device="mad"), 100)
    wait = wait_of(lambda: limits.admit_session(address="192.0.2.1", device="calm"))
    # The mad one took ten places of the address, and none of the ninety refusals took more.
    assert wait == MINUTE


def test_m5_what_a_page_says_about_itself_opens_no_new_window(limits: GuestLimits) -> None:
    numbers = iter(range(1_000))

    def another_name() -> None:
        limits.admit_session(address="192.0.2.1", device=f"made-up-{next(numbers)}")

    assert admitted(another_name, 50) == 10


def test_m5_there_is_no_common_key_for_all_who_are_anonymous(limits: GuestLimits) -> None:
    first = admitted(lambda: limits.admit_session(address="192.0.2.1", device=None), 20)
    second = admitted(lambda: limits.admit_session(address="192.0.2.2", device=None), 20)

    assert (first, second) == (10, 10)


def test_all_addresses_of_an_ipv6_household_count_as_one(limits: GuestLimits) -> None:
    numbers = iter(range(1, 1_000))

    def hopping() -> None:
        limits.admit_session(address=f"2001:db8:1:2::{next(numbers):x}", device=None)

    assert admitted(hopping, 30) == 10
    assert admitted(lambda: limits.admit_session(address="2001:db8:1:3::1", device=None), 1) == 1


def test_an_ipv4_address_is_the_same_in_ipv6_clothes(limits: GuestLimits) -> None:
    admitted(lambda: limits.admit_session(address="192.0.2.1", device=None), 10)

    assert admitted(lambda: limits.admit_session(address="::ffff:192.0.2.1", device=None), 1) == 0


def test_an_address_that_is_none_is_counted_all_the_same(limits: GuestLimits) -> None:
    # A Unix socket in front, for one: there is no address at all.
    assert admitted(lambda: limits.admit_session(address="", device=None), 20) == 10


def test_five_messages_in_any_second_wherever_it_begins(
    limits: GuestLimits, clock: HandClock
) -> None:
    """A fixed window would let nine through between 0.9 and 1.1 seconds."""
    assert admitted(lambda: limits.admit_message("s"), 1) == 1
    clock.advance(900 * MILLISECOND)
    assert admitted(lambda: limits.admit_message("s"), 9) == 4
    clock.advance(100 * MILLISECOND)
    assert admitted(lambda: limits.admit_message("s"), 9) == 1
    clock.advance(900 * MILLISECOND)
    assert admitted(lambda: limits.admit_message("s"), 9) == 4


def test_sixty_messages_a_minute_and_then_the_wait_for_the_minute(
    limits: GuestLimits, clock: HandClock
) -> None:
    for _ in range(12):
        assert admitted(lambda: limits.admit_message("s"), 5) == 5
        clock.advance(SECOND)

    # The wait is right for both limits at once: nobody is sent away twice.
    assert wait_of(lambda: limits.admit_message("s")) == 48 * SECOND
    clock.advance(48 * SECOND - MILLISECOND)
    assert wait_of(lambda: limits.admit_message("s")) == MILLISECOND
    clock.advance(MILLISECOND)
    assert wait_of(lambda: limits.admit_message("s")) is None


def test_one_sign_of_typing_in_five_seconds(limits: GuestLimits, clock: HandClock) -> None:
    assert wait_of(lambda: limits.admit_typing("s")) is None
    clock.advance(2 * SECOND)
    assert wait_of(lambda: limits.admit_typing("s")) == 3 * SECOND
    clock.advance(3 * SECOND)
    assert wait_of(lambda: limits.admit_typing("s")) is None


def test_sessions_do_not_count_for_each_other_nor_messages_for_typing(limits: GuestLimits) -> None:
    assert admitted(lambda: limits.admit_message("a"), 9) == 5
    assert admitted(lambda: limits.admit_message("b"), 9) == 5
    assert admitted(lambda: limits.admit_typing("a"), 9) == 1


@given(
    pauses=st.lists(
        st.integers(min_value=0, max_value=700_000).map(lambda us: timedelta(microseconds=us)),
        max_size=120,
    )
)
def test_any_rhythm_keeps_both_limits_and_every_wait_is_exact(pauses: list[timedelta]) -> None:
    clock = HandClock()
    limits = GuestLimits(
        MemoryStore(clock), clock=clock, policy=LimitPolicy(messages="3/second;8/5second")
    )
    moments = []
    for pause in pauses:
        clock.advance(pause)
        wait = wait_of(lambda: limits.admit_message("s"))
        if wait is not None:
            clock.advance(wait)
            assert wait_of(lambda: limits.admit_message("s")) is None
        moments.append(clock.now())

    for count, window in ((3, SECOND), (8, 5 * SECOND)):
        for first, last in zip(moments, moments[count:], strict=False):
            assert last - first >= window


def test_whoever_is_refused_writes_nothing(clock: HandClock) -> None:
    store = MemoryStore(clock)
    limits = GuestLimits(store, clock=clock)
    admitted(lambda: limits.admit_typing("s"), 1)
    before = store.values()

    admitted(lambda: limits.admit_typing("s"), 500)

    assert store.values() == before


def test_neither_address_nor_device_nor_session_stands_in_a_key(clock: HandClock) -> None:
    store = MemoryStore(clock)
    limits = GuestLimits(store, clock=clock)
    limits.admit_session(address="192.0.2.1", device="cookie-of-amira")
    limits.admit_message("session-of-amira" * 50)

    names = "\n".join(store.names())
    assert len(store.names()) == 4
    assert "192.0.2.1" not in names
    assert "amira" not in names


def test_m5_four_processes_admit_ten_of_four_hundred_together(rig: StoreRig) -> None:
    counts = all_at_once(4, sessions_together, rig.address, 100)

    assert sum(counts) == 10


def test_m5_a_window_has_its_end_from_its_first_write(rig: StoreRig) -> None:
    """Counting and ending are one step: no process can die between the two."""
    limits = on(rig)
    assert admitted(lambda: limits.admit_typing("s"), 3) == 1

    rig.forward(5 * SECOND)

    assert wait_of(lambda: limits.admit_typing("s")) is None


def test_a_process_that_loses_the_race_for_the_last_place_is_refused(
    clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Store = MemoryStore(clock)
    limits = GuestLimits(store, clock=clock)
    add = store.add

    def after_another_process(key: str, value: bytes, *, ttl: timedelta) -> bool:
        monkeypatch.setattr(store, "add", add)
        limits.admit_typing("s")
        return add(key, value, ttl=ttl)

    monkeypatch.setattr(store, "add", after_another_process)

    assert wait_of(lambda: limits.admit_typing("s")) == 5 * SECOND


def test_a_fast_clock_elsewhere_makes_nobody_wait_longer_than_the_window(clock: HandClock) -> None:
    store = MemoryStore(HandClock())
    fast = HandClock()
    fast.advance(timedelta(hours=3))
    GuestLimits(store, clock=fast).admit_typing("s")

    assert wait_of(lambda: GuestLimits(store, clock=clock).admit_typing("s")) == 5 * SECOND


def test_a_store_that_is_away_admits_nobody(clock: HandClock) -> None:
    store = MemoryStore(clock)
    limits = GuestLimits(store, clock=clock)
    store.down = True

    with pytest.raises(StoreDownError):
        limits.admit_message("s")


@pytest.mark.parametrize("spelled", ["", "many", "5 per blink", "5/second;never", "-1/minute"])
def test_limits_that_are_none_are_refused_at_the_start(clock: HandClock, spelled: str) -> None:
    with pytest.raises(SettingsError, match="not a limit"):
        GuestLimits(MemoryStore(clock), clock=clock, policy=LimitPolicy(messages=spelled))


def test_the_storage_keeps_moving_windows_and_forgets_one_on_demand(clock: HandClock) -> None:
    windows = StoreWindows(MemoryStore(clock), clock=clock)
    assert [windows.acquire_entry("k", 2, 60) for _ in range(3)] == [True, True, False]
    assert windows.get_moving_window("k", 2, 60)[1] == 2
    windows.clear("k")
    assert windows.get_moving_window("k", 2, 60) == (clock.now().timestamp(), 0)

    with pytest.raises(NotImplementedError):
        FixedWindowRateLimiter(windows).hit(RateLimitItemPerMinute(1), "k")
