"""The master key is changed without losing what was sealed; without it nothing opens."""

import pytest
from ring_rigs import CONTEXT, HOUR, MASTER, OTHER_MASTER, key_ring
from store_rigs import StoreRig

from bff.crypto.master_key import derived
from bff.errors import BrokenSealError, SettingsError


def test_what_was_sealed_before_the_change_opens_after_it(rig: StoreRig) -> None:
    sealed = key_ring(rig.store, rig.clock).seal(b"secret", context=CONTEXT)

    changed = key_ring(rig.store, rig.clock, masters=(OTHER_MASTER, MASTER))

    assert changed.open(sealed, context=CONTEXT) == b"secret"


def test_the_ring_is_sealed_anew_so_that_the_old_master_key_can_go(rig: StoreRig) -> None:
    sealed = key_ring(rig.store, rig.clock).seal(b"secret", context=CONTEXT)
    key_ring(rig.store, rig.clock, masters=(OTHER_MASTER, MASTER)).open(sealed, context=CONTEXT)

    alone = key_ring(rig.store, rig.clock, masters=(OTHER_MASTER,))

    assert alone.open(sealed, context=CONTEXT) == b"secret"
    assert len(alone.keys()) == 1


def test_processes_before_and_after_the_change_work_side_by_side(rig: StoreRig) -> None:
    before = key_ring(rig.store, rig.clock, masters=(MASTER, OTHER_MASTER))
    after = key_ring(rig.store, rig.clock, masters=(OTHER_MASTER, MASTER))

    for one, other in ((before, after), (after, before)):
        one.rotate()
        sealed = one.seal(b"secret", context=CONTEXT)
        assert other.open(sealed, context=CONTEXT) == b"secret"


@pytest.mark.parametrize("use", ["seal", "open", "rotate", "keys"])
def test_without_its_master_key_a_ring_is_neither_opened_nor_replaced(
    rig: StoreRig, use: str
) -> None:
    ours = key_ring(rig.store, rig.clock)
    sealed = ours.seal(b"secret", context=CONTEXT)
    stored = rig.store.get("keyring:sessions")
    stranger = key_ring(rig.store, rig.clock, masters=(OTHER_MASTER,))
    calls = {
        "seal": lambda: stranger.seal(b"secret", context=CONTEXT),
        "open": lambda: stranger.open(sealed, context=CONTEXT),
        "rotate": stranger.rotate,
        "keys": stranger.keys,
    }

    with pytest.raises(BrokenSealError, match=r"master key .* is not configured"):
        calls[use]()

    assert rig.store.get("keyring:sessions") == stored


def test_a_ring_that_was_tampered_with_is_not_believed(rig: StoreRig) -> None:
    ring = key_ring(rig.store, rig.clock)
    ring.rotate()
    stored = rig.store.get("keyring:sessions")
    assert stored is not None
    broken = stored.value[:-1] + bytes([stored.value[-1] ^ 1])
    rig.store.put("keyring:sessions", broken, ttl=HOUR)

    with pytest.raises(BrokenSealError):
        key_ring(rig.store, rig.clock).seal(b"secret", context=CONTEXT)


def test_a_ring_moved_to_another_purpose_is_not_believed(rig: StoreRig) -> None:
    key_ring(rig.store, rig.clock, purpose="sessions").rotate()
    stored = rig.store.get("keyring:sessions")
    assert stored is not None
    rig.store.add("keyring:vault", stored.value, ttl=HOUR)

    with pytest.raises(BrokenSealError):
        key_ring(rig.store, rig.clock, purpose="vault").rotate()


@pytest.mark.parametrize("masters", [(), (b"short",), (MASTER, b"short"), (MASTER * 2,)])
def test_a_master_key_of_the_wrong_size_is_refused(
    rig: StoreRig, masters: tuple[bytes, ...]
) -> None:
    with pytest.raises(SettingsError) as caught:
        key_ring(rig.store, rig.clock, masters=masters)

    assert "short" not in str(caught.value)


def test_each_use_of_the_master_key_has_a_key_of_its_own() -> None:
    keys = {derived(MASTER, b"one"), derived(MASTER, b"two"), derived(OTHER_MASTER, b"one"), MASTER}

    assert len(keys) == 4
