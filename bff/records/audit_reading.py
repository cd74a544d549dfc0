"""The event that somebody has read in the trail."""

from typing import Final

from bff.ports import Clock, Entropy
from bff.records.audit_events import Action, Actor, AuditEvent, Detail, Outcome
from bff.records.audit_report import Wanted

EVENT_ID_BYTES: Final = 16


def reading(  # noqa: PLR0913 - who, what, how, when and from where
    wanted: Wanted,
    reader: Actor,
    *,
    how: str,
    clock: Clock,
    entropy: Entropy,
    source: str | None,
    outcome: Outcome = Outcome.DONE,
) -> AuditEvent:
    """Return the event of a report, of a page, or of a try that was refused."""
    bounds: dict[str, Detail] = {
        "from": wanted.since,
        "to": wanted.until,
        "action": wanted.action,
    }
    return AuditEvent(
        event_id=entropy.token(EVENT_ID_BYTES),
        at=clock.now(),
        action=Action.REPORT_READ,
        outcome=outcome,
        actor=reader,
        guest_id=wanted.guest,
        source=source,
        details={"how": how, **{name: value for name, value in bounds.items() if value}},
    )
