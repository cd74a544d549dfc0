"""The outbox and its writer: what waits for the database of the records, so that no caller has to.

Written first, delivered in the background, at least once; delivering twice is the same as once.
Losing the database means a longer queue, and no lost chat. Nothing is deleted but what was
written: what cannot be delivered is set aside.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from bff.background.jobs import Job
from bff.background.runner import BackgroundRunner, RunningJob
from bff.errors import BffError
from bff.leases import kept
from bff.ports import Foundation
from bff.record_ports import OutboxMarks
from bff.records.lane_check import LaneCheck
from bff.records.outbox_delivery import Delivery, Desk
from bff.records.outbox_events import AUDIT, Letter
from bff.records.outbox_lane import OutboxFullError
from bff.records.outbox_queue import LIMIT, MEMBERS, Outbox

__all__ = [
    "KEEP",
    "LIMIT",
    "MEMBERS",
    "Letter",
    "Outbox",
    "OutboxFullError",
    "OutboxWriter",
]

log = logging.getLogger(__name__)

KEEP: Final = timedelta(days=365)
"""How long a key of the ring at rest must open after its rotation. Events do not run out, and are
encrypted anew within minutes of a rotation; a service that was off has this long."""

LEASE: Final = "outbox-writer"
LEASE_LIFE: Final = timedelta(seconds=10)
ROUND: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(seconds=20)
CHECK_EVERY: Final = timedelta(minutes=1)
ALARM_EVERY: Final = timedelta(minutes=10)
JOB: Final = "outbox"
PATIENCE: Final = timedelta(minutes=10)
"""A long queue, at a database that takes its time, is worked at and not stalled."""

SETTLE_TRIES: Final = 40
SETTLE_PAUSE: Final = timedelta(milliseconds=50)


class OutboxWriter:
    """Delivers what waits: one process at a time, as a job of this one.

    `marks` is where the database keeps how far each lane is delivered: with it, a store that came
    back empty or older is noticed by a process that has just started, too.
    """

    def __init__(
        self,
        outbox: Outbox,
        foundation: Foundation,
        *,
        desks: Mapping[str, Desk],
        afterwards: Callable[[], object] = lambda: None,
        marks: OutboxMarks | None = None,
        runner: BackgroundRunner | None = None,
    ) -> None:
        self._outbox = outbox
        self._store = foundation.store
        self._clock = foundation.clock
        self._afterwards = afterwards
        self._waits = False
        self._checked_at: datetime | None = None
        self._alarmed_at: datetime | None = None
        self._over = threading.Event()
        check = LaneCheck(outbox, clock=foundation.clock, marks=marks, has_audit=AUDIT in desks)
        self._delivery = Delivery(outbox, check, desks=desks, over=self._over)
        self._runner = runner or BackgroundRunner(clock=foundation.clock)
        self._pause = ROUND
        self._thread: RunningJob | None = None

    def start(self) -> None:
        """Begin, as a job of this process."""
        written = self._outbox.written
        self._thread = self._runner.start(
            Job(name=JOB, once=self._round, every=ROUND, wake=written, patience=PATIENCE)
        )

    def stop(self) -> None:
        """End after the event that is under way. What waits is delivered by others, or later.

        Returns when it has ended: store and database may be closed next.
        """
        self._over.set()
        self._runner.stop(JOB)

    def once(self) -> int:
        """Deliver what waits now, unless somebody else does; return how many events."""
        return self._once()[0]

    def settle(self) -> None:
        """Deliver what waits now; while another process does, wait for it, but not for long."""
        for _ in range(SETTLE_TRIES):
            if self._once()[1]:
                return
            self._clock.sleep(SETTLE_PAUSE)

    def _once(self) -> tuple[int, bool]:
        """Return how many events were delivered, and whether it was our turn, or nobody's."""
        self._waits = False
        if not self._outbox.look() and not self._outbox.is_suspicious and not self._is_due():
            return 0, True
        lease = self._store.acquire_lease(LEASE, ttl=LEASE_LIFE)
        if lease is None:
            return 0, False
        with kept(self._store, lease, ttl=LEASE_LIFE):
            if self._is_due():
                self._outbox.reseal()
                self._checked_at = self._clock.now()
            delivered = self._delivery.round()
            self._outbox.look()
        self._alarm()
        return delivered, True

    def _is_due(self) -> bool:
        """Say whether it is time to compare store and database, though nothing waits."""
        return self._checked_at is None or self._clock.now() - self._checked_at >= CHECK_EVERY

    def _alarm(self) -> None:
        """Tell that something waits, and a full lane: loudly, but not each time."""
        reasons = [f"{lane}: {why}" for lane, why in self._delivery.waits.items()]
        self._waits = bool(reasons)
        reasons += [f"{lane} is full" for lane in self._outbox.lanes if self._outbox.is_full(lane)]
        if not reasons:
            self._alarmed_at = None
            return
        now = self._clock.now()
        loud = self._alarmed_at is None or now - self._alarmed_at >= ALARM_EVERY
        if loud:
            self._alarmed_at = now
        log.log(
            logging.ERROR if loud else logging.INFO,
            *("records wait: %d events: %s", self._outbox.length, "; ".join(reasons)),
        )

    def _round(self) -> None:
        try:
            self.once()
            self._afterwards()
        except BffError as error:
            log.warning("records wait: %s: %s", error.code, error.detail)
            self._waits = True
        if self._waits:
            # While the database is away, each new event would ask for it again.
            self._over.wait(self._pause.total_seconds())
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        else:
            self._pause = ROUND
