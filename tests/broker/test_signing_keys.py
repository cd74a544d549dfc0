"""One key signs, the next is published ahead, a retired one fades and never signs again."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from broker_rig import BrokerRig, foundation_on, ready_keys, with_ready_keys
from hand_clock import HandClock
from joserfc import jws, jwt
from joserfc.jwk import KeySet
from memory_store import MemoryStore

from bff.adapters.sqlite_store import SqliteStore
from bff.adapters.system import SystemEntropy
from bff.broker.signing_keys import KeyState, SigningKeys
from bff.errors import StoreDownError

AGE = timedelta(days=30)
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def kid_of(token: str) -> str:
    return str(jws.extract_compact(token.encode()).headers()["kid"])


def states(keys: SigningKeys) -> list[str]:
    listed = keys.keys()
    return [key.state.value for key in listed]


def published_kids(keys: SigningKeys) -> set[str]:
    return {key["kid"] for key in keys.published()["keys"]}


def test_a_first_start_has_a_key_that_signs_and_the_next_one() -> None:
    clock = HandClock()
    keys = SigningKeys(foundation_on(MemoryStore(clock), clock), rotate_after=AGE)

    token = keys.sign({"sub": "x"})

    assert states(keys) == ["signing", "next"]
    listed = keys.keys()
    assert kid_of(token) == listed[0].id
    assert published_kids(keys) == {key.id for key in listed}


def test_the_published_keys_verify_and_hold_nothing_private(rig: BrokerRig) -> None:
    token = rig.keys.sign({"sub": "x"})
    document = rig.keys.published()

    for key in document["keys"]:
        assert not PRIVATE & set(key)
        assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")
    verified = jwt.decode(token, KeySet.import_key_set(document), algorithms=["RS256"])  # type: ignore[arg-type]  # a JWKS
    assert verified.claims == {"sub": "x"}


def test_the_key_that_signs_next_was_published_before(rig: BrokerRig) -> None:
    known = published_kids(rig.keys)

    rig.keys.rotate()

    assert kid_of(rig.keys.sign({})) in known


def test_a_rotation_retires_the_old_key_and_makes_a_next_one(rig: BrokerRig) -> None:
    old = kid_of(rig.keys.sign({}))
    rig.keys.rotate()

    listed = rig.keys.keys()
    assert {key.id: key.state for key in listed}[old] is KeyState.RETIRING
    assert sorted(states(rig.keys)) == ["next", "retiring", "signing"]


def test_what_a_retired_key_signed_still_verifies_and_then_fades(rig: BrokerRig) -> None:
    token = rig.keys.sign({"sub": "x"})
    rig.keys.rotate()
    rig.clock.advance(timedelta(minutes=59))
    assert rig.keys.read(token) == {"sub": "x"}

    rig.clock.advance(timedelta(minutes=1))

    assert kid_of(token) not in published_kids(rig.keys)
    assert rig.keys.read(token) is None


def test_keys_rotate_by_age(rig: BrokerRig) -> None:
    first = kid_of(rig.keys.sign({}))
    rig.clock.advance(AGE - timedelta(seconds=1))
    assert kid_of(rig.keys.sign({})) == first

    rig.clock.advance(timedelta(seconds=1))

    assert kid_of(rig.keys.sign({})) != first
    assert sorted(states(rig.keys)) == ["next", "retiring", "signing"]


def test_another_start_finds_the_same_keys(tmp_path: Path) -> None:
    clock = HandClock()

    def start() -> tuple[SqliteStore, SigningKeys]:
        store = SqliteStore(tmp_path / "store.db", clock, SystemEntropy())
        return store, SigningKeys(foundation_on(store, clock), rotate_after=AGE)

    store, keys = start()
    token = keys.sign({"sub": "x"})
    store.close()
    store, keys = start()

    assert keys.read(token) == {"sub": "x"}
    assert kid_of(keys.sign({})) == kid_of(token)
    store.close()


def test_a_rotation_elsewhere_counts_here_at_once(rig: BrokerRig) -> None:
    here = SigningKeys(rig.foundation, rotate_after=AGE)
    before = kid_of(here.sign({}))

    rig.keys.rotate()

    after = kid_of(here.sign({}))
    assert after != before
    assert after == kid_of(rig.keys.sign({}))
    assert published_kids(here) == published_kids(rig.keys)


def test_processes_that_start_at_once_agree_on_one_ring(tmp_path: Path) -> None:
    clock = HandClock()
    stores = [SqliteStore(tmp_path / "store.db", clock, SystemEntropy()) for _ in range(4)]
    crowd = [SigningKeys(foundation_on(store, clock), rotate_after=AGE) for store in stores]
    gate = threading.Barrier(4)

    def sign(keys: SigningKeys) -> str:
        gate.wait(timeout=10)
        return kid_of(keys.sign({}))

    with ThreadPoolExecutor(4) as threads:
        kids = set(threads.map(sign, crowd))

    assert len(kids) == 1
    assert {frozenset(published_kids(keys)) for keys in crowd} == {
        frozenset(published_kids(crowd[0]))
    }
    for store in stores:
        store.close()


def test_processes_that_notice_the_age_at_once_rotate_once(rig: BrokerRig) -> None:
    crowd = [SigningKeys(rig.foundation, rotate_after=AGE) for _ in range(4)]
    rig.clock.advance(AGE)
    gate = threading.Barrier(4)

    def sign(keys: SigningKeys) -> str:
        gate.wait(timeout=10)
        return kid_of(keys.sign({}))

    with ThreadPoolExecutor(4) as threads:
        kids = set(threads.map(sign, crowd))

    assert kids == {ready_keys()[1].kid}
    assert sorted(states(rig.keys)) == ["next", "retiring", "signing"]


def test_two_rotations_at_once_are_two_rotations(rig: BrokerRig) -> None:
    crowd = [SigningKeys(rig.foundation, rotate_after=AGE) for _ in range(2)]
    gate = threading.Barrier(2)

    def rotate(keys: SigningKeys) -> None:
        gate.wait(timeout=10)
        keys.rotate()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(rotate, crowd))

    assert sorted(states(rig.keys)) == ["next", "retiring", "retiring", "signing"]


def test_the_ring_outlives_the_keys_that_seal_it_while_it_is_in_use(rig: BrokerRig) -> None:
    keys = SigningKeys(rig.foundation, rotate_after=timedelta(days=200))
    token = keys.sign({"sub": "x"})

    # The rig's sealing keys seal for 30 days and open for 8 more.
    for _ in range(100):
        rig.clock.advance(timedelta(days=1))
        keys.published()

    assert keys.read(token) == {"sub": "x"}


def test_a_ring_that_no_longer_opens_is_replaced(rig: BrokerRig) -> None:
    old = kid_of(rig.keys.sign({}))
    rig.store.put("signing-keys:ring", b"sealed by a key that is gone", ttl=AGE)

    assert kid_of(rig.keys.sign({})) != old


def test_public_keys_are_served_while_the_store_is_away(rig: BrokerRig) -> None:
    known = published_kids(rig.keys)
    rig.store.down = True

    assert published_kids(rig.keys) == known
    with pytest.raises(StoreDownError):
        rig.keys.sign({})


def test_without_a_store_and_without_memory_there_is_nothing_to_serve() -> None:
    clock = HandClock()
    store = MemoryStore(clock)
    foundation = foundation_on(store, clock)
    with_ready_keys(foundation)
    store.down = True

    with pytest.raises(StoreDownError):
        SigningKeys(foundation, rotate_after=AGE).published()


def test_the_ring_in_the_store_shows_no_private_key(rig: BrokerRig) -> None:
    private = ready_keys()[0].jwk["d"]

    assert private not in repr(ready_keys())
    assert all(private.encode() not in value for value in rig.store.values())
