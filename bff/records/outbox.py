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
LEAVE_LIMIT_S: Final = 6
SETTLE_TRIES: Final = 40
SETTLE_PAUSE: Final = timedelta(milliseconds=50)


class OutboxWriter:
    """Delivers what waits: one process at a time, in a thread of its own.

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
        self._thread = threading.Thread(target=self._go_on, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End after the event that is under way. What waits is delivered by others, or later.

        Returns when it has ended: store and database may be closed next.
        """
        self._over.set()
        self._outbox.written.set()
        if self._thread.is_alive():
            self._thread.join(LEAVE_LIMIT_S)

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
        if not reasons or not self._outbox.length:
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

    def _go_on(self) -> None:
        pause = ROUND
        while not self._over.is_set():
            self._outbox.written.wait(ROUND.total_seconds())
            self._outbox.written.clear()
            try:
                self.once()
                self._afterwards()
            except BffError as error:
                log.warning("records wait: %s: %s", error.code, error.detail)
                self._waits = True
            except Exception:
                # Whatever it was, what comes after it must not wait for a restart.
                log.exception("records: a round of the outbox failed")
                self._waits = True
            if self._waits:
                # While the database is away, each new event would ask for it again.
                self._over.wait(pause.total_seconds())
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                pause = ROUND
