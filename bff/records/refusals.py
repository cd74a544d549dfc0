"""Refusals of strangers, sampled: a log that only grows must not grow at a stranger's will.

So many of one kind are written for one household in a minute, and so many for all. The others are
counted in the store, and the count is told: in the next one that is written, or by an event of its
own if none comes.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from bff.errors import StoreDownError
from bff.ports import Clock, Entropy, Store
from bff.records.audit_events import Action, AuditEvent, AuditTrail, Outcome
from bff.signin.households import household

log = logging.getLogger(__name__)

MINUTE: Final = timedelta(minutes=1)
COUNTED_FOR: Final = timedelta(days=30)
EVENT_ID_BYTES: Final = 16
SUPPRESSED: Final = "suppressed"
LEASE: Final = "refusals-told"

OF_STRANGERS: Final[Mapping[Action, Outcome]] = MappingProxyType(
    {
        Action.GUEST_REFUSED: Outcome.REFUSED,
        Action.ERASURE_REFUSED: Outcome.REFUSED,
        Action.REPORT_READ: Outcome.REFUSED,
        Action.SIGN_IN_FAILED: Outcome.FAILED,
    }
)
"""What can be caused without being anybody; a report that was read is none of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalLimits:
    """How many events of one kind are written in a minute."""

    of_household: int = 10
    of_all: int = 50
    for_action: Mapping[Action, int] = field(default_factory=lambda: {Action.ERASURE_REFUSED: 5})

    def of(self, action: Action) -> int:
        """Return how many of this kind are written for one household."""
        return self.for_action.get(action, self.of_household)


class RefusalSampler:
    """Keeps `AuditTrail` before another one. What is no refusal goes through as it is."""

    def __init__(
        self,
        trail: AuditTrail,
        *,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        limits: RefusalLimits | None = None,
    ) -> None:
        self._trail = trail
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._limits = limits or RefusalLimits()

    def note(self, event: AuditEvent) -> bool:
        """Write it, or count it. What a stranger may cause is never to be noted again."""
        if OF_STRANGERS.get(event.action) is not event.outcome:
            return self._trail.note(event)
        try:
            if not self._has_room(event):
                self._store.count(_left_out(event.action), window=COUNTED_FOR)
                return True
            event = _with(event, self._claimed(event.action))
        except StoreDownError as error:
            # Nothing can be counted: what a stranger may cause is not kept in memory for that.
            log.warning("a refusal is in this log only: %s: %s", event.action, error.detail)
            return True
        return self._trail.note(event)

    def once(self) -> None:
        """Tell what was left out and is not told yet, in one process of all. StoreDownError."""
        # Never given back: that it runs out is what keeps the rounds apart.
        if self._store.acquire_lease(LEASE, ttl=MINUTE) is None:
            return
        for action, outcome in OF_STRANGERS.items():
            if count := self._claimed(action):
                self._trail.note(_with(self._summary(action, outcome), count))

    def _summary(self, action: Action, outcome: Outcome) -> AuditEvent:
        return AuditEvent(
            event_id=self._entropy.token(EVENT_ID_BYTES),
            at=self._clock.now(),
            action=action,
            outcome=outcome,
        )

    def _has_room(self, event: AuditEvent) -> bool:
        whose = hashlib.sha256(household(event.source or "").encode()).hexdigest()[:32]
        place = f"refusals:{event.action.value}"
        own = self._store.count(f"{place}:{whose}", window=MINUTE)
        if own.value > self._limits.of(event.action):
            # One household uses up its own share, and not everybody's.
            return False
        return self._store.count(place, window=MINUTE).value <= self._limits.of_all

    def _claimed(self, action: Action) -> int:
        """Return how many were left out and are not told yet, to one caller of all.

        A counter of the store can only be read by counting: this reading is not one of them.
        """
        read = self._store.count(_left_out(action), window=COUNTED_FOR).value
        place = f"refusals-told:{action.value}"
        entry = self._store.get(place)
        now = str(read).encode()
        if entry is None:
            told, won = 0, self._store.add(place, now, ttl=COUNTED_FOR)
        else:
            told = _number(entry.value)
            version = self._store.replace(place, now, version=entry.version, ttl=COUNTED_FOR)
            won = version is not None
        # Less than was told: the counter has begun anew.
        told = told if told < read else 0
        return read - told - 1 if won else 0


def _left_out(action: Action) -> str:
    return f"refusals-left-out:{action.value}"


def _number(value: bytes) -> int:
    return int(value) if value.isdigit() else 0


def _with(event: AuditEvent, suppressed: int) -> AuditEvent:
    if not suppressed:
        return event
    return replace(event, details={**event.details, SUPPRESSED: suppressed})
