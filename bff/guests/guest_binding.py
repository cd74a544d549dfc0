"""Which Genesys token a guest session speaks with, and whose it is: one owner, sealed.

A page holds the session id sealed and in text. That is half of what continues a session: the other
half is a secret in a cookie that no script can read, of which the binding keeps a hash. Neither
half alone opens anything.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NewType

from bff.crypto.keyring import KeyRing
from bff.crypto.sealed_drawer import Drawer, Held
from bff.errors import BrokenSealError, StoreDownError
from bff.guests.frame_errors import GuestEnd
from bff.guests.frames import MAX_ID_CHARS
from bff.ports import Clock, Entropy, Foundation, Sealer, Store

GuestSessionId = NewType("GuestSessionId", str)
"""128 random bits as base64url: the name of the binding, never shown unsealed."""

DEFAULT_LIFETIME: Final = timedelta(hours=1)
SESSION_ID_BYTES: Final = 16
MIN_BROWSER_SECRET_CHARS: Final = 43
BINDINGS: Final = "guest"
"""What the records of bindings are called in the store."""
_ID_CONTEXT: Final = "guest-session-id"
_WRITES_A_LIFETIME: Final = 12
_TRIES: Final = 8


class SessionUnknownError(Exception):
    """There is no such session for this browser. One class for every reason: none is an oracle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestBinding:
    """What is known of a guest session. `person` is None as long as its owner is anonymous."""

    guest_id: str
    genesys_token: str = field(repr=False)
    browser: str = field(repr=False)
    person: str | None = None
    metadata: dict[str, str] = field(default_factory=dict, repr=False)
    created_at: datetime
    used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundSession:
    """A session in use: its id as we name it, its id as the page holds it, and its binding."""

    session_id: GuestSessionId = field(repr=False)
    encrypted_session_id: str = field(repr=False)
    binding: GuestBinding


