"""Several processes at one outbox, a store that kills them, and a list in place of a database."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from hand_clock import HandClock
from memory_store import MemoryStore

from bff.adapters.system import SystemEntropy
from bff.crypto.keyring import KeyRing
from bff.errors import RecordsDownError, StoreDownError
from bff.ports import Foundation, Store
from bff.record_ports import OutboxMark
from bff.records.outbox import Letter, Outbox, OutboxWriter
from bff.records.outbox_events import AUDIT, GUEST

MASTER: Final = bytes(range(32))


class KilledError(Exception):
    """The process is dead: nothing after this call was done."""


class MortalStore:
    """Passes calls on to a store, and kills who calls at the one that is chosen.

    `after` says that the call has reached the store and its answer has not come back.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls = 0
        self.die_at: int | None = None
        self.after = False
        self.error: Callable[[], Exception] = KilledError

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._store, name)

        def counted(*arguments: Any, **more: Any) -> Any:
            self.calls += 1
            dies = self.calls == self.die_at
            if dies and not self.after:
                raise self.error()
            answer = call(*arguments, **more)
            if dies:
                raise self.error()
            return answer

        return counted


@dataclass
class ListedMarks:
    """Keeps `OutboxMarks` in memory: a database that remembers."""

    marks: dict[str, OutboxMark] = field(default_factory=dict)
    down: bool = False

    def find(self, lane: str) -> OutboxMark | None:
        if self.down:
            raise RecordsDownError("away")
        return self.marks.get(lane)

    def keep(self, lane: str, mark: OutboxMark) -> None:
        if self.down:
            raise RecordsDownError("away")
        self.marks[lane] = mark


@dataclass
class Database:
    """What was delivered, each once, in the order of its first arrival; told what to refuse."""

    written: dict[str, None] = field(default_factory=dict)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    refuses: Callable[[str], Exception | None] = lambda _: None

    def deliver(self, body: str) -> None:
        error = self.refuses(body)
        if error is not None:
            raise error
        values = json.loads(body) if body.startswith("{") else {}
        if values.get("action") == "outbox_gap":
            self.gaps.append(json.loads(values["details"]))
            return
        self.written.setdefault(body)

    @property
    def bodies(self) -> list[str]:
        return list(self.written)


@dataclass(kw_only=True)
class OutboxWorld:
    """One store, one database, and as many processes as are wanted."""

    store: Any
    clock: HandClock = field(default_factory=HandClock)
    database: Database = field(default_factory=Database)
    marks: ListedMarks = field(default_factory=ListedMarks)

    def foundation(self, store: Any = None) -> Foundation:
        """What a process stands on: a ring of its own over the shared store."""
        here = self.store if store is None else store
        ring = KeyRing(
            here,
            "at-rest",
            master_keys=[MASTER],
            clock=self.clock,
            entropy=SystemEntropy(),
            rotate_after=timedelta(days=30),
            keep_for=timedelta(days=365),
        )
        ring.seal(b"", context="made before anything dies")
        return Foundation(store=here, sealer=ring, clock=self.clock, entropy=SystemEntropy())

    def process(self, store: Any = None, *, limit: int = 10_000) -> "Process":
        foundation = self.foundation(store)
        outbox = Outbox(foundation, limit=limit)
        desks = {AUDIT: self.database.deliver, GUEST: self.database.deliver}
        writer = OutboxWriter(outbox, foundation, desks=desks, marks=self.marks)
        return Process(outbox=outbox, writer=writer)


@dataclass(frozen=True, kw_only=True)
class Process:
    """One process: it puts events, and delivers now and then."""

    outbox: Outbox
    writer: OutboxWriter

    def put(self, body: str, *, lane: str = GUEST) -> None:
        self.outbox.put(Letter(desk=lane, body=body))

    @property
    def missing(self) -> int:
        return sum(self.outbox.tally.missing.values())


def memory_world() -> OutboxWorld:
    clock = HandClock()
    return OutboxWorld(store=MemoryStore(clock), clock=clock)


def cut() -> Exception:
    """What a connection says that was cut in the middle of a call."""
    return StoreDownError("cut")
