"""Does for a relay what may block: the binding, the guest, the sign-in, the tokens, the history."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Final, Protocol

from bff.errors import BffError, RateLimitedError, SignInRequiredError, StoreDownError
from bff.guests.frame_errors import FrameCode, GuestEnd
from bff.guests.guest_archive import Caller, GuestArchive, NoArchive, ReturningGuest
from bff.guests.guest_binding import BoundSession, GuestBindings, SessionUnknownError
from bff.guests.guest_history import GuestHistory
from bff.guests.guest_limits import GuestLimits
from bff.guests.guest_tasks import (
    Answer,
    EndGuest,
    ExtendGuest,
    FetchHistory,
    FetchJwt,
    GuestExtended,
    GuestForgotten,
    GuestGone,
    GuestNotOpened,
    GuestNotOwned,
    GuestOpened,
    GuestOwned,
    GuestStillThere,
    HistoryHere,
    JwtHere,
    LookAgain,
    NobodyKnows,
    NoHistory,
    NoJwt,
    OpenGuest,
    OwnGuest,
    Task,
)
from bff.guests.held_tokens import HeldTokens
from bff.guests.live_guests import LiveGuests
from bff.guests.provisioning import GuestProvisioning
from bff.ports import Clock
from bff.signin.records import EndReason as SessionEnd

log = logging.getLogger(__name__)

SOON: Final = timedelta(seconds=2)
_TOKENS_DIE_TOO: Final = frozenset({GuestEnd.SIGNED_OUT, GuestEnd.REVOKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedInGuest:
    """A browser's sign-in: its session, whose it is (as Genesys will know them), until when.

    An e-mail in the profile is one that the provider vouches for: what it calls unverified was
    left out when the person signed in.
    """

    session_key: str
    person: str
    until: datetime
    profile: Mapping[str, str] = field(default_factory=dict, repr=False)


class SignIns(Protocol):
    """Knows who is signed in. StoreDownError if the store is away."""

    def behind(self, session_token: str | None) -> SignedInGuest | None:
        """Return the sign-in behind a cookie, or None. Does not extend it."""

    def of(self, session_key: str) -> SignedInGuest | None:
        """Return the sign-in of that session, or None if it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestDesk:
    """Performs tasks, each in whatever thread it is called. Keeps nothing itself."""

    bindings: GuestBindings
    provisioning: GuestProvisioning
    limits: GuestLimits
    sign_ins: SignIns
    tokens: HeldTokens
    history: GuestHistory
    live: LiveGuests
    clock: Clock
    archive: GuestArchive = field(default_factory=NoArchive)

    def perform(self, task: Task) -> Answer:
        """Do it, and say what came of it. Whatever fails is an answer, and never raised."""
        try:
            return self._WORK[type(task)](self, task)
        except BffError as error:
            log.warning("%s: %s", type(task).__name__, error.detail or error.code)
            return _failed(task, error)
        except Exception:
            # A fault of ours must not leave a page waiting for ever.
            log.exception("%s", type(task).__name__)
            return _failed(task, BffError())

    def _open(self, task: OpenGuest) -> Answer:
        signed_in = self.sign_ins.behind(task.session_token)
        caller = _caller(task, signed_in)
        profile: Mapping[str, str] = {}
        if task.encrypted_session_id is not None:
            found = self._continued(task.encrypted_session_id, caller)
            if found is None:
                # Counted before it is told anywhere: the log that only grows is not a stranger's.
                self.limits.refuse_session(address=task.address, device=task.browser_secret)
                self.archive.refused(caller)
                return GuestNotOpened(code=FrameCode.SESSION_UNKNOWN)
            bound, resumed = found, True
        else:
            # Counted whoever it is: looking for a guest costs a database, and can be tried often.
            self.limits.admit_session(address=task.address, device=task.browser_secret)
            guest, bound = self._recalled(task, caller) or self._begun(task, caller)
            resumed = guest is not None
            profile = {} if guest is None else guest.profile
            self.archive.opened(
                bound.binding.guest_id,
                caller,
                genesys_token=bound.binding.genesys_token,
                resumed=resumed,
                owned=bound.binding.person == caller.person,
                # An end of this session, seen by whatever clock, is not before it.
                at=bound.binding.created_at,
            )
        return GuestOpened(
            session_id=bound.session_id,
            encrypted_session_id=bound.encrypted_session_id,
            guest_id=bound.binding.guest_id,
            genesys_token=bound.binding.genesys_token,
            expires_at=bound.binding.expires_at,
            resumed=resumed,
            profile=profile,
            owner=bound.binding.person,
            person=caller.person,
            session_key=signed_in.session_key if signed_in else None,
            signed_in_until=signed_in.until if signed_in else None,
        )

    def _continued(self, unverified_id: str, caller: Caller) -> BoundSession | None:
        """Return the session of an id, if it is the caller's and goes on."""
        try:
            bound = self.bindings.resume(
                unverified_id, browser_secret=caller.browser_secret, person=caller.person
            )
        except SessionUnknownError:
            return None
        made = bound.binding
        allowed = self.archive.allows(made.guest_id, caller.person, opened_at=made.created_at)
        return bound if allowed else None

    def _recalled(
        self, task: OpenGuest, caller: Caller
    ) -> tuple[ReturningGuest | None, BoundSession] | None:
        """Return a guest who came back, with a session that an end or a sign-in has not missed."""
        guest = self.archive.recall(caller)
        if guest is None:
            return None
        # What is nobody's stays so until the person owns it, as with every other step-up.
        bound = self._bound(guest, task, guest.person)
        if self.archive.confirms(guest.guest_id, caller):
            return guest, bound
        self.bindings.end(bound.session_id)
        return None

    def _begun(self, task: OpenGuest, caller: Caller) -> tuple[ReturningGuest | None, BoundSession]:
        self.archive.admit_newcomer(caller)
        return None, self._bound(self._new(), task, caller.person)

    def _new(self) -> ReturningGuest:
        guest = self.provisioning.provide()
        return ReturningGuest(guest_id=guest.guest_id, genesys_token=guest.token)

    def _bound(self, guest: ReturningGuest, task: OpenGuest, owner: str | None) -> BoundSession:
        # No profile: the archive keeps it, under a key that goes when the guest is erased.
        metadata = {} if task.device_id is None else {"device": task.device_id}
        return self.bindings.bind(
            guest_id=guest.guest_id,
            genesys_token=guest.genesys_token,
            browser_secret=task.browser_secret,
            person=owner,
            metadata=metadata,
        )

    def _extend(self, task: ExtendGuest) -> Answer:
        try:
            bound = self.bindings.extend(task.session_id)
        except SessionUnknownError:
            return GuestGone(reason=self.bindings.why_gone(task.session_id))
        self.archive.used(bound.binding.guest_id)
        return GuestExtended(
            encrypted_session_id=bound.encrypted_session_id, expires_at=bound.binding.expires_at
        )

    def _own(self, task: OwnGuest) -> Answer:
        """Give the session to the person, so that nobody else gets it whatever fails on the way.

        First a mark that keeps everybody else out, then the sessions, then the record. Who is
        told that it is theirs can rely on it.
        """
        try:
            known = self.bindings.find(task.session_id)
            self.archive.claims(known.guest_id, task.person)
            bound = self.bindings.step_up(task.session_id, task.person)
        except SessionUnknownError:
            return GuestNotOwned()
        signed_in = self.sign_ins.of(task.session_key) if task.session_key else None
        profile = signed_in.profile if signed_in else {}
        recorded = self.archive.stepped_up(
            bound.binding.guest_id, task.person, profile, email_verified="email" in profile
        )
        return GuestOwned(person=task.person) if recorded else GuestNotOwned(retry_after=SOON)

    def _end(self, task: EndGuest) -> Answer:
        """End the conversation, under whatever ids it is known, and in every tab."""
        try:
            guest_id = self._guest_of(task)
            if guest_id is not None:
                self._end_conversation(guest_id, task.reason)
        except StoreDownError:
            if task.guest_id is not None and task.reason is not GuestEnd.EXPIRED:
                # The sessions end when this is tried again; until then nobody is recalled to it.
                self.archive.ended(task.guest_id, task.reason, noted=False)
            raise
        if task.session_key is not None and task.reason in _TOKENS_DIE_TOO:
            self.tokens.forget(task.session_key)
        return GuestForgotten()

    def _guest_of(self, task: EndGuest) -> str | None:
        try:
            return self.bindings.find(task.session_id).guest_id
        except SessionUnknownError:
            # Ran out by itself: the conversation goes on in other tabs, or when they come back.
            return None if task.reason is GuestEnd.EXPIRED else task.guest_id

    def _end_conversation(self, guest_id: str, reason: GuestEnd) -> None:
        # Not before anything that it ends, by whatever clock that was opened.
        opened = (binding.created_at for binding in self.live.of(guest_id))
        at = max((self.clock.now(), *opened))
        self.archive.ends(guest_id, at)
        taken = self.bindings.end_all(guest_id, reason=reason)
        if taken:
            self.live.tell(guest_id, SessionEnd.CONVERSATION_ENDED)
        # Another tab that was first has told it already.
        self.archive.ended(guest_id, reason, at=at, noted=bool(taken))

    def _jwt(self, task: FetchJwt) -> Answer:
        try:
            return JwtHere(jwt=self.tokens.jwt_for(task.session_key, refused=task.refused))
        except SignInRequiredError:
            return NoJwt(refused=True)

    def _history(self, task: FetchHistory) -> Answer:
        return HistoryHere(body=self.history.page(task.jwt, number=task.page))

    def _look(self, task: LookAgain) -> Answer:
        try:
            self.bindings.find(task.session_id)
        except SessionUnknownError:
            return GuestGone(reason=self.bindings.why_gone(task.session_id))
        if task.session_key is None:
            return GuestStillThere()
        signed_in = self.sign_ins.of(task.session_key)
        if signed_in is None:
            return GuestGone(reason=GuestEnd.SIGNED_OUT)
        return GuestStillThere(signed_in_until=signed_in.until)

    _WORK: ClassVar[Mapping[type[Any], Callable[[Any, Any], Answer]]] = MappingProxyType(
        {
            OpenGuest: _open,
            ExtendGuest: _extend,
            OwnGuest: _own,
            EndGuest: _end,
            FetchJwt: _jwt,
            FetchHistory: _history,
            LookAgain: _look,
        }
    )


def _caller(task: OpenGuest, signed_in: SignedInGuest | None) -> Caller:
    """Return who asks. What a sign-in says of somebody counts more than what a page says."""
    return Caller(
        device_id=task.device_id,
        browser_secret=task.browser_secret,
        person=signed_in.person if signed_in else None,
        source=task.address,
        profile={**(task.profile or {}), **(signed_in.profile if signed_in else {})},
        email_verified=signed_in is not None and "email" in signed_in.profile,
    )


def _failed(task: Task, error: BffError) -> Answer:
    """Return the answer that fits: nobody was refused, unless the error says so."""
    wait = error.retry_after or SOON
    match task:
        case OpenGuest():
            limited = isinstance(error, RateLimitedError)
            code = FrameCode.RATE_LIMITED if limited else FrameCode.SERVICE_UNAVAILABLE
            return GuestNotOpened(code=code, retry_after=wait)
        case OwnGuest():
            return GuestNotOwned(retry_after=wait)
        case FetchJwt():
            return NoJwt(refused=False)
        case FetchHistory():
            return NoHistory()
        case ExtendGuest() | EndGuest() | LookAgain():
            return NobodyKnows(task=task, retry_after=wait)