class GuestBindings:
    """Makes, continues, extends and ends guest sessions, for every process alike.

    StoreDownError if the store is away: a session is never taken for gone because of it.
    """

    def __init__(
        self,
        foundation: Foundation,
        *,
        session_ids: Sealer,
        lifetime: timedelta = DEFAULT_LIFETIME,
    ) -> None:
        self._drawer = Drawer(BINDINGS, GuestBinding, foundation)
        self._store = foundation.store
        self._clock = foundation.clock
        self._entropy = foundation.entropy
        self._session_ids = session_ids
        self._lifetime = lifetime

    def bind(
        self,
        *,
        guest_id: str,
        genesys_token: str,
        browser_secret: str,
        person: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> BoundSession:
        """Make a session of this browser, and of this person if somebody is signed in."""
        if len(browser_secret) < MIN_BROWSER_SECRET_CHARS:
            raise ValueError("a browser secret has at least 256 bits")
        now = self._clock.now()
        binding = GuestBinding(
            guest_id=guest_id,
            genesys_token=genesys_token,
            browser=_hashed(browser_secret),
            person=person,
            metadata=dict(metadata or {}),
            created_at=now,
            used_at=now,
            expires_at=now + self._lifetime,
        )
        session_id = GuestSessionId(self._entropy.token(SESSION_ID_BYTES))
        self._list(session_id, binding)
        self._drawer.add(session_id, binding, ttl=self._lifetime)
        return self._bound(session_id, binding)

    def resume(
        self, unverified_id: str, *, browser_secret: str | None, person: str | None
    ) -> BoundSession:
        """Continue a session. Raises SessionUnknownError unless it is this browser's own.

        A person's session is continued by that person only; an anonymous one also by who has
        signed in since, who then steps up.
        """
        session_id = self._opened(unverified_id)
        held = self._living(session_id)
        if not _is_of(held.record, browser_secret):
            raise SessionUnknownError
        if held.record.person not in {None, person}:
            raise SessionUnknownError
        return self._bound(session_id, self._slid(session_id))

    def extend(self, session_id: GuestSessionId) -> BoundSession:
        """Let a session in use live on, with a fresh id to come back with.

        The store is written to a dozen times in a lifetime, however often this is called. Raises
        SessionUnknownError if it has ended meanwhile: it is never brought back.
        """
        return self._bound(session_id, self._slid(session_id))

    def step_up(self, session_id: GuestSessionId, person: str) -> BoundSession:
        """Give an anonymous session to the person who has signed in.

        Do it before Genesys is told: a step that fails halfway must leave the session to the
        person, not to whoever uses the browser next. The guest's other sessions become the
        person's as well. Raises SessionUnknownError if it is another person's.
        """
        bound = self._bound(session_id, self._owned(session_id, person))
        # The same conversation may have other ids, of other tabs: none stays anonymous.
        for other in self._store.members(group_of_guest(bound.binding.guest_id)):
            if other != session_id:
                with suppress(SessionUnknownError):
                    self._owned(GuestSessionId(other), person, used=False)
        return bound

    def end(self, session_id: GuestSessionId) -> GuestBinding | None:
        """Forget a session; return what it was, to exactly one caller."""
        binding = self._drawer.take(session_id)
        if binding is not None:
            self._store.leave(group_of_guest(binding.guest_id), session_id)
            if binding.person is not None:
                self._store.leave(group_of_person(binding.person), session_id)
        return binding

    def end_all(self, guest_id: str, *, reason: GuestEnd) -> list[GuestBinding]:
        """Forget every session of a guest; return what they were, each to exactly one caller."""
        ended = []
        for session_id in map(GuestSessionId, self._store.members(group_of_guest(guest_id))):
            # Before it is gone: a page that finds it gone is told why.
            self._store.add(_end_of(session_id), reason.value.encode(), ttl=self._lifetime)
            ended.append(self.end(session_id))
        return [binding for binding in ended if binding is not None]

    def why_gone(self, session_id: GuestSessionId) -> GuestEnd:
        """Return why a session is no more, as far as that is known: else it has run out."""
        known = self._store.get(_end_of(session_id))
        try:
            return GuestEnd.EXPIRED if known is None else GuestEnd(known.value.decode())
        except ValueError:
            return GuestEnd.ENDED  # for a reason that a newer version knows

    def find(self, session_id: GuestSessionId) -> GuestBinding:
        """Return the binding as it is now. Raises SessionUnknownError."""
        return self._living(session_id).record

    def _owned(self, session_id: GuestSessionId, person: str, *, used: bool = True) -> GuestBinding:
        for _ in range(_TRIES):
            held = self._living(session_id)
            if held.record.person not in {None, person}:
                raise SessionUnknownError
            known = self._used(held.record) if used else held.record
            owned = replace(known, person=person)
            if self._written(session_id, owned, over=held):
                return owned
        raise _contended()

    def _slid(self, session_id: GuestSessionId) -> GuestBinding:
        for _ in range(_TRIES):
            held = self._living(session_id)
            unused = self._clock.now() - held.record.used_at
            if unused < self._lifetime / _WRITES_A_LIFETIME:
                return held.record
            used = self._used(held.record)
            if self._written(session_id, used, over=held):
                return used
        raise _contended()

    def _used(self, binding: GuestBinding) -> GuestBinding:
        now = self._clock.now()
        return replace(binding, used_at=now, expires_at=now + self._lifetime)

    def _written(
        self, session_id: GuestSessionId, binding: GuestBinding, *, over: Held[GuestBinding]
    ) -> bool:
        self._list(session_id, binding)
        # Over the version that was read only: what has ended meanwhile stays gone.
        version = self._drawer.replace(
            session_id, binding, version=over.version, ttl=self._lifetime
        )
        return version is not None

    def _list(self, session_id: GuestSessionId, binding: GuestBinding) -> None:
        # Before it is there: whoever ends all of a guest's sessions must miss none.
        self._store.join(group_of_guest(binding.guest_id), session_id, ttl=self._lifetime)
        if binding.person is not None:
            self._store.join(group_of_person(binding.person), session_id, ttl=self._lifetime)

    def _living(self, session_id: GuestSessionId) -> Held[GuestBinding]:
        held = self._drawer.get(session_id)
        if held is None or self._clock.now() >= held.record.expires_at:
            raise SessionUnknownError
        return held

    def _bound(self, session_id: GuestSessionId, binding: GuestBinding) -> BoundSession:
        sealed = self._session_ids.seal(session_id.encode(), context=_ID_CONTEXT)
        return BoundSession(
            session_id=session_id, encrypted_session_id=_spelled(sealed), binding=binding
        )

    def _opened(self, unverified_id: str) -> GuestSessionId:
        if not 0 < len(unverified_id) <= MAX_ID_CHARS or not unverified_id.isascii():
            raise SessionUnknownError
        padded = unverified_id + "=" * (-len(unverified_id) % 4)
        try:
            sealed = base64.b64decode(padded, altchars=b"-_", validate=True)
            opened = self._session_ids.open(sealed, context=_ID_CONTEXT)
        except (binascii.Error, BrokenSealError):
            raise SessionUnknownError from None
        if _spelled(sealed) != unverified_id:
            raise SessionUnknownError  # an id has one spelling
        return GuestSessionId(opened.decode())


def group_of_guest(guest_id: str) -> str:
    """Return the group of a guest's sessions. The store is told no id, and no long one."""
    return "guest-sessions:" + hashlib.sha256(guest_id.encode()).hexdigest()[:32]


def group_of_person(person: str) -> str:
    """Return the group of a person's sessions, of whichever guests they are."""
    return "person-sessions:" + hashlib.sha256(person.encode()).hexdigest()[:32]


def _end_of(session_id: GuestSessionId) -> str:
    return "guest-end:" + hashlib.sha256(session_id.encode()).hexdigest()[:32]


def session_id_ring(
    store: Store,
    *,
    master_keys: Sequence[bytes],
    clock: Clock,
    entropy: Entropy,
    rotate_after: timedelta,
    lifetime: timedelta = DEFAULT_LIFETIME,
) -> KeyRing:
    """Return the ring that seals session ids, and nothing else.

    A key opens for one lifetime after its rotation. That is enough however long a session lives:
    one in use gets a fresh id each time that its life is extended.
    """
    return KeyRing(
        store,
        "session-ids",
        master_keys=master_keys,
        clock=clock,
        entropy=entropy,
        rotate_after=rotate_after,
        keep_for=lifetime,
    )


def _spelled(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _is_of(binding: GuestBinding, browser_secret: str | None) -> bool:
    if browser_secret is None:
        return False
    return hmac.compare_digest(binding.browser, _hashed(browser_secret))


def _hashed(browser_secret: str) -> str:
    # 256 random bits need no salt and no slow hash.
    return hashlib.sha256(b"guest-browser:" + browser_secret.encode()).hexdigest()


def _contended() -> StoreDownError:
    return StoreDownError("a guest session changes faster than we can write")
