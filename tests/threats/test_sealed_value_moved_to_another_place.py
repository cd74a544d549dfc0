"""Row 17: a sealed value is copied to another cookie, person, field, ring or deployment."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hand_clock import HandClock
from ring_rigs import HOUR, MASTER, OTHER_MASTER, key_ring
from security_model import Asset, Attacker, threat

from bff.adapters.sqlite_store import SqliteStore
from bff.adapters.system import SystemEntropy
from bff.crypto.keyring import KeyRing
from bff.errors import BrokenSealError
from bff.ports import Store

HEAD = 1 + 8
OURS = "vault:refresh-token:site-1:anna"
ELSEWHERE = [
    pytest.param("vault:refresh-token:site-1:berta", id="another person"),
    pytest.param("vault:refresh-token:site-2:anna", id="another site"),
    pytest.param("vault:access-token:site-1:anna", id="another field"),
    pytest.param("cookie:refresh-token:site-1:anna", id="another place"),
    pytest.param("vault:refresh-token:site-1:anna:", id="longer by one"),
    pytest.param("vault:refresh-token:site-1:ann", id="shorter by one"),
    pytest.param("VAULT:refresh-token:site-1:anna", id="another case"),
    pytest.param("", id="no context"),
]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(tmp_path: Path, clock: HandClock) -> Iterator[Store]:
    opened = SqliteStore(tmp_path / "ring.db", clock, SystemEntropy())
    yield opened
    opened.close()


@pytest.fixture
def ring(store: Store, clock: HandClock) -> KeyRing:
    return key_ring(store, clock, purpose="vault")


@threat(
    Attacker.STORE_OWNER,
    Asset.SESSION,
    can="Copy an encrypted value to another key, user or deployment: it does not open",
    noticed="`seal_broken` in the log",
)
@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_a_value_does_not_open_elsewhere(ring: KeyRing, elsewhere: str) -> None:
    sealed = ring.seal(b"token of anna", context=OURS)

    with pytest.raises(BrokenSealError):
        ring.open(sealed, context=elsewhere)
    assert ring.open(sealed, context=OURS) == b"token of anna"


def test_two_values_cannot_be_swapped(ring: KeyRing) -> None:
    anna = ring.seal(b"token of anna", context="anna")
    berta = ring.seal(b"token of berta", context="berta")

    for sealed, context in ((anna, "berta"), (berta, "anna")):
        with pytest.raises(BrokenSealError):
            ring.open(sealed, context=context)


def test_the_body_of_one_value_does_not_open_under_the_head_of_another(ring: KeyRing) -> None:
    one = ring.seal(b"token of anna", context=OURS)
    two = ring.seal(b"token of anna", context=OURS)

    for cut in (HEAD + 1, HEAD + 12, len(one) - 16):
        with pytest.raises(BrokenSealError):
            ring.open(one[:cut] + two[cut:], context=OURS)


def test_a_value_told_to_be_of_another_key_of_the_ring_does_not_open(ring: KeyRing) -> None:
    old = ring.seal(b"token of anna", context=OURS)
    ring.rotate()
    new = ring.seal(b"token of anna", context=OURS)

    with pytest.raises(BrokenSealError):
        ring.open(new[:HEAD] + old[HEAD:], context=OURS)


def test_a_value_of_one_ring_does_not_open_in_another(
    store: Store, clock: HandClock, ring: KeyRing
) -> None:
    sealed = ring.seal(b"token of anna", context=OURS)

    with pytest.raises(BrokenSealError):
        key_ring(store, clock, purpose="sessions").open(sealed, context=OURS)


def test_a_value_of_another_deployment_does_not_open(
    tmp_path: Path, clock: HandClock, ring: KeyRing
) -> None:
    foreign_store = SqliteStore(tmp_path / "foreign.db", clock, SystemEntropy())
    sealed = key_ring(foreign_store, clock, purpose="vault").seal(b"token", context=OURS)
    foreign_store.close()

    with pytest.raises(BrokenSealError):
        ring.open(sealed, context=OURS)


def test_a_whole_ring_of_another_deployment_is_not_believed(
    tmp_path: Path, store: Store, clock: HandClock
) -> None:
    foreign_store = SqliteStore(tmp_path / "foreign.db", clock, SystemEntropy())
    foreign = key_ring(foreign_store, clock, masters=[OTHER_MASTER], purpose="vault")
    sealed = foreign.seal(b"token", context=OURS)
    planted = foreign_store.take("keyring:vault")
    foreign_store.close()
    assert planted is not None
    store.put("keyring:vault", planted, ttl=HOUR)

    with pytest.raises(BrokenSealError):
        key_ring(store, clock, masters=[MASTER], purpose="vault").open(sealed, context=OURS)
