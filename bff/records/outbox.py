"""What waits for the database of the records, so that nobody else has to: sealed, in the store.

Written first, delivered behind everybody's back, at least once; whoever takes a letter twice must
be none the worse. Loss of the database is so a longer queue, and no lost chat.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from bff.background.jobs import Job
from bff.background.runner import BackgroundRunner, RunningJob
from bff.crypto.sealed_drawer import Drawer
from bff.errors import BffError, RecordsDownError, UnreadableRecordError
from bff.leases import kept
from bff.ports import Foundation

log = logging.getLogger(__name__)

LIMIT: Final = 10_000
KEEP: Final = timedelta(days=30)
LEASE: Final = "outbox-writer"
LEASE_LIFE: Final = timedelta(seconds=10)
ROUND: Final = timedelta(seconds=5)
MEMBERS: Final = "outbox"
TELL_FROM: Final = 100
JOB: Final = "outbox"
PATIENCE: Final = timedelta(minutes=10)
"""A long queue, at a database that takes its time, is worked at and not stalled."""


class OutboxFullError(BffError):
    """More waits than is borne; the database has been away for very long."""

    code = "records_unavailable"
    message = "We cannot reach our records. Nothing was lost; please try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One piece of work: which desk it is for, and what it says (JSON)."""

    desk: str
    body: str = field(repr=False)


class Outbox:
    """Letters in the order in which they were written. Safe for threads and processes."""

    def __init__(self, foundation: Foundation, *, limit: int = LIMIT) -> None:
        self._store = foundation.store
        self._drawer = Drawer("outbox", Letter, foundation)
        self._clock = foundation.clock
        self._entropy = foundation.entropy
        self._limit = limit
        self._length = 0
        self.written: Final = threading.Event()

    @property
    def length(self) -> int:
        """Return how many letters waited when this process last looked."""
        return self._length

    def put(self, letter: Letter) -> None:
        """Keep a letter. Raises StoreDownError, or OutboxFullError."""
        if self._length >= self._limit:
            raise OutboxFullError(f"{self._length} letters wait")
        moment = int(self._clock.now().timestamp() * 1_000_000)
        # Sorted by name they are sorted by time.
        name = f"{moment:016x}.{self._entropy.token(9)}"
        self._drawer.put(name, letter, ttl=KEEP)
        self._store.join(MEMBERS, name, ttl=KEEP)
        self.written.set()

    def waiting(self) -> list[str]:
        """Return the names of the letters, oldest first."""
        names = sorted(self._store.members(MEMBERS))
        self._length = len(names)
        return names

    def read(self, name: str) -> Letter | None:
        """Return a letter; None if somebody else has delivered it."""
        held = self._drawer.get(name)
        return None if held is None else held.record

    def delivered(self, name: str) -> None:
        """Throw a letter away."""
        self._drawer.delete(name)
        self._store.leave(MEMBERS, name)


class OutboxWriter:
    """Delivers what waits: one process at a time, as a job of this one."""

    def __init__(
        self,
        outbox: Outbox,
        foundation: Foundation,
        *,
        desks: Mapping[str, Callable[[str], None]],
        afterwards: Callable[[], object] = lambda: None,
        runner: BackgroundRunner | None = None,
    ) -> None:
        self._outbox = outbox
        self._store = foundation.store
        self._desks = desks
        self._afterwards = afterwards
        self._waits = False
        self._over = threading.Event()
        self._runner = runner or BackgroundRunner(clock=foundation.clock)
        self._thread: RunningJob | None = None

    def start(self) -> None:
        """Begin, as a job of this process."""
        written = self._outbox.written
        self._thread = self._runner.start(
            Job(name=JOB, once=self._round, every=ROUND, wake=written, patience=PATIENCE)
        )

    def stop(self) -> None:
        """End after the letter that is under way. What waits is delivered by others, or later.

        Returns when it has ended: store and database may be closed next.
        """
        self._over.set()
        self._runner.stop(JOB)

    def once(self) -> int:
        """Deliver what waits now, unless somebody else does; return how many letters."""
        self._waits = False
        if not self._outbox.waiting():
            return 0
        lease = self._store.acquire_lease(LEASE, ttl=LEASE_LIFE)
        if lease is None:
            return 0
        with kept(self._store, lease, ttl=LEASE_LIFE):
            return self._deliver(self._outbox.waiting())

    def _deliver(self, names: list[str]) -> int:
        if len(names) >= TELL_FROM:
            log.warning("records: %d letters wait for the database", len(names))
        delivered = 0
        for name in names:
            if self._over.is_set():
                break
            try:
                letter = self._outbox.read(name)
            except UnreadableRecordError:
                # It stays: a newer version can read it, or its key comes back.
                continue
            if letter is not None:
                try:
                    self._desks[letter.desk](letter.body)
                except RecordsDownError as error:
                    log.warning("records wait: %s", error.detail)
                    self._waits = True
                    break
                except Exception:
                    # One that cannot be delivered must not hold up all that come after it.
                    log.exception("records: a letter for %s could not be delivered", letter.desk)
                delivered += 1
            self._outbox.delivered(name)
        return delivered

    def _round(self) -> None:
        try:
            self.once()
            self._afterwards()
        except BffError as error:
            log.warning("records wait: %s: %s", error.code, error.detail)
            self._waits = True
        if self._waits:
            # While the database is away, each new letter would ask for it again.
            self._over.wait(ROUND.total_seconds())
