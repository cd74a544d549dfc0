"""How a sign-in becomes a session: written, looked at once more, and only then somebody's."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from bff.errors import BffError, SignInDeniedError
from bff.ports import Foundation, TokenSet
from bff.signin.logout_marks import LogoutMarks
from bff.signin.records import BrowserSession, EndedBy, SessionKey, SessionToken
from bff.signin.session_book import SessionBook, SignedIn
from bff.signin.token_vault import TokenVault

log = logging.getLogger(__name__)


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
        self._book = book
        self._vault = vault
        self._ends: Final = vault.ends
        self._marks = LogoutMarks(foundation)

    def begin(
        self,
        signed_in: SignedIn,
        tokens: TokenSet,
        *,
        replaced: Callable[[BrowserSession], Iterable[SessionKey]],
    ) -> Begun:
        """Begin a session, and end those that this browser had before: `replaced` names them.

        Raises SignInDeniedError if the provider has ended this sign-in meanwhile, and
        StoreDownError. Nothing is left of the new session then, and its tokens are revoked.
        """
        token = self._book.new_token()
        session = self._book.prepare(token, signed_in)
        try:
            self._vault.lock_away(session, tokens)
            self._book.open(session)
            self._refuse_if_over(session)
            for previous in replaced(session):
                self._end_previous(previous, session)
        except BffError:
            self._ends.undo(session, tokens)
            raise
        return Begun(token=token, session=session)

    def _refuse_if_over(self, session: BrowserSession) -> None:
        if self._marks.hit(session) or self._book.look_up(session.key) is None:
            raise SignInDeniedError("the provider has ended this sign-in meanwhile")

    def _end_previous(self, previous: SessionKey, session: BrowserSession) -> None:
        """End what this browser had before: another person's pages are signed out, ours go on."""
        earlier = self._book.record(previous)
        if earlier is None or earlier.key == session.key:
            return
        same = earlier.person.pairwise == session.person.pairwise
        self._ends.end(
            earlier.key,
            by=EndedBy.SAME_USER if same else EndedBy.OTHER_USER,
            # Its provider has just answered us; another one is not waited for.
            soon=earlier.person.provider != session.person.provider,
        )
