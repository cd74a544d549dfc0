"""What the audit trail tells: who did what, to which guest, from where, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

Detail: TypeAlias = str | int | bool | None


class Action(StrEnum):
    """Every change of state that has an event. Public and stable."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    SESSION_REVOKED = "session_revoked"
    SESSION_EXPIRED = "session_expired"
    GUEST_CREATED = "guest_created"
    GUEST_RESUMED = "guest_resumed"
    GUEST_REFUSED = "guest_refused"
    GUEST_STEPPED_UP = "guest_stepped_up"
    GUEST_ENDED = "guest_ended"
    PROFILE_WRITTEN = "profile_written"
    PROFILE_EXPORTED = "profile_exported"
    IMPORT_RUN = "import_run"
    ERASURE_ASKED = "erasure_asked"
    GUEST_ERASED = "guest_erased"
    ERASURE_REFUSED = "erasure_refused"
    GDPR_REQUESTED = "gdpr_requested"
    KEYS_ROTATED = "keys_rotated"
    CHECKPOINT_BREAK = "checkpoint_break"
    RECORDS_PRUNED = "records_pruned"
    REPORT_READ = "report_read"
    OUTBOX_GAP = "outbox_gap"
    OUTBOX_RETRIED = "outbox_retried"
    OUTBOX_DISCARDED = "outbox_discarded"


class Outcome(StrEnum):
    """What came of it."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class ActorKind(StrEnum):
    """Who can act."""

    PERSON = "person"
    GUEST = "guest"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    GENESYS = "genesys"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acted. `name` is opaque for people (their pairwise subject), plain for operators."""

    kind: ActorKind
    name: str = ""


SYSTEM: Final = Actor(kind=ActorKind.SYSTEM)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One event. `guest_id` is turned into a pseudonym before it is written anywhere.

    `source` is the address that it came from; `details` are few, short and never personal.
    `event_id` makes writing it twice the same as once.
    """

    event_id: str
    at: datetime
    action: Action
    outcome: Outcome = Outcome.DONE
    actor: Actor = SYSTEM
    guest_id: str | None = field(default=None, repr=False)
    source: str | None = field(default=None, repr=False)
    details: Mapping[str, Detail] = field(default_factory=dict)


class AuditTrail(Protocol):
    """Where events go. Writing one must not stop what it tells of."""

    def note(self, event: AuditEvent) -> bool:
        """Keep the event. Returns soon and raises nothing, even if the database is away.

        False if it would not survive this process: whoever can note it again later should. An
        event of the same id is written once.
        """
