"""Key rings for tests, here and in other processes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hand_clock import START, HandClock
from process_crowd import assemble
from store_rigs import StoreAddress

from bff.adapters.system import SystemEntropy
from bff.crypto.keyring import KeyRing
from bff.ports import Clock, Store

MASTER = b"the master key, of 32 bytes....!"
OTHER_MASTER = b"another master key of 32 bytes.!"
HOUR = timedelta(hours=1)
ROTATE_AFTER = HOUR
KEEP_FOR = 12 * HOUR
CONTEXT = "session:somebody"


def key_ring(
    store: Store,
    clock: Clock,
    *,
    masters: Sequence[bytes] = (MASTER,),
    purpose: str = "sessions",
    **more: Any,
) -> KeyRing:
    return KeyRing(
        store,
        purpose,
        master_keys=masters,
        clock=clock,
        entropy=SystemEntropy(),
        rotate_after=ROTATE_AFTER,
        keep_for=KEEP_FOR,
        **more,
    )


def _ring_after(address: StoreAddress, age: timedelta) -> KeyRing:
    return key_ring(address.open(), HandClock(START + age))


def seal_together(address: StoreAddress, age: timedelta) -> bytes:
    """Seal at the same moment as others, in a process that has not seen the ring before."""
    ring = _ring_after(address, age)
    assemble()
    return ring.seal(b"together", context=CONTEXT)


def rotate_together(address: StoreAddress) -> str:
    ring = _ring_after(address, timedelta(0))
    assemble()
    return ring.rotate()


def open_and_seal(address: StoreAddress, sealed: bytes, rotate_first: bool) -> tuple[bytes, bytes]:
    """Open what another process sealed, and seal an answer, perhaps with a new key."""
    ring = _ring_after(address, timedelta(0))
    assemble()
    if rotate_first:
        ring.rotate()
    return ring.open(sealed, context=CONTEXT), ring.seal(b"answer", context=CONTEXT)


def nonces_together(address: StoreAddress) -> list[bytes]:
    """Seal a thousand times while others do, all with the same key."""
    ring = _ring_after(address, timedelta(0))
    assemble()
    return [ring.seal(b"", context=CONTEXT) for _ in range(1000)]
