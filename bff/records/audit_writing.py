"""Writes events behind everybody's back: into the outbox at once, into the trail when it is there.

While even the store is away, events wait in this process' memory, so many and no more.
"""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Final

from bff.errors import BffError
from bff.ports import Clock
from bff.records.audit_details import canonical, escaped
from bff.records.audit_events import AuditEvent
from bff.records.outbox import Letter, Outbox
from bff.records.purpose_keys import PurposeKeys
from bff.trail_ports import TrailEntry, TrailKeeper, micros

log = logging.getLogger(__name__)

DESK: Final = "audit"
HELD_LIMIT: Final = 1000
PAUSE: Final = timedelta(seconds=2)
"""After the store did not answer, nobody else waits for it for so long."""

ID_CHARS: Final = 64


class OutboxTrail:
    """Keeps `audit_events.AuditTrail`. Safe for threads."""

    def __init__(
        self, outbox: Outbox, keys: PurposeKeys, *, clock: Clock, limit: int = HELD_LIMIT
    ) -> None:
        self._outbox = outbox
        self._keys = keys
        self._clock = clock
        self._limit = limit
        self._held: deque[Letter] = deque()
        self._lock = threading.Lock()
        self._not_before = clock.now()

    @property
    def held(self) -> int:
        """Return how many events wait in memory."""
        return len(self._held)

    def note(self, event: AuditEvent) -> None:
        """Keep the event. Returns soon and raises nothing."""
        try:
            letter = Letter(desk=DESK, body=json.dumps(asdict(entry(event, self._keys))))
        except Exception:
            # A mistake of the caller must not stop what the event tells of.
            log.exception("audit: an event of %r cannot be written", event.action)
            return
        waits = self._held and self._clock.now() < self._not_before
        if waits or not (self.flush() and self._sent(letter)):
            self._hold(letter)

    def flush(self) -> bool:
        """Put what waits in memory into the outbox; say whether all of it is there now."""
        while self._held:
            with self._lock:
                if not self._held:
                    break
                letter = self._held.popleft()
            if not self._sent(letter):
                with self._lock:
                    self._held.appendleft(letter)
                return False
        return True

    def _sent(self, letter: Letter) -> bool:
        try:
            self._outbox.put(letter)
        except BffError as error:
            if not self._held:
                log.warning("audit: events wait in memory: %s: %s", error.code, error.detail)
            self._not_before = self._clock.now() + PAUSE
            return False
        return True

    def _hold(self, letter: Letter) -> None:
        with self._lock:
            if len(self._held) < self._limit:
                self._held.append(letter)
                return
        # The last resort: whoever keeps the logs has at least this.
        told = json.loads(letter.body)
        log.error("audit: no room for %s %s %s", told["event_id"], told["at"], told["action"])


class TrailDesk:
    """Where the outbox delivers: each letter becomes an event of the chain, once."""

    def __init__(self, keeper: TrailKeeper, *, written: Callable[[int], None]) -> None:
        self._keeper = keeper
        self._written = written

    def deliver(self, body: str) -> None:
        """Write one. Raises RecordsDownError."""
        self._written(self._keeper.append([TrailEntry(**json.loads(body))]))


def entry(event: AuditEvent, keys: PurposeKeys) -> TrailEntry:
    """Return an event as the trail keeps it: the guest as a pseudonym, and nothing unprintable."""
    return TrailEntry(
        event_id=escaped(event.event_id, ID_CHARS),
        at=micros(event.at),
        action=event.action.value,
        outcome=event.outcome.value,
        actor_kind=event.actor.kind.value,
        actor=escaped(event.actor.name),
        guest=None if event.guest_id is None else keys.pseudonym(event.guest_id),
        source=None if event.source is None else escaped(event.source),
        details=canonical(event.details),
    )
