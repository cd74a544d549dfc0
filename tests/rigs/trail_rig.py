"""An audit trail on SQLite or on a real PostgreSQL, and a hand that meddles with it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
from hand_clock import HandClock
from memory_store import MemoryStore
from postgres_server import PostgresServer
from process_crowd import assemble
from ring_rigs import MASTER
from sqlalchemy import text

from bff.adapters.head_copies import FileCopies
from bff.adapters.sql_audit import SqlAudit
from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.adapters.system import SystemClock, SystemEntropy
from bff.crypto import head_lines
from bff.crypto.keyring import KeyRing
from bff.crypto.trail_chain import BEGINNING, link
from bff.ports import Foundation
from bff.records.audit_events import Action, AuditEvent
from bff.records.audit_heads import HeadKeys, HeadSigner
from bff.records.audit_notes import AuditNotes
from bff.records.audit_verification import Verdict, Verification, remembered_by
from bff.records.audit_writing import DESK, OutboxTrail, TrailDesk, entry
from bff.records.outbox import Outbox, OutboxWriter
from bff.records.purpose_keys import PurposeKeys
from bff.trail_ports import SignedHead, TrailEntry

SECONDS: Final = 60
KINDS: Final = ("sqlite", "postgresql")
PATIENCE: Final = timedelta(seconds=10)
KEYS: Final = PurposeKeys(bytes(range(32)))
HASHED: Final = (
    *("seq", "event_id", "at", "written_at", "action", "outcome", "actor_kind", "actor"),
    *("guest", "source_digest", "details"),
)


class TrailPlaces:
    """Makes empty databases with all tables, by copying one that was made before."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self._server = server
        self._file = folder / "template.sqlite3"
        self._count = 0
        for url in (f"sqlite:///{self._file}", server.new_database("template_trail")):
            records = SqlRecords(RecordsPlace(url=url, patience=PATIENCE))
            records.upgrade()
            records.close()

    def new(self, kind: str, folder: Path) -> str:
        if kind == "sqlite":
            path = folder / "records.sqlite3"
            shutil.copy(self._file, path)
            return f"sqlite:///{path}"
        self._count += 1
        name = f"trail_{self._count}"
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template_trail")
        return self._server.database(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailRig:
    """The trail and everything that writes and reads it."""

    url: str
    folder: Path
    clock: HandClock = field(repr=False)
    store: MemoryStore = field(repr=False)
    foundation: Foundation
    records: SqlRecords
    keeper: SqlAudit
    head_keys: HeadKeys
    signer: HeadSigner
    outbox: Outbox
    trail: OutboxTrail
    writer: OutboxWriter

    @property
    def copies_file(self) -> Path:
        return self.folder / "heads.jsonl"

    def event(self, number: int, **changes: Any) -> AuditEvent:
        told: dict[str, Any] = {
            "event_id": f"event-{number}",
            "at": self.clock.now() + timedelta(seconds=number),
            "action": Action.GUEST_CREATED,
            "guest_id": "guest-1",
            "source": f"192.0.2.{number % 250}",
            "details": {"number": number},
            **changes,
        }
        return AuditEvent(**told)

    def entry(self, number: int, **changes: Any) -> TrailEntry:
        return entry(self.event(number, **changes), KEYS)

    def fill(self, count: int, *, first: int = 1) -> None:
        """Append so many events, each on its own."""
        for number in range(first, first + count):
            self.keeper.append([self.entry(number)])

    def sign(self) -> SignedHead:
        """Sign the head as it is now, here and outside."""
        newest = self.keeper.newest()
        assert newest is not None
        head = self.head_keys.sign(newest.seq, newest.hash)
        assert self.keeper.add_head(head)
        FileCopies(self.copies_file).keep(head)
        return head

    def verify(self, *, outside: bool = True, store: bool = False) -> Verdict:
        """Verify, with the copies `outside` and what the `store` remembers as signed."""
        copies = None
        if outside and self.copies_file.exists():
            copies = [head_lines.read(one) for one in self.copies_file.read_text().splitlines()]
        return Verification(
            self.keeper,
            trusted=self.head_keys.trusted(),
            ends=self.head_keys.ends(),
            remembered=remembered_by(self.head_keys) if store else None,
            copies=copies,
        ).run()

    def raw(self, *statements: str, **values: Any) -> list[Any]:
        """Run SQL as somebody would who has the owner's rights; return the last rows."""

        def work(connection: Any) -> list[Any]:
            rows: list[Any] = []
            for statement in statements:
                result = connection.execute(text(statement), values)
                rows = list(result.all()) if result.returns_rows else []
            return rows

        return self.records.write(work)

    def without_triggers(self) -> None:
        """Take away what refuses changes, as a thief would."""
        for table in ("audit_events", "audit_heads"):
            if self.records.embedded:
                names = ("no_update", "no_delete", "follows")
                self.raw(*(f"DROP TRIGGER {table}_{name}" for name in names))
            else:
                self.raw(f"ALTER TABLE {table} DISABLE TRIGGER ALL")

    def rehash(self, first: int) -> None:
        """Make the chain consistent again from an event on, as a careful thief would."""
        before = self.raw("SELECT hash FROM audit_events WHERE seq = :seq", seq=first - 1)
        previous = bytes(before[0].hash) if before else BEGINNING
        rows = self.raw("SELECT * FROM audit_events WHERE seq >= :seq ORDER BY seq", seq=first)
        for row in rows:
            previous = self.rehash_one(row.seq, previous=previous)

    def rehash_one(self, seq: int, *, previous: bytes) -> bytes:
        """Hang one event on a hash; return its own."""
        row = self.raw("SELECT * FROM audit_events WHERE seq = :seq", seq=seq)[0]
        own = link(tuple(getattr(row, name) for name in HASHED), previous)
        self.raw(
            "UPDATE audit_events SET previous = :previous, hash = :hash WHERE seq = :seq",
            previous=previous,
            hash=own,
            seq=seq,
        )
        return own


def trail_rig(url: str, folder: Path, *, every: int = 1000) -> TrailRig:
    clock, entropy = HandClock(), SystemEntropy()
    store = MemoryStore(clock)
    ring = KeyRing(
        store,
        "at-rest",
        master_keys=[MASTER],
        clock=clock,
        entropy=entropy,
        rotate_after=timedelta(days=30),
        keep_for=timedelta(days=8),
    )
    foundation = Foundation(store=store, sealer=ring, clock=clock, entropy=entropy)
    records = SqlRecords(RecordsPlace(url=url, patience=PATIENCE))
    keeper = SqlAudit(records, clock=clock, entropy=entropy)
    head_keys = HeadKeys(foundation)
    outbox = Outbox(foundation)
    trail = OutboxTrail(outbox, KEYS, clock=clock)
    signer = HeadSigner(
        keeper,
        head_keys,
        every=every,
        age=timedelta(minutes=15),
        copies=FileCopies(folder / "heads.jsonl"),
        store=store,
        note=AuditNotes(trail, clock=clock, entropy=entropy),
    )
    desk = TrailDesk(keeper, written=signer.written)
    return TrailRig(
        url=url,
        folder=folder,
        clock=clock,
        store=store,
        foundation=foundation,
        records=records,
        keeper=keeper,
        head_keys=head_keys,
        signer=signer,
        outbox=outbox,
        trail=trail,
        writer=OutboxWriter(outbox, foundation, desks={DESK: desk.deliver}),
    )


def append_together(url: str, name: str, count: int) -> int:
    """In a crowd: append events of one's own, and some that everybody has."""
    records = SqlRecords(RecordsPlace(url=url, patience=timedelta(seconds=60)))
    keeper = SqlAudit(records, clock=SystemClock(), entropy=SystemEntropy())
    make: Callable[[str], TrailEntry] = lambda event_id: TrailEntry(  # noqa: E731 - one of a kind
        event_id=event_id,
        at=1,
        action="guest_created",
        outcome="done",
        actor_kind="guest",
        actor="",
        guest=None,
        source="192.0.2.1",
        details="{}",
    )
    keeper.newest()
    assemble()
    for number in range(count):
        keeper.append([make(f"{name}-{number}"), make(f"shared-{number}")])
    records.close()
    return count
