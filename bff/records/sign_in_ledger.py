"""What sign-in tells, as events of the trail."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
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
ID_CHARS: Final = 32

# By whom, or by the reason alone where an older caller says no more.
_BY_THEMSELVES: Final = frozenset({"user", "client", "same_user", "signed_out", "replaced"})
_BY_OPERATOR: Final = frozenset({"operator", "revoked"})
_ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        "user": Action.SIGNED_OUT,
        "client": Action.SIGNED_OUT,
        "signed_out": Action.SIGNED_OUT,
        "expiry": Action.SESSION_EXPIRED,
        "expired": Action.SESSION_EXPIRED,
    }
)


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

    def ended(
        self, *, person: str | None, provider: str, session_key: str, reason: str, by: str = ""
    ) -> bool:
        """A session is over, for this reason. Told twice it is one event: a session ends once.

        False if the event would not survive this process: tell it again.
        """
        details: dict[str, Detail] = {"reason": reason, "session": session_key[:SHOWN_KEY_CHARS]}
        if provider:
            details["provider"] = provider
        if by:
            details["by"] = by
        action = _ACTIONS.get(by or reason, Action.SESSION_REVOKED)
        actor = self._who(person, by or reason)
        if actor.kind is not ActorKind.PERSON:
            # Whose session it was: the actor does not say it here.
            details["person"] = person
        return self._note(action, actor, details, event_id=_end_of(session_key))

    def _who(self, person: str | None, by: str) -> Actor:
        if by in _BY_THEMSELVES:
            return _person(person or "")
        if by in _BY_OPERATOR:
            return Actor(kind=ActorKind.OPERATOR, name=self.operator)
        return SYSTEM

    def _note(
        self,
        action: Action,
        actor: Actor,
        details: "dict[str, Detail] | dict[str, str]",
        outcome: Outcome = Outcome.DONE,
        *,
        event_id: str | None = None,
    ) -> bool:
        return self.trail.note(
            AuditEvent(
                event_id=event_id or self.entropy.token(EVENT_ID_BYTES),
                at=self.clock.now(),
                action=action,
                outcome=outcome,
                actor=actor,
                source=self.source(),
                details=details,
            )
        )


def _end_of(session_key: str) -> str:
    """Return the id of the event that this session has ended: the same, whoever tells of it."""
    return hashlib.sha256(f"session-end:{session_key}".encode()).hexdigest()[:ID_CHARS]


def _person(pairwise: str) -> Actor:
    return Actor(kind=ActorKind.PERSON, name=pairwise)
