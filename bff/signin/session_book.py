"""The sessions: begun at a sign-in, found by cookie, listed for a person, ended for a reason."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bff.crypto.sealed_drawer import Drawer, Held
from bff.errors import SignInRequiredError, UnreadableRecordError
from bff.ports import NO_LEDGER, Foundation, SignInLedger
from bff.signin.fingerprints import TOKEN_CHARS, hashed, session_key
from bff.signin.records import (
    BrowserSession,
    EndedBy,
    EndReason,
    Person,
    SessionKey,
    SessionToken,
)
from bff.signin.session_expiry import AFTERLIFE, ExpiryIndex
from bff.signin.session_news import SessionEnded, announce

log = logging.getLogger(__name__)

EVERYONE: Final = "sessions"
TOUCH_PAUSE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How long a session lasts unused, and at the most."""

    idle: timedelta
    absolute: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """What a sign-in established, before it is a session."""

    person: Person
    provider_sid: str | None
    auth_time: datetime | None
    acr: str | None
    issued_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOut:
    """What was taken out of the book; no session if it could not be read."""

    session: BrowserSession | None


class SessionBook:
    """Every session there is. Ids are stored hashed; records are sealed."""

    def __init__(
        self,
        foundation: Foundation,
        *,
        limits: SessionLimits,
        ledger: SignInLedger = NO_LEDGER,
    ) -> None:
        self._store = foundation.store
        self._drawer = Drawer("session", BrowserSession, foundation)
        self._expiry = ExpiryIndex(foundation)
        self._limits = limits
        self._ledger = ledger
        self._clock = foundation.clock
        self._entropy = foundation.entropy

    def new_token(self) -> SessionToken:
        """Return a fresh secret; a session id is never taken over from before a sign-in."""
        return SessionToken(self._entropy.token())

    def begin(self, token: SessionToken, signed_in: SignedIn) -> BrowserSession:
        """Open a session that `token` leads to."""
        return self.open(self.prepare(token, signed_in))

    def prepare(self, token: SessionToken, signed_in: SignedIn) -> BrowserSession:
        """Return a session that is not open yet. From now on somebody watches for its end."""
        now = self._clock.now()
        session = BrowserSession(
            key=session_key(token),
            person=signed_in.person,
            created_at=now,
            seen_at=now,
            idle_limit=self._limits.idle,
            absolute_limit=self._limits.absolute,
            provider_sid=signed_in.provider_sid,
            auth_time=signed_in.auth_time,
            acr=signed_in.acr,
            issued_at=signed_in.issued_at,
            watched=True,
        )
        self._expiry.watch(session)
        return session

    def open(self, session: BrowserSession) -> BrowserSession:
        """Write a prepared session: it is found from now on, by its token and in the lists."""
        self._drawer.put(session.key, session, ttl=self._life(session))
        for group in _groups(session):
            self._store.join(group, session.key, ttl=session.absolute_limit)
        return session

    def find(self, token: SessionToken | None) -> BrowserSession | None:
        """Return the session behind a cookie, or None. Does not extend it."""
        if token is None or len(token) != TOKEN_CHARS:
            return None
        return self.look_up(session_key(token))

    def look_up(self, key: SessionKey) -> BrowserSession | None:
        """Return the session of that key, or None. Does not extend it."""
        held = self._held(key)
        return None if held is None else held.record

    def record(self, key: SessionKey) -> BrowserSession | None:
        """Return what is kept of a session, even past its end: whose it was."""
        held = self._drawer.get(key)
        return None if held is None else held.record

    def require(self, token: SessionToken | None) -> BrowserSession:
        """Return the session and note that it is in use. Raises SignInRequiredError."""
        if token is None or len(token) != TOKEN_CHARS:
            raise SignInRequiredError("no session cookie")
        held = self._held(session_key(token))
        if held is None:
            raise SignInRequiredError("no such session")
        return self._touch(held)

    def end(
        self, key: SessionKey, reason: EndReason, by: EndedBy | None = None
    ) -> BrowserSession | None:
        """Take a session out of the book; None if it was not in there. Pages hear of it.

        This is the book's part only. `SessionEnder` ends a session with all that belongs to it.
        """
        found = self.take_out(key, reason)
        if found is None:
            return None
        self.write_down(key, found.session, reason, by)
        return found.session

    def take_out(self, key: SessionKey, reason: EndReason) -> "TakenOut | None":
        """Do as `end` does, and leave it to the caller to have it written down."""
        try:
            session = self.record(key)
        except UnreadableRecordError:
            # It is over, whatever it says.
            session = None
        if not self._drawer.delete(key):
            return None
        self._leave_groups(key, session)
        self.tell_pages(key, reason)
        return TakenOut(session=session)

    def remove(self, session: BrowserSession) -> None:
        """Take out a session that nobody has used, or what is left of one. Nobody is told."""
        self._drawer.delete(session.key)
        self._leave_groups(session.key, session)

    def tell_pages(self, key: SessionKey, reason: EndReason) -> None:
        """Tell every open page that the session is over. Twice does no harm."""
        announce(self._store, SessionEnded(key=key, reason=reason))

    def write_down(
        self,
        key: SessionKey,
        session: BrowserSession | None,
        reason: EndReason,
        by: EndedBy | None,
    ) -> bool:
        """Have the end in the audit log. Twice is written once; False if it is to be done again."""
        log.info("session %s ended: %s", key[:8], by.value if by else reason.value)
        kept = self._ledger.ended(
            person=session.person.pairwise if session else None,
            provider=session.person.provider if session else "",
            session_key=key,
            reason=reason.value,
            by=by.value if by else "",
        )
        # Only who says so has not kept it.
        return kept is not False

    def of_person(self, *, provider: str, subject: str) -> list[BrowserSession]:
        """Return all live sessions of one person. UnreadableRecordError if one cannot be told."""
        return list(self._live(self._store.members(_person_group(provider, subject))))

    def of_provider_session(self, *, provider: str, sid: str) -> list[BrowserSession]:
        """Return the live sessions that began in one session at the provider."""
        return list(self.each_of(provider=provider, subject=None, sid=sid))

    def each_of(
        self, *, provider: str, subject: str | None, sid: str | None
    ) -> Iterator[BrowserSession]:
        """Yield the live sessions of one session at the provider, or without `sid` of a person.

        One that cannot be read hides no other: UnreadableRecordError comes after all of them.
        """
        group = _person_group(provider, subject or "") if sid is None else _sid_group(provider, sid)
        yield from self._live(self._store.members(group))

    def keys(self) -> list[SessionKey]:
        """Return the key of every session that is listed, also of those that cannot be read."""
        return [SessionKey(key) for key in self._store.members(EVERYONE)]

    def everyone(self) -> list[BrowserSession]:
        """Return all live sessions that can be read, newest first."""
        live: list[BrowserSession] = []
        # One that a newer version wrote must not hide all others; it is told in the log.
        with suppress(UnreadableRecordError):
            live.extend(self._live(self._store.members(EVERYONE)))
        return sorted(live, key=lambda session: session.created_at, reverse=True)

    def _held(self, key: SessionKey) -> Held[BrowserSession] | None:
        held = self._drawer.get(key)
        if held is None or self._clock.now() >= held.record.ends_at:
            return None
        return held

    def _touch(self, held: Held[BrowserSession]) -> BrowserSession:
        now = self._clock.now()
        if now - held.record.seen_at < TOUCH_PAUSE:
            return held.record
        touched = replace(held.record, seen_at=now, watched=True)
        if not held.record.watched:
            self._expiry.watch(touched)
        # If somebody else touched it meanwhile, theirs is as good; if it was ended, it stays so.
        life = self._life(touched)
        self._drawer.replace(touched.key, touched, version=held.version, ttl=life)
        return touched

    def _life(self, session: BrowserSession) -> timedelta:
        """Return how long it is kept: a while past its end, for whoever writes that down."""
        return session.ends_at - self._clock.now() + AFTERLIFE

    def _leave_groups(self, key: SessionKey, session: BrowserSession | None) -> None:
        for group in _groups(session) if session else (EVERYONE,):
            self._store.leave(group, key)

    def _live(self, keys: Iterable[str]) -> Iterator[BrowserSession]:
        unreadable: UnreadableRecordError | None = None
        for key in keys:
            try:
                session = self.look_up(SessionKey(key))
            except UnreadableRecordError as error:
                unreadable = error
                continue
            if session is not None:
                yield session
        if unreadable is not None:
            raise unreadable


def _person_group(provider: str, subject: str) -> str:
    return "person:" + hashed(provider, subject)


def _sid_group(provider: str, sid: str) -> str:
    return "provider-session:" + hashed(provider, sid)


def _groups(session: BrowserSession) -> list[str]:
    groups = [EVERYONE, _person_group(session.person.provider, session.person.subject)]
    if session.provider_sid:
        groups.append(_sid_group(session.person.provider, session.provider_sid))
    return groups
