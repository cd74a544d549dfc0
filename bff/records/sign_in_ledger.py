"""What sign-in tells, as events of the trail."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bff.ports import Clock, Entropy
from bff.records.audit_events import (
    SYSTEM,
    Action,
    Actor,
    ActorKind,
    AuditEvent,
    AuditTrail,
    Detail,
    Outcome,
)

EVENT_ID_BYTES: Final = 16
SHOWN_KEY_CHARS: Final = 16
_BY_THEMSELVES: Final = frozenset({"signed_out", "replaced"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailLedger:
    """Keeps `ports.SignInLedger`. `source` says from where the request at hand comes, if any.

    `operator` is who ends sessions that nobody else ended: whoever runs this process.
    """

    trail: AuditTrail
    clock: Clock
    entropy: Entropy
    source: Callable[[], str | None]
    operator: str

    def began(self, *, person: str, provider: str, session_key: str) -> None:
        """Somebody has signed in."""
        details = {"provider": provider, "session": session_key[:SHOWN_KEY_CHARS]}
        self._note(Action.SIGNED_IN, _person(person), details)

    def failed(self, *, provider: str, code: str) -> None:
        """A sign-in came back without a session."""
        details = {"provider": provider, "code": code}
        self._note(Action.SIGN_IN_FAILED, _person(""), details, Outcome.FAILED)

    def ended(self, *, person: str | None, provider: str, session_key: str, reason: str) -> None:
        """A session is over, for this reason."""
        details: dict[str, Detail] = {"reason": reason, "session": session_key[:SHOWN_KEY_CHARS]}
        if provider:
            details["provider"] = provider
        if reason in _BY_THEMSELVES:
            action = Action.SIGNED_OUT if reason == "signed_out" else Action.SESSION_REVOKED
            self._note(action, _person(person or ""), details)
            return
        revoked = reason == "revoked"
        actor = Actor(kind=ActorKind.OPERATOR, name=self.operator) if revoked else SYSTEM
        # Whose session it was: the actor does not say it here.
        self._note(Action.SESSION_REVOKED, actor, details | {"person": person})

    def _note(
        self,
        action: Action,
        actor: Actor,
        details: "dict[str, Detail] | dict[str, str]",
        outcome: Outcome = Outcome.DONE,
    ) -> None:
        self.trail.note(
            AuditEvent(
                event_id=self.entropy.token(EVENT_ID_BYTES),
                at=self.clock.now(),
                action=action,
                outcome=outcome,
                actor=actor,
                source=self.source(),
                details=details,
            )
        )


def _person(pairwise: str) -> Actor:
    return Actor(kind=ActorKind.PERSON, name=pairwise)
