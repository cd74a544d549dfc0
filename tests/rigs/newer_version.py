"""Records as another version, or another key, would have left them in the store."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from ring_rigs import OTHER_MASTER

from bff.adapters.system import SystemClock, SystemEntropy
from bff.crypto.keyring import KeyRing
from bff.ports import Sealer, Store

LIFE: Final = timedelta(hours=1)
Change = Callable[[dict[str, Any]], None]


def rewrite(store: Store, sealer: Sealer, key: str, change: Change) -> bytes:
    """Write the record under `key` as a version would that has changed it; return the old bytes."""
    entry = store.get(key)
    assert entry is not None, key
    record = json.loads(sealer.open(entry.value, context=key))
    change(record)
    store.put(key, sealer.seal(json.dumps(record).encode(), context=key), ttl=LIFE)
    return entry.value


@contextmanager
def unreadable(store: Store, key: str, planted: bytes) -> Iterator[bytes]:
    """Have other bytes under `key` while the block lasts; they must still be there at its end."""
    entry = store.get(key)
    assert entry is not None, key
    store.put(key, planted, ttl=LIFE)
    yield planted
    kept = store.get(key)
    assert kept is not None, f"{key} was deleted"
    assert kept.value == planted, f"{key} was overwritten"
    store.put(key, entry.value, ttl=LIFE)


def by_another_key(store: Store, sealer: Sealer, key: str) -> bytes:
    """Return the record under `key` sealed by a ring that nobody here has."""
    entry = store.get(key)
    assert entry is not None, key
    plain = sealer.open(entry.value, context=key)
    ring = KeyRing(
        store,
        "of-somebody-else",
        master_keys=[OTHER_MASTER],
        clock=SystemClock(),
        entropy=SystemEntropy(),
        rotate_after=timedelta(days=1),
        keep_for=timedelta(days=1),
    )
    return ring.seal(plain, context=key)


def by_newer_version(store: Store, sealer: Sealer, key: str, **fields: Any) -> bytes:
    """Return the record under `key` with `fields` whose type this version does not know."""
    entry = store.get(key)
    assert entry is not None, key
    record = json.loads(sealer.open(entry.value, context=key))
    return sealer.seal(json.dumps({**record, **fields}).encode(), context=key)


def tampered(store: Store, key: str) -> bytes:
    """Return the bytes under `key` with the last one changed."""
    entry = store.get(key)
    assert entry is not None, key
    return entry.value[:-1] + bytes([entry.value[-1] ^ 1])
