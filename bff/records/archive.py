"""Remembers guests and writes the trail of it: what the guest sessions tell, in two places."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bff.errors import BffError
from bff.guests.frame_errors import GuestEnd
from bff.guests.guest_archive import Caller, ReturningGuest
from bff.ports import Clock, Entropy
from bff.record_ports import GuestRow
from bff.records.audit_events import (
    Action,
    Actor,
    ActorKind,
    AuditEvent,
    AuditTrail,
    Detail,
    Outcome,
)
from bff.records.guest_keys import GuestErasedError
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
                guest_id=guest.guest_id,
                genesys_token=guest.genesys_token,
                profile=guest.profile,
                person=caller.person if guest.owned else None,
            )
        if came is not Recall.UNKNOWN:
            self._note(Action.GUEST_REFUSED, caller=caller, outcome=Outcome.REFUSED, why=came.value)
        return None

    def confirms(self, guest_id: str, caller: Caller) -> bool:
        """Say whether a guest who was recalled still is the caller's."""
        try:
            return self.memory.confirms(
                guest_id, browser_secret=caller.browser_secret, person=caller.person
            )
        except BffError as error:
            log.warning("nobody is recalled: %s", error.detail)
            return False

    def allows(self, guest_id: str, person: str | None, *, opened_at: datetime) -> bool:
        """Say whether neither what is written of a guest nor what waits takes a session away.

        While the database is away, what waits decides: no chat is lost for it. StoreDownError.
        """
        # The marks first: what is settled in between stands in the row by then.
        pending = self.memory.pending(guest_id)
        try:
            row = self._recorded(guest_id)
        except GuestErasedError:
            return False
        if not self.memory.leaves(pending, row, person=person, opened_at=opened_at):
            return False
        if pending.owners and person is not None:
            # Could not be recorded when it was theirs first. The mark stays if it still cannot.
            self._record_owner(guest_id, person)
        return True

    def admit_newcomer(self, caller: Caller) -> None:
        """Raise OutboxFullError while so much waits that nothing new should be begun.

        A signed-in person is admitted as long as there is any room.
        """
        if caller.person is None and self.memory.is_crowded:
            raise OutboxFullError("the outbox is crowded: no new guests", retry_after=CROWDED)

    def opened(
        self,
        guest_id: str,
        caller: Caller,
        *,
        genesys_token: str,
        resumed: bool,
        owned: bool = True,
        at: datetime | None = None,
    ) -> None:
        """A session was opened."""
        profile = caller.profile if owned else {}
        news = self._news(guest_id, profile, is_new=not resumed)
        self._remember(
            GuestFacts(
                guest_id=guest_id,
                at=at or self.clock.now(),
                device_id=caller.device_id,
                person=caller.person if owned else None,
                browser_secret=caller.browser_secret,
                # Who came back goes on with the conversation that is recorded. Saying it again
                # would open it anew for others if it ends at this very moment.
                genesys_token=None if resumed else genesys_token,
                profile=profile,
                email_verified=owned and caller.email_verified,
            )
        )
        action = Action.GUEST_RESUMED if resumed else Action.GUEST_CREATED
        self._note(action, guest_id=guest_id, caller=caller)
        self._note_profile(guest_id, news, caller=caller)

    def used(self, guest_id: str) -> None:
        """A guest is here."""
        try:
            self.memory.touch(guest_id)
        except BffError as error:
            log.warning("a guest is not remembered: %s", error.detail or error.code)

    def claims(self, guest_id: str, person: str) -> None:
        """Somebody is about to become this person: nobody else comes back. StoreDownError."""
        self.memory.claim(guest_id, person)

    def stepped_up(
        self,
        guest_id: str,
        person: str,
        profile: Mapping[str, str],
        *,
        email_verified: bool = False,
    ) -> bool:
        """An anonymous guest has become this person. False if that is recorded nowhere yet."""
        facts = GuestFacts(
            guest_id=guest_id,
            at=self.clock.now(),
            person=person,
            profile=profile,
            email_verified=email_verified,
        )
        news = self._news(guest_id, profile)
        if not self._insist(facts, mark=lambda: self.memory.claim(guest_id, person)):
            return False
        actor = Actor(kind=ActorKind.PERSON, name=person)
        self._note(Action.GUEST_STEPPED_UP, guest_id=guest_id, actor=actor)
        self._note_profile(guest_id, news, actor=actor)
        return True

    def ends(self, guest_id: str, at: datetime) -> None:
        """A conversation is about to end: nobody comes back to it. StoreDownError."""
        self.memory.close(guest_id, at)

    def ended(
        self,
        guest_id: str,
        reason: GuestEnd,
        *,
        at: datetime | None = None,
        noted: bool = True,
    ) -> None:
        """A conversation is over: nobody comes back to it."""
        over = at or self.clock.now()
        facts = GuestFacts(guest_id=guest_id, at=over, ended=True)
        if not self._insist(facts, mark=lambda: self.memory.close(guest_id, over)):
            log.error("an end is recorded nowhere but in its mark, if there is one")
        if noted:
            self._note(Action.GUEST_ENDED, guest_id=guest_id, why=reason.value)

    def refused(self, caller: Caller) -> None:
        """Somebody asked for a session that is not theirs, or no more."""
        self._note(Action.GUEST_REFUSED, caller=caller, outcome=Outcome.REFUSED, why="session_id")

    def _recorded(self, guest_id: str) -> GuestRow | None:
        try:
            return self.memory.recorded(guest_id)
        except GuestErasedError:
            raise
        except BffError as error:
            log.warning("a session goes on by its mark alone: %s", error.detail or error.code)
        except Exception:
            log.exception("a session goes on by its mark alone")
        return None

    def _record_owner(self, guest_id: str, person: str) -> None:
        try:
            self.memory.write(GuestFacts(guest_id=guest_id, at=self.clock.now(), person=person))
        except BffError as error:
            log.warning("an owner is recorded later: %s", error.detail or error.code)

    def _insist(self, facts: GuestFacts, *, mark: Callable[[], None]) -> bool:
        """Write at once: who ends a chat or signs in may be followed by the next click.

        Else durably, and marked: what waits must not be missed by who looks meanwhile.
        """
        try:
            self.memory.write(facts)
        except BffError as error:
            log.warning("a fact about a guest is written later: %s", error.detail or error.code)
        except Exception:
            log.exception("a fact about a guest is written later")
        else:
            return True
        try:
            mark()
            self.memory.remember(facts)
        except BffError as error:
            log.warning("a fact about a guest is not written: %s", error.detail or error.code)
            return False
        return True

    def _news(
        self, guest_id: str, profile: Mapping[str, str], *, is_new: bool = False
    ) -> list[str]:
        """Return which fields of a profile are to be kept and are not known yet."""
        kept = self.memory.kept_of(profile)
        if not kept:
            return []
        try:
            known = None if is_new else self.memory.profile_of(guest_id)
        except BffError as error:
            log.warning("what is new of a guest is not known: %s", error.detail or error.code)
            known = None
        return sorted(name for name, value in kept.items() if (known or {}).get(name) != value)

    def _note_profile(
        self,
        guest_id: str,
        fields: Sequence[str],
        *,
        caller: Caller | None = None,
        actor: Actor | None = None,
    ) -> None:
        """Tell which fields of a profile were written, and nothing of what stands in them."""
        if fields:
            told: dict[str, Detail] = {"fields": ", ".join(fields)}
            self._note(
                Action.PROFILE_WRITTEN, guest_id=guest_id, caller=caller, actor=actor, details=told
            )

    def _remember(self, facts: GuestFacts) -> None:
        try:
            self.memory.remember(facts)
        except BffError as error:
            log.warning("a guest is not remembered: %s", error.detail or error.code)

    def _note(  # noqa: PLR0913 - by keyword, and each may be left out
        self,
        action: Action,
        *,
        guest_id: str | None = None,
        caller: Caller | None = None,
        actor: Actor | None = None,
        outcome: Outcome = Outcome.DONE,
        why: str | None = None,
        details: Mapping[str, Detail] | None = None,
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
                details=details or ({} if why is None else {"why": why}),
            )
        )
