"""Row 39: a nonce that comes twice under one key gives away both texts and the tag key."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hand_clock import HandClock
from process_crowd import all_at_once
from ring_rigs import CONTEXT, key_ring, nonces_together
from store_rigs import StoreAddress

from bff.adapters.sqlite_store import SqliteStore
from bff.adapters.system import SystemEntropy
from bff.ports import Store

HEAD = 1 + 8
NONCE = slice(HEAD, HEAD + 12)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ring.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = SqliteStore(path, HandClock(), SystemEntropy())
    yield opened
    opened.close()


def test_a_million_seals_have_a_million_nonces(store: Store) -> None:
    ring = key_ring(store, HandClock())

    nonces = {ring.seal(b"", context=CONTEXT)[NONCE] for _ in range(1_000_000)}

    assert len(nonces) == 1_000_000


def test_a_nonce_has_twelve_bytes(store: Store) -> None:
    sealed = key_ring(store, HandClock()).seal(b"text", context=CONTEXT)

    assert len(sealed) == HEAD + 12 + len(b"text") + 16


def test_every_byte_of_a_nonce_varies(store: Store) -> None:
    ring = key_ring(store, HandClock())

    nonces = [ring.seal(b"", context=CONTEXT)[NONCE] for _ in range(3000)]

    assert all(len({nonce[place] for nonce in nonces}) > 200 for place in range(12))


def test_a_restart_does_not_begin_again(store: Store) -> None:
    sealed = []
    for _ in range(200):
        restarted = key_ring(store, HandClock())
        sealed += [restarted.seal(b"", context=CONTEXT) for _ in range(20)]

    assert len({value[:HEAD] for value in sealed}) == 1
    assert len({value[NONCE] for value in sealed}) == 4000


def test_processes_with_the_same_key_do_not_share_nonces(store: Store, path: Path) -> None:
    store.ping()
    address = StoreAddress(kind="sqlite", place=str(path))

    sealed = [value for batch in all_at_once(3, nonces_together, address) for value in batch]

    assert len({value[:HEAD] for value in sealed}) == 1
    assert len({value[NONCE] for value in sealed}) == len(sealed) == 3000


def test_a_ring_is_sealed_under_a_fresh_nonce_each_time(store: Store) -> None:
    ring = key_ring(store, HandClock())
    nonces = set()
    for _ in range(50):
        ring.rotate()
        entry = store.get("keyring:sessions")
        assert entry is not None
        nonces.add(entry.value[NONCE])

    assert len(nonces) == 50
