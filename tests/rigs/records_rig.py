"""A database for one test, SQLite's file or a real PostgreSQL, and what stands on it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from hand_clock import HandClock
from memory_store import MemoryStore
from postgres_server import PostgresServer

from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.adapters.sql_guests import SqlGuests
from bff.adapters.system import SystemEntropy
from bff.crypto.keyring import KeyRing
from bff.ports import Foundation
from bff.records.audit_events import AuditEvent
from bff.records.guest_keys import GuestKeys
from bff.records.guest_marks import GuestMarks
from bff.records.guest_memory import DESK, GuestFacts, GuestMemory
from bff.records.outbox import Outbox, OutboxWriter
from bff.records.purpose_keys import PurposeKeys

MASTER: Final = bytes(range(32))
TENANT: Final = "deployment-1"


@dataclass
class NotedTrail:
    """Keeps `AuditTrail`: what would be written."""

    events: list[AuditEvent] = field(default_factory=list)

    def note(self, event: AuditEvent) -> bool:
        self.events.append(event)
        return True


@dataclass(kw_only=True)
class RecordsRig:
    """The parts, for a test to turn."""

    sql: SqlRecords
    clock: HandClock
    foundation: Foundation
    key_store: MemoryStore
    ring: KeyRing
    keys: GuestKeys
    rows: SqlGuests
    outbox: Outbox
    writer: OutboxWriter
    memory: GuestMemory

    def another_tenant(self, tenant: str) -> GuestMemory:
        return memory_of(self, tenant)

    def facts(self, guest_id: str = "guest-1", **more: Any) -> GuestFacts:
        return GuestFacts(guest_id=guest_id, at=self.clock.now(), **more)


def memory_of(rig: RecordsRig, tenant: str, *, recall_age: timedelta | None = None) -> GuestMemory:
    return GuestMemory(
        rows=rig.rows,
        keys=rig.keys,
        purposes=PurposeKeys(bytes(32)),
        outbox=rig.outbox,
        tenant=tenant,
        fields=("plan",),
        clock=rig.clock,
        entropy=rig.foundation.entropy,
        marks=GuestMarks(rig.foundation.store),
        recall_age=recall_age,
    )


def _ring(purpose: str, store: MemoryStore, clock: HandClock) -> KeyRing:
    return KeyRing(
        store,
        purpose,
        master_keys=[MASTER],
        clock=clock,
        entropy=SystemEntropy(),
        rotate_after=timedelta(days=30),
        keep_for=timedelta(days=60),
    )


@contextmanager
def running_records(url: str) -> Iterator[RecordsRig]:
    """Stand everything on a database that is there already."""
    clock, entropy = HandClock(), SystemEntropy()
    store, key_store = MemoryStore(clock), MemoryStore(clock)
    at_rest = _ring("at-rest", store, clock)
    foundation = Foundation(store=store, sealer=at_rest, clock=clock, entropy=entropy)
    ring = _ring("guest-keys", key_store, clock)
    sql = SqlRecords(RecordsPlace(url=url, patience=timedelta(seconds=2)))
    sql.upgrade()
    outbox = Outbox(foundation)
    keys = GuestKeys(replace(foundation, store=key_store, sealer=ring), ring=ring)
    rig: Any = RecordsRig.__new__(RecordsRig)
    rig.sql, rig.clock, rig.foundation, rig.key_store = sql, clock, foundation, key_store
    rig.ring, rig.keys, rig.rows, rig.outbox = ring, keys, SqlGuests(sql), outbox
    rig.memory = memory_of(rig, TENANT)
    rig.writer = OutboxWriter(outbox, foundation, desks={DESK: rig.memory.deliver})
    try:
        yield rig
    finally:
        sql.close()


@contextmanager
def database(kind: str, folder: Path, postgres: PostgresServer | None) -> Iterator[str]:
    """Yield the URL of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'records.sqlite3'}"
        shutil.rmtree(folder, ignore_errors=True)
        return
    assert postgres is not None
    yield postgres.new_database(f"test-{SystemEntropy().token(9)}")
