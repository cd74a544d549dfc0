"""What several processes do to one store at the same time."""

import time
from datetime import timedelta

from process_crowd import assemble
from store_rigs import StoreAddress

from bff.ports import Lease, Store

MINUTE = timedelta(minutes=1)
A_MOMENT = timedelta(milliseconds=1)


def take_all(address: StoreAddress, keys: list[str]) -> list[str]:
    """Take every key that nobody else has taken."""
    store = address.open()
    store.ping()
    assemble()
    return [key for key in keys if store.take(key) is not None]


def add_all(address: StoreAddress, keys: list[str]) -> list[str]:
    store = address.open()
    store.ping()
    assemble()
    return [key for key in keys if store.add(key, b"v", ttl=MINUTE)]


def increment(address: StoreAddress, key: str, times: int) -> int:
    """Add one, `times` times, each by compare-and-set; return how often that was refused."""
    store = address.open()
    store.ping()
    assemble()
    refused = 0
    for _ in range(times):
        while not _increment_once(store, key):
            refused += 1
    return refused


def _increment_once(store: Store, key: str) -> bool:
    entry = store.get(key)
    if entry is None:
        raise LookupError(key)
    value = str(int(entry.value) + 1).encode()
    return store.replace(key, value, version=entry.version, ttl=MINUTE) is not None


def count_all(address: StoreAddress, name: str, times: int) -> list[int]:
    store = address.open()
    store.ping()
    assemble()
    return [store.count(name, window=MINUTE).value for _ in range(times)]


def work_alone(address: StoreAddress, name: str, times: int) -> list[int]:
    """Under the lease, `times` times: read, then write. Two at once would lose a write."""
    store = address.open()
    store.ping()
    assemble()
    fences = []
    for _ in range(times):
        lease = _wait_for(store, name)
        entry = store.get("written")
        before = entry.value if entry else b""
        store.put("written", before + b"%d " % lease.fence, ttl=MINUTE)
        store.release_lease(lease)
        fences.append(lease.fence)
    return fences


def _wait_for(store: Store, name: str) -> Lease:
    while (lease := store.acquire_lease(name, ttl=MINUTE)) is None:
        pass
    return lease


def listen(address: StoreAddress, channel: str) -> tuple[tuple[str, bytes] | None, float]:
    """Subscribe, say so, and return the first message and when it came."""
    store = address.open()
    with store.subscribe(channel) as subscription:
        assemble()
        return subscription.receive(timedelta(seconds=20)), time.monotonic()
