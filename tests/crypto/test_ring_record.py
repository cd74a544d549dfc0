"""What is not written as a ring is not read as one; a ring that nobody can write is told."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hand_clock import START, HandClock
from ring_rigs import CONTEXT, key_ring

from bff.adapters.sqlite_store import SqliteStore
from bff.adapters.system import SystemEntropy
from bff.crypto.ring_record import RingRecord
from bff.crypto.sealed_value import SealingKey
from bff.errors import BrokenSealError, StoreDownError


@pytest.mark.parametrize("plain", [b"", b"[]", b"{}", b"[1]", b'[{"id": "00"}]', b"\xff", b"null"])
def test_what_is_no_ring_is_a_broken_seal(plain: bytes) -> None:
    with pytest.raises(BrokenSealError):
        RingRecord.parse(plain)


def test_a_ring_is_read_as_it_was_written() -> None:
    record = RingRecord.started(START, SystemEntropy())
    rotated = record.rotated(START, opens_until=START + timedelta(hours=1), entropy=SystemEntropy())

    assert RingRecord.parse(rotated.spell()) == rotated


@pytest.mark.parametrize(("key_id", "secret"), [(b"short", bytes(32)), (bytes(8), bytes(16))])
def test_a_key_of_another_size_is_no_key(key_id: bytes, secret: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        SealingKey(key_id, secret)


class ContendedStore(SqliteStore):
    """Somebody else is always quicker."""

    def replace(self, key: str, value: bytes, *, version: int, ttl: timedelta) -> int | None:
        super().put(key, self._found(key), ttl=ttl)
        return super().replace(key, value, version=version, ttl=ttl)

    def _found(self, key: str) -> bytes:
        entry = self.get(key)
        return entry.value if entry else b""


@pytest.fixture
def contended(tmp_path: Path) -> Iterator[ContendedStore]:
    store = ContendedStore(tmp_path / "ring.db", HandClock(), SystemEntropy())
    yield store
    store.close()


def test_a_ring_that_changes_all_the_time_is_a_store_that_is_down(
    contended: ContendedStore,
) -> None:
    ring = key_ring(contended, HandClock())
    sealed = ring.seal(b"secret", context=CONTEXT)

    with pytest.raises(StoreDownError):
        ring.rotate()
    assert ring.open(sealed, context=CONTEXT) == b"secret"
