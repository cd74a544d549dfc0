"""Writes down what the audit log itself has to tell: its keys, and where it was broken."""

from collections.abc import Mapping

from bff.ports import Clock, Entropy
from bff.records.audit_events import SYSTEM, Action, Actor, AuditEvent, AuditTrail, Detail, Outcome
from bff.records.audit_reading import EVENT_ID_BYTES


class AuditNotes:
    """Makes events of short notes, and has the log keep them."""

    def __init__(self, trail: AuditTrail, *, clock: Clock, entropy: Entropy) -> None:
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def __call__(
        self,
        action: Action,
        outcome: Outcome,
        details: Mapping[str, Detail],
        *,
        actor: Actor = SYSTEM,
    ) -> None:
        """Write an event. Raises nothing."""
        event = AuditEvent(
            event_id=self._entropy.token(EVENT_ID_BYTES),
            at=self._clock.now(),
            action=action,
            outcome=outcome,
            actor=actor,
            details=details,
        )
        self._trail.note(event)
