"""Remembers guests and writes the trail of it: what the guest sessions tell, in two places."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bff.errors import BffError
from bff.guests.frame_errors import GuestEnd
from bff.guests.guest_archive import Caller, ReturningGuest
from bff.ports import Clock, Entropy
from bff.records.audit_events import Action, Actor, ActorKind, AuditEvent, AuditTrail, Outcome
from bff.records.guest_memory import GuestFacts, GuestMemory, Recall
from bff.records.outbox import OutboxFullError

log = logging.getLogger(__name__)

EVENT_ID_BYTES: Final = 16
CROWDED: Final = timedelta(seconds=30)
_GUEST: Final = Actor(kind=ActorKind.GUEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Keeps `guests.guest_archive.GuestArchive`. What fails is logged, and ends nobody's chat."""

    memory: GuestMemory
    trail: AuditTrail
    clock: Clock
    entropy: Entropy

    def recall(self, caller: Caller) -> ReturningGuest | None:
        """Return the guest that the caller has proved to be."""
        try:
            came, guest = self.memory.recall(
                device_id=caller.device_id,
                browser_secret=caller.browser_secret,
                person=caller.person,
            )
        except BffError as error:
            log.warning("nobody is recalled: %s", error.detail)
            return None
        if guest is not None:
            return ReturningGuest(
                guest_id=guest.guest_id, genesys_token=guest.genesys_token, profile=guest.profile
            )
        if came is not Recall.UNKNOWN:
            self._note(Action.GUEST_REFUSED, caller=caller, outcome=Outcome.REFUSED, why=came.value)
        return None

    def admit_newcomer(self, caller: Caller) -> None:
        """Raise OutboxFullError while so much waits that nothing new should be begun.

        A signed-in person is admitted as long as there is any room.
        """
        if caller.person is None and self.memory.is_crowded:
            raise OutboxFullError("the outbox is crowded: no new guests", retry_after=CROWDED)

    def opened(self, guest_id: str, caller: Caller, *, genesys_token: str, resumed: bool) -> None:
        """A session was opened."""
        self._remember(
            GuestFacts(
                guest_id=guest_id,
                at=self.clock.now(),
                device_id=caller.device_id,
                person=caller.person,
                browser_secret=caller.browser_secret,
                genesys_token=genesys_token,
                profile=caller.profile,
            )
        )
        action = Action.GUEST_RESUMED if resumed else Action.GUEST_CREATED
        self._note(action, guest_id=guest_id, caller=caller)

    def stepped_up(self, guest_id: str, person: str, profile: Mapping[str, str]) -> None:
        """An anonymous guest has become this person."""
        self._remember(
            GuestFacts(guest_id=guest_id, at=self.clock.now(), person=person, profile=profile)
        )
        actor = Actor(kind=ActorKind.PERSON, name=person)
        self._note(Action.GUEST_STEPPED_UP, guest_id=guest_id, actor=actor)

    def ended(self, guest_id: str, reason: GuestEnd) -> None:
        """A session is over: nobody comes back to its conversation."""
        facts = GuestFacts(guest_id=guest_id, at=self.clock.now(), ended=True)
        try:
            # At once: who ends a chat may begin another one with the next click.
            self.memory.write(facts)
        except BffError as error:
            log.warning("an end is written later: %s", error.detail)
            self._remember(facts)
        self._note(Action.GUEST_ENDED, guest_id=guest_id, why=reason.value)

    def refused(self, caller: Caller) -> None:
        """Somebody asked for a session that is not theirs, or no more."""
        self._note(Action.GUEST_REFUSED, caller=caller, outcome=Outcome.REFUSED, why="session_id")

    def _remember(self, facts: GuestFacts) -> None:
        try:
            self.memory.remember(facts)
        except BffError as error:
            log.warning("a guest is not remembered: %s", error.detail or error.code)

    def _note(
        self,
        action: Action,
        *,
        guest_id: str | None = None,
        caller: Caller | None = None,
        actor: Actor | None = None,
        outcome: Outcome = Outcome.DONE,
        why: str | None = None,
    ) -> None:
        who = actor or _GUEST
        if actor is None and caller is not None and caller.person is not None:
            who = Actor(kind=ActorKind.PERSON, name=caller.person)
        self.trail.note(
            AuditEvent(
                event_id=self.entropy.token(EVENT_ID_BYTES),
                at=self.clock.now(),
                action=action,
                outcome=outcome,
                actor=who,
                guest_id=guest_id,
                source=caller.source if caller else None,
                details={} if why is None else {"why": why},
            )
        )
