"""The ring of keys: shared, rotated by age and by command, retired in time."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hand_clock import HandClock
from hypothesis import given, settings
from hypothesis import strategies as st
from ring_rigs import CONTEXT, HOUR, KEEP_FOR, MASTER, key_ring
from store_rigs import StoreRig

from bff.adapters.sqlite_store import SqliteStore
from bff.adapters.system import SystemEntropy
from bff.crypto.keyring import RING_LIFE, SEALS_BEFORE_ROTATION, STALENESS, KeyRing
from bff.crypto.ring_record import KeyState
from bff.errors import BrokenSealError, StoreDownError
from bff.ports import Entry

SECOND = timedelta(seconds=1)


def ring_of(rig: StoreRig) -> KeyRing:
    """Return the ring as a process that has just started has it."""
    return key_ring(rig.store, rig.clock)


def key_ids(ring: KeyRing) -> list[str]:
    listed = ring.keys()
    return [key.id for key in listed]


# Sharing


def test_what_was_sealed_opens(rig: StoreRig) -> None:
    ring = ring_of(rig)

    assert ring.open(ring.seal(b"secret", context=CONTEXT), context=CONTEXT) == b"secret"


def test_what_was_sealed_opens_after_a_restart(rig: StoreRig) -> None:
    sealed = ring_of(rig).seal(b"secret", context=CONTEXT)

    again = key_ring(rig.another(), rig.clock)

    assert again.open(sealed, context=CONTEXT) == b"secret"


def test_two_purposes_have_two_rings(rig: StoreRig) -> None:
    sessions = key_ring(rig.store, rig.clock, purpose="sessions")
    vault = key_ring(rig.store, rig.clock, purpose="vault")
    sealed = sessions.seal(b"secret", context=CONTEXT)
    vault.seal(b"other", context=CONTEXT)

    with pytest.raises(BrokenSealError):
        vault.open(sealed, context=CONTEXT)


def test_a_ring_that_nobody_used_lists_no_keys_and_is_not_made_by_looking(rig: StoreRig) -> None:
    assert ring_of(rig).keys() == []
    assert rig.store.get("keyring:sessions") is None


def test_the_store_never_sees_a_key(rig: StoreRig) -> None:
    ring = ring_of(rig)
    ring.seal(b"secret", context=CONTEXT)

    entry = rig.store.get("keyring:sessions")

    copy = ring._copy
    assert entry is not None
    assert copy is not None
    assert copy.record.sealing.key.secret not in entry.value
    assert MASTER not in entry.value
    assert "secret" not in repr(copy.record)


def test_the_ring_does_not_expire_in_years(rig: StoreRig) -> None:
    ring = ring_of(rig)
    ring.seal(b"secret", context=CONTEXT)
    before = key_ids(ring)

    rig.forward(RING_LIFE - timedelta(days=1))

    assert key_ids(ring) == before


def test_rotating_moves_the_end_of_the_ring(rig: StoreRig) -> None:
    ring = ring_of(rig)
    ring.seal(b"secret", context=CONTEXT)
    rig.forward(RING_LIFE - timedelta(days=1))
    newest = ring.rotate()

    rig.forward(RING_LIFE - timedelta(days=1))

    assert newest in key_ids(ring)


# Rotation


def test_a_key_seals_until_it_is_old(rig: StoreRig) -> None:
    ring = ring_of(rig)
    first = ring.seal(b"secret", context=CONTEXT)
    rig.forward(HOUR - SECOND)

    second = ring.seal(b"secret", context=CONTEXT)

    assert first[:9] == second[:9]


def test_an_old_key_is_replaced_on_use(rig: StoreRig) -> None:
    ring = ring_of(rig)
    first = ring.seal(b"secret", context=CONTEXT)
    rig.forward(HOUR)

    second = ring.seal(b"secret", context=CONTEXT)

    listed = ring.keys()
    assert first[:9] != second[:9]
    assert [key.state for key in listed] == [KeyState.OPENING, KeyState.SEALING]


def test_a_new_process_opens_what_an_old_key_sealed(rig: StoreRig) -> None:
    old = ring_of(rig)
    sealed = old.seal(b"secret", context=CONTEXT)
    old.rotate()

    assert ring_of(rig).open(sealed, context=CONTEXT) == b"secret"


def test_a_process_with_an_old_copy_opens_what_the_new_key_sealed(rig: StoreRig) -> None:
    stale, fresh = ring_of(rig), ring_of(rig)
    stale.seal(b"so that it has a copy", context=CONTEXT)
    fresh.rotate()

    sealed = fresh.seal(b"secret", context=CONTEXT)

    assert stale.open(sealed, context=CONTEXT) == b"secret"


def test_what_a_process_with_an_old_copy_seals_opens_at_the_fresh_one(rig: StoreRig) -> None:
    stale, fresh = ring_of(rig), ring_of(rig)
    stale.seal(b"so that it has a copy", context=CONTEXT)
    newest = fresh.rotate()

    sealed = stale.seal(b"secret", context=CONTEXT)

    assert newest not in sealed[:9].hex()
    assert fresh.open(sealed, context=CONTEXT) == b"secret"


def test_an_old_copy_is_read_again_within_a_minute(rig: StoreRig) -> None:
    stale, fresh = ring_of(rig), ring_of(rig)
    stale.seal(b"so that it has a copy", context=CONTEXT)
    newest = fresh.rotate()

    rig.forward(STALENESS)

    assert newest in stale.seal(b"secret", context=CONTEXT)[:9].hex()


def test_what_a_process_sealed_at_the_last_moment_opens_for_as_long_as_promised(
    rig: StoreRig,
) -> None:
    stale, fresh = ring_of(rig), ring_of(rig)
    stale.seal(b"so that it has a copy", context=CONTEXT)
    fresh.rotate()
    rig.forward(STALENESS - SECOND)
    sealed = stale.seal(b"secret", context=CONTEXT)

    rig.forward(KEEP_FOR)

    assert ring_of(rig).open(sealed, context=CONTEXT) == b"secret"


def test_a_retired_key_opens_nothing(rig: StoreRig) -> None:
    holder = ring_of(rig)
    sealed = holder.seal(b"secret", context=CONTEXT)
    holder.rotate()

    rig.forward(KEEP_FOR + STALENESS)

    for ring in (holder, ring_of(rig)):
        with pytest.raises(BrokenSealError):
            ring.open(sealed, context=CONTEXT)


def test_a_retired_key_opens_nothing_even_where_the_copy_is_fresh(rig: StoreRig) -> None:
    ring = ring_of(rig)
    sealed = ring.seal(b"secret", context=CONTEXT)
    ring.rotate()
    rig.forward(KEEP_FOR + STALENESS - SECOND)
    ring.open(sealed, context=CONTEXT)

    rig.forward(SECOND)

    with pytest.raises(BrokenSealError, match="retired"):
        ring.open(sealed, context=CONTEXT)


def test_a_retired_key_is_shown_and_then_removed(rig: StoreRig) -> None:
    ring = ring_of(rig)
    ring.seal(b"secret", context=CONTEXT)
    retired = key_ids(ring)[0]
    ring.rotate()
    rig.forward(KEEP_FOR + STALENESS)

    listed = ring.keys()
    ring_of(rig).seal(b"anything", context=CONTEXT)

    assert (listed[0].id, listed[0].state) == (retired, KeyState.RETIRED)
    assert retired not in key_ids(ring)


def test_the_listing_says_until_when_a_key_opens(rig: StoreRig) -> None:
    ring = ring_of(rig)
    ring.seal(b"secret", context=CONTEXT)
    rotated_at = rig.clock.now()
    ring.rotate()

    opening, sealing = ring.keys()

    assert opening.opens_until == rotated_at + KEEP_FOR + STALENESS
    assert (sealing.opens_until, sealing.created) == (None, rotated_at)


def test_the_ring_stays_as_small_as_what_it_keeps(rig: StoreRig) -> None:
    ring = ring_of(rig)
    for _ in range(40):
        ring.seal(b"secret", context=CONTEXT)
        rig.forward(HOUR)

    assert len(ring.keys()) <= KEEP_FOR // HOUR + 2


def test_a_key_is_replaced_before_its_nonces_run_out(rig: StoreRig) -> None:
    ring = ring_of(rig)
    first = ring.seal(b"secret", context=CONTEXT)
    ring._seals = SEALS_BEFORE_ROTATION

    second = ring.seal(b"secret", context=CONTEXT)
    third = ring.seal(b"secret", context=CONTEXT)

    assert first[:9] != second[:9]
    assert second[:9] == third[:9]


def test_a_clock_that_was_set_back_rotates_nothing(rig: StoreRig) -> None:
    ring = ring_of(rig)
    first = ring.seal(b"secret", context=CONTEXT)

    rig.clock.advance(-2 * HOUR)

    assert ring.seal(b"secret", context=CONTEXT)[:9] == first[:9]


# The store behind it


class CountedStore(SqliteStore):
    """Counts how often it is read, and can be away."""

    reads = 0
    away = False

    def get(self, key: str) -> Entry | None:
        self.reads += 1
        if self.away:
            raise StoreDownError("away")
        return super().get(key)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def counted(tmp_path: Path, clock: HandClock) -> Iterator[CountedStore]:
    store = CountedStore(tmp_path / "ring.db", clock, SystemEntropy())
    yield store
    store.close()


def made_up(sealed: bytes, number: int) -> bytes:
    return sealed[:1] + number.to_bytes(8, "big") + sealed[9:]


def test_a_flood_of_unknown_ids_reads_the_ring_once_a_second(
    counted: CountedStore, clock: HandClock
) -> None:
    ring = key_ring(counted, clock)
    sealed = ring.seal(b"secret", context=CONTEXT)
    counted.reads = 0

    for number in range(1000):
        with pytest.raises(BrokenSealError):
            ring.open(made_up(sealed, number), context=CONTEXT)
        clock.advance(timedelta(milliseconds=10))

    assert counted.reads == 10


def test_where_no_stranger_names_keys_a_new_one_is_found_right_behind_an_unknown_one(
    counted: CountedStore, clock: HandClock
) -> None:
    stale = key_ring(counted, clock, search_pause=timedelta(0))
    other = key_ring(counted, clock)
    lost = made_up(stale.seal(b"under a key that is gone", context=CONTEXT), 1)
    other.rotate()
    with pytest.raises(BrokenSealError):
        stale.open(lost, context=CONTEXT)
    other.rotate()

    assert stale.open(other.seal(b"secret", context=CONTEXT), context=CONTEXT) == b"secret"


def test_sealing_and_opening_read_the_ring_once_a_minute(
    counted: CountedStore, clock: HandClock
) -> None:
    ring = key_ring(counted, clock)
    ring.seal(b"secret", context=CONTEXT)
    counted.reads = 0

    for _ in range(300):
        ring.open(ring.seal(b"secret", context=CONTEXT), context=CONTEXT)
        clock.advance(SECOND)

    assert 4 <= counted.reads <= 5


def test_a_crowd_of_values_with_a_new_id_is_not_refused(
    counted: CountedStore, clock: HandClock
) -> None:
    stale, fresh = key_ring(counted, clock), key_ring(counted, clock)
    stale.seal(b"so that it has a copy", context=CONTEXT)
    fresh.rotate()
    sealed = fresh.seal(b"secret", context=CONTEXT)
    counted.reads = 0
    start, opened = threading.Barrier(16), []

    def open_it() -> None:
        start.wait(10)
        opened.append(stale.open(sealed, context=CONTEXT))

    threads = [threading.Thread(target=open_it) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert opened == [b"secret"] * 16
    assert counted.reads == 1


def test_a_store_that_is_away_is_no_broken_seal(counted: CountedStore, clock: HandClock) -> None:
    stale, fresh = key_ring(counted, clock), key_ring(counted, clock)
    old = stale.seal(b"old", context=CONTEXT)
    fresh.rotate()
    new = fresh.seal(b"new", context=CONTEXT)
    counted.away = True

    # Twice: the second time there is no reading, and still no verdict.
    for _ in range(2):
        with pytest.raises(StoreDownError):
            stale.open(new, context=CONTEXT)
    assert stale.open(old, context=CONTEXT) == b"old"

    counted.away = False
    clock.advance(SECOND)
    assert stale.open(new, context=CONTEXT) == b"new"


# Tampering


@pytest.fixture(scope="module")
def quiet_ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    clock = HandClock()
    path = tmp_path_factory.mktemp("ring") / "ring.db"
    return key_ring(SqliteStore(path, clock, SystemEntropy()), clock)


@given(plain=st.binary(max_size=200), context=st.text(st.characters(codec="utf-8"), max_size=40))
@settings(deadline=None)
def test_anything_seals_and_opens(quiet_ring: KeyRing, plain: bytes, context: str) -> None:
    assert quiet_ring.open(quiet_ring.seal(plain, context=context), context=context) == plain


@given(plain=st.binary(max_size=60), data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_flipped_bit_breaks_the_seal(
    quiet_ring: KeyRing, plain: bytes, data: st.DataObject
) -> None:
    sealed = bytearray(quiet_ring.seal(plain, context=CONTEXT))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(BrokenSealError):
        quiet_ring.open(bytes(sealed), context=CONTEXT)


def test_any_truncation_breaks_the_seal(quiet_ring: KeyRing) -> None:
    sealed = quiet_ring.seal(b"a secret of some length", context=CONTEXT)

    for length in range(len(sealed)):
        with pytest.raises(BrokenSealError):
            quiet_ring.open(sealed[:length], context=CONTEXT)


@given(tail=st.binary(min_size=1, max_size=20))
@settings(deadline=None)
def test_anything_appended_breaks_the_seal(quiet_ring: KeyRing, tail: bytes) -> None:
    sealed = quiet_ring.seal(b"secret", context=CONTEXT)

    with pytest.raises(BrokenSealError):
        quiet_ring.open(sealed + tail, context=CONTEXT)


@given(garbage=st.binary(max_size=100))
@settings(deadline=None)
def test_garbage_is_a_broken_seal(quiet_ring: KeyRing, garbage: bytes) -> None:
    with pytest.raises(BrokenSealError):
        quiet_ring.open(garbage, context=CONTEXT)


@given(
    other=st.text(st.characters(codec="utf-8"), max_size=40).filter(lambda text: text != CONTEXT)
)
@settings(deadline=None)
def test_any_other_context_breaks_the_seal(quiet_ring: KeyRing, other: str) -> None:
    sealed = quiet_ring.seal(b"secret", context=CONTEXT)

    with pytest.raises(BrokenSealError):
        quiet_ring.open(sealed, context=other)
