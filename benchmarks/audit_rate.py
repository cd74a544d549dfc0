"""What the chain of the audit trail costs: events a second with it and without it.

Run it with `python benchmarks/audit_rate.py`; with `--postgresql URL` (an empty database) for
PostgreSQL as well. `without chain` writes the same rows into the same tables, with no hash, no
lock and no look at the event before: what any audit table does. It runs in the same process and
thread, so that the difference is the price of the chain.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, insert

from bff.adapters.sql_audit import SqlAudit
from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.adapters.sql_tables import audit_events, audit_sources
from bff.adapters.sqlite_store import SqliteStore
from bff.adapters.system import SystemClock, SystemEntropy
from bff.crypto.keyring import KeyRing
from bff.migrations.audit_rules import rules_of
from bff.ports import Foundation
from bff.records.audit_events import Action, Actor, ActorKind, AuditEvent
from bff.records.audit_heads import HeadKeys
from bff.records.audit_verification import Verification
from bff.records.audit_writing import DESK, OutboxTrail, TrailDesk, entry
from bff.records.outbox import Outbox, OutboxWriter
from bff.records.purpose_keys import PurposeKeys
from bff.trail_ports import TrailEntry, micros

EVENTS: Final = 2000
VERIFIED: Final = 100_000
BATCH: Final = 1000
WRITERS: Final = 4
KEYS: Final = PurposeKeys(bytes(range(32)))
CLOCK: Final = SystemClock()
ENTROPY: Final = SystemEntropy()
NUMBERS: Final = count(1)


def main() -> None:
    """Print a table for each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgresql", metavar="URL", help="an empty database of your own")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--verified", type=int, default=VERIFIED)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run("SQLite", f"sqlite:///{folder}/records.sqlite3", chosen.events, chosen.verified)
        if chosen.postgresql:
            run("PostgreSQL", chosen.postgresql, chosen.events, chosen.verified)
        through_the_outbox(Path(folder), chosen.events)


def run(name: str, url: str, events: int, verified: int) -> None:
    """Measure one database. What is written without the chain goes last: it breaks the trail."""
    records = SqlRecords(RecordsPlace(url=url))
    records.upgrade()
    keeper = SqlAudit(records, clock=CLOCK, entropy=ENTROPY)
    try:
        print(f"{name}, {events} events, one transaction each")
        timed("with chain", events, lambda: keeper.append([an_entry()]))
        together("with chain", events, lambda: keeper.append([an_entry()]))
        done = events * 2
        while done < verified:
            keeper.append([an_entry() for _ in range(BATCH)])
            done += BATCH
        verify(keeper)
        without_rules(records)
        seqs = count(10_000_000)
        timed("without chain", events, lambda: unchained(records, next(seqs)))
        together("without chain", events, lambda: unchained(records, next(seqs)))
        print()
    finally:
        records.close()


def without_rules(records: SqlRecords) -> None:
    """Take the triggers away that want what follows: any audit table has none."""

    def drop(connection: Connection) -> None:
        for rule in rules_of(connection):
            on = "" if records.embedded else f" ON {rule.table}"
            connection.exec_driver_sql(f"DROP TRIGGER {rule.name}{on}")

    records.write(drop)


def timed(what: str, events: int, work: Callable[[], object]) -> None:
    """Do it so many times; print how fast."""
    took = []
    began = time.perf_counter()
    for _ in range(events):
        at = time.perf_counter()
        work()
        took.append((time.perf_counter() - at) * 1000)
    told(f"{what}, 1 writer", took, time.perf_counter() - began)


def together(what: str, events: int, work: Callable[[], object]) -> None:
    """Do the same in several threads, each with a connection of its own."""
    took: list[float] = []

    def write() -> None:
        for _ in range(events // WRITERS):
            at = time.perf_counter()
            work()
            took.append((time.perf_counter() - at) * 1000)

    threads = [threading.Thread(target=write) for _ in range(WRITERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told(f"{what}, {WRITERS} writers", took, time.perf_counter() - began)


def told(what: str, took: list[float], seconds: float) -> None:
    """Print one line."""
    took = sorted(took)
    p50, p99 = statistics.median(took), took[int(len(took) * 0.99)]
    print(f"  {what:26} {len(took) / seconds:8.0f} /s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms")


def verify(keeper: SqlAudit) -> None:
    """Read the whole trail, as `audit verify` does."""
    began = time.perf_counter()
    verdict = Verification(keeper, trusted={}).run()
    seconds = time.perf_counter() - began
    if verdict.faults:
        raise SystemExit(f"the trail does not verify: {verdict.faults[0]}")
    rate = verdict.events / seconds
    print(f"  verified {verdict.events:,} events in {seconds:.2f} s: {rate:,.0f} /s")


def through_the_outbox(folder: Path, events: int) -> None:
    """What the caller waits for, and what the writer delivers behind its back (SQLite)."""
    store = SqliteStore(folder / "store.sqlite3", clock=CLOCK, entropy=ENTROPY)
    ring = KeyRing(
        store,
        "at-rest",
        master_keys=[ENTROPY.bytes(32)],
        clock=CLOCK,
        entropy=ENTROPY,
        rotate_after=timedelta(days=30),
        keep_for=timedelta(days=8),
    )
    foundation = Foundation(store=store, sealer=ring, clock=CLOCK, entropy=ENTROPY)
    records = SqlRecords(RecordsPlace(url=f"sqlite:///{folder}/outbox.sqlite3"))
    records.upgrade()
    outbox = Outbox(foundation)
    trail = OutboxTrail(outbox, KEYS, clock=CLOCK)
    desk = TrailDesk(SqlAudit(records, clock=CLOCK, entropy=ENTROPY), written=lambda _: None)
    writer = OutboxWriter(outbox, foundation, desks={DESK: desk.deliver})
    HeadKeys(foundation).tend()
    print(f"Through the outbox (store and trail on SQLite), {events} events")
    timed("noted by the caller", events, lambda: trail.note(an_event()))
    began = time.perf_counter()
    delivered = writer.once()
    print(f"  {'delivered by the writer':26} {delivered / (time.perf_counter() - began):8.0f} /s")
    records.close()
    store.close()


def unchained(records: SqlRecords, seq: int) -> None:
    """Write the same row as any audit table would."""
    columns = asdict(an_entry())
    address = {"seq": seq, "salt": b"", "source": columns.pop("source")}
    row = {
        **columns,
        "seq": seq,
        "written_at": micros(CLOCK.now()),
        "previous": b"",
        "hash": sha256(b"").digest(),
    }
    records.write(
        lambda connection: (
            connection.execute(insert(audit_events).values(**row)),
            connection.execute(insert(audit_sources).values(**address)),
        )
    )


def an_event() -> AuditEvent:
    """Return an event of the usual kind and size."""
    return AuditEvent(
        event_id=ENTROPY.token(16),
        at=CLOCK.now(),
        action=Action.GUEST_RESUMED,
        actor=Actor(kind=ActorKind.GUEST),
        guest_id=f"guest-{next(NUMBERS) % 1000}",
        source="192.0.2.17",
        details={"scheme": "page", "why": "browser"},
    )


def an_entry() -> TrailEntry:
    """Return the same as the trail keeps it."""
    return entry(an_event(), KEYS)


if __name__ == "__main__":
    main()
