"""In a crowd: put events into one outbox, and deliver now and then, in a process of its own."""

from datetime import timedelta
from pathlib import Path
from typing import Final

from process_crowd import assemble

from bff.adapters.redis_store import RedisStore
from bff.adapters.sqlite_store import SqliteStore
from bff.adapters.system import SystemClock, SystemEntropy
from bff.crypto.keyring import KeyRing
from bff.ports import Foundation, Store
from bff.records.outbox import Letter, Outbox, OutboxWriter
from bff.records.outbox_events import GUEST

MASTER: Final = bytes(range(32))


def open_at(place: str) -> Store:
    """Open a store by its address: `redis://…`, or a file."""
    if place.startswith("redis"):
        return RedisStore(place)
    return SqliteStore(Path(place), SystemClock(), SystemEntropy())


def foundation_at(place: str) -> Foundation:
    store, clock, entropy = open_at(place), SystemClock(), SystemEntropy()
    ring = KeyRing(
        store,
        "at-rest",
        master_keys=[MASTER],
        clock=clock,
        entropy=entropy,
        rotate_after=timedelta(days=30),
        keep_for=timedelta(days=365),
    )
    return Foundation(store=store, sealer=ring, clock=clock, entropy=entropy)


def writer_at(place: str, written: Path) -> tuple[Outbox, OutboxWriter]:
    """Return an outbox whose database is a file that each delivery adds a line to."""
    foundation = foundation_at(place)
    outbox = Outbox(foundation)

    def deliver(body: str) -> None:
        with written.open("a", encoding="utf-8") as file:
            file.write(f"{body}\n")

    return outbox, OutboxWriter(outbox, foundation, desks={GUEST: deliver})


def put_and_deliver(place: str, written: Path, name: str, count: int) -> int:
    """Put so many events; deliver after every fifth. Return how many numbers were missing."""
    outbox, writer = writer_at(place, written)
    assemble()
    for number in range(count):
        outbox.put(Letter(desk=GUEST, body=f"{name} {number}"))
        if number % 5 == 0:
            writer.once()
    return sum(outbox.tally.missing.values())
