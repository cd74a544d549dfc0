"""How a sign-in becomes a session: written, looked at once more, and only then somebody's."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bff.crypto.sealed_drawer import Drawer
from bff.errors import BffError, SignInDeniedError, UnreadableRecordError
from bff.ports import Foundation, TokenSet
from bff.signin.logout_marks import LogoutMarks
from bff.signin.records import BrowserSession, EndedBy, SessionKey, SessionToken
from bff.signin.session_book import SessionBook, SignedIn
from bff.signin.token_vault import TokenVault

PLACE_LIFE: Final = timedelta(minutes=30)
"""Longer than a sign-in that started before the last one ended can still be on its way."""

TRIES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserPlace:
    """Which session a browser was given last."""

    session: SessionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A session that has begun, and the secret that leads to it."""

    token: SessionToken
    session: BrowserSession


class SessionBeginner:
    """Begins sessions, so that whatever ends them meanwhile wins.

    First the tokens, then the session, then a look at what providers said has ended. Whoever finds
    the session finds its tokens as well; a logout that came too early to find it has left a mark.
    """

    def __init__(self, foundation: Foundation, *, book: SessionBook, vault: TokenVault) -> None:
        self._places = Drawer("browser-session", BrowserPlace, foundation)
        self._book = book
        self._vault = vault
        self._ends: Final = vault.ends
        self._marks = LogoutMarks(foundation)

    def moment(self) -> int:
        """Return what `begin` wants to know of the time at which a sign-in started."""
        return self._marks.moment()

    def begin(
        self,
        signed_in: SignedIn,
        tokens: TokenSet,
        *,
        browser: str,
        previous: SessionKey | None,
        since: int,
    ) -> Begun:
        """Begin a session, and end what this browser had before.

        `browser` names the browser that signs in; `previous` is the session that it had when it
        started, at the moment `since`. Raises SignInDeniedError if the provider has ended this
        sign-in meanwhile, and StoreDownError. Nothing is left of the new session then, and its
        tokens are revoked.
        """
        token = self._book.new_token()
        session = self._book.prepare(token, signed_in)
        try:
            self._vault.lock_away(session, tokens)
            self._book.open(session)
            self._refuse_if_over(session, since)
            self._end_previous(previous, session)
            self._take_the_place(browser, session)
        except BffError:
            self._ends.undo(session, tokens)
            raise
        return Begun(token=token, session=session)

    def _refuse_if_over(self, session: BrowserSession, since: int) -> None:
        if self._marks.hit(session, since=since) or self._book.look_up(session.key) is None:
            raise SignInDeniedError("the provider has ended this sign-in meanwhile")

    def _take_the_place(self, browser: str, session: BrowserSession) -> None:
        """End what began in this browser since this sign-in started: its tabs share one cookie."""
        place = BrowserPlace(session=session.key)
        for _ in range(TRIES):
            try:
                held = self._places.get(browser)
            except UnreadableRecordError:
                break
            if held is None:
                if self._places.add(browser, place, ttl=PLACE_LIFE):
                    return
                continue
            self._end_previous(held.record.session, session)
            version = held.version
            if self._places.replace(browser, place, version=version, ttl=PLACE_LIFE) is not None:
                return
        # It does not open, or a crowd of tabs is at it: theirs ends by itself.
        self._places.put(browser, place, ttl=PLACE_LIFE)

    def _end_previous(self, previous: SessionKey | None, session: BrowserSession) -> None:
        """End what this browser had before: another person's pages are signed out, ours go on."""
        try:
            earlier = None if previous is None else self._book.record(previous)
        except UnreadableRecordError:
            # Nobody can tell whose it is. Its cookie goes, and its end is watched.
            return
        if earlier is None or earlier.key == session.key:
            return
        same = earlier.person.pairwise == session.person.pairwise
        self._ends.end(
            earlier.key,
            by=EndedBy.SAME_USER if same else EndedBy.OTHER_USER,
            # Its provider has just answered us; another one is not waited for.
            soon=earlier.person.provider != session.person.provider,
        )
