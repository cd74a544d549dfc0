"""Signing out: here, at the provider, by the operator, or because the provider says so."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bff.crypto.sealed_drawer import Drawer
from bff.errors import BffError, LogoutTokenError, UnreadableRecordError
from bff.ports import (
    Foundation,
    HeldElsewhere,
    IdentityProvider,
    LogoutNotice,
    TokenSet,
)
from bff.signin.fingerprints import hashed
from bff.signin.records import BrowserSession, EndReason, SessionKey, SessionToken
from bff.signin.session_book import SessionBook
from bff.signin.token_vault import TokenVault

log = logging.getLogger(__name__)

RETURN_LIFE: Final = timedelta(minutes=10)
JTI_LIFE: Final = timedelta(minutes=10)
"""Longer than a logout token is accepted (5 min and leeway), or a replay could outlive its mark."""

REVOCATION_LIFE: Final = timedelta(days=1)
REVOCATIONS: Final = "revocations"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostLogout:
    """Where the browser goes when the provider has finished its part."""

    return_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Tokens that the provider could not be told about yet, and when to give up."""

    provider: str
    tokens: TokenSet
    until: datetime


class SignOut:
    """Ends sessions in the right order: first nobody can use them, then the provider is told."""

    def __init__(
        self,
        foundation: Foundation,
        *,
        book: SessionBook,
        vault: TokenVault,
        providers: Mapping[str, IdentityProvider],
        logged_out_url: str,
        held: HeldElsewhere | None = None,
    ) -> None:
        self._store = foundation.store
        self._returns = Drawer("post-logout", PostLogout, foundation)
        self._revocations = Drawer("revocation", Revocation, foundation)
        self._book = book
        self._vault = vault
        self._providers = providers
        self._logged_out_url = logged_out_url
        self._held = held
        self._clock = foundation.clock
        self._entropy = foundation.entropy

    def here(self, token: SessionToken | None, *, return_url: str) -> str | None:
        """Sign this browser out; return the provider's logout URL, or None if it has none."""
        session = self._book.find(token)
        if session is None:
            return None
        tokens = self._end(session, EndReason.SIGNED_OUT)
        provider = self._providers.get(session.person.provider)
        if provider is None:
            return None
        state = self._entropy.token()
        self._returns.put(hashed(state), PostLogout(return_url=return_url), ttl=RETURN_LIFE)
        try:
            return provider.end_session_url(
                id_token=tokens.id_token if tokens else None,
                return_url=self._logged_out_url,
                state=state,
            )
        except BffError as error:
            log.warning("no logout at the provider: %s", error.detail)
            return None

    def return_url(self, unverified_state: str | None) -> str | None:
        """Return where to go after the provider's logout, once."""
        try:
            kept = self._returns.take(hashed(unverified_state)) if unverified_state else None
        except UnreadableRecordError:
            # Who cannot be sent back goes to the first page of the site.
            return None
        return None if kept is None else kept.return_url

    def revoke(self, key: SessionKey, reason: EndReason = EndReason.REVOKED) -> bool:
        """End one session on the operator's word, or a client's; False if there was none."""
        session = self._book.look_up(key)
        if session is None:
            return False
        self._end(session, reason)
        return True

    def by_provider(self, name: str, notice: LogoutNotice) -> int:
        """Do what a back-channel logout says; return how many sessions ended.

        `sid` names one session and is followed alone; without it every session of the subject
        that is not younger than the notice ends. Raises LogoutTokenError for a replay.
        """
        mark = "logout-jti:" + hashed(name, notice.jti)
        if self._store.get(mark) is not None:
            raise LogoutTokenError("jti was seen before")
        sessions = self._meant(name, notice)
        for session in sessions:
            self._book.end(session.key, EndReason.PROVIDER_LOGOUT)
            self._let_go(session.key)
            tokens = self._vault.take(session.key)
            if tokens is not None:
                # Not now: the provider waits for our answer, and may be unable to take a call.
                self._keep_for_later(name, tokens)
        # Marked last: if the store fails half way, the provider's second delivery must count.
        self._store.put(mark, b"1", ttl=JTI_LIFE)
        return len(sessions)

    def retry_revocations(self) -> int:
        """Tell providers about tokens that they could not be told about before.

        What is not told stays for the next round, up to a day. Telling twice does no harm (RFC
        7009 section 2.2), so a process that dies in between loses nothing.
        """
        told = 0
        silent: set[str] = set()
        for name in self._store.members(REVOCATIONS):
            try:
                held = self._revocations.get(name)
            except UnreadableRecordError:
                # Perhaps a newer version can, or another round.
                continue
            if held is not None and self._clock.now() < held.record.until:
                # One refusal to answer is enough: a thousand more would take a thousand time-outs.
                if held.record.provider in silent:
                    continue
                if not self._told(held.record.provider, held.record.tokens):
                    silent.add(held.record.provider)
                    continue
                told += 1
            self._revocations.delete(name)
            self._store.leave(REVOCATIONS, name)
        return told

    def _meant(self, name: str, notice: LogoutNotice) -> list[BrowserSession]:
        if notice.sid is not None:
            found = self._book.of_provider_session(provider=name, sid=notice.sid)
            return [s for s in found if notice.subject in (None, s.person.subject)]
        # `iat` has whole seconds: a session begun within that second counts as older.
        until = notice.issued_at + timedelta(seconds=1)
        found = self._book.of_person(provider=name, subject=notice.subject or "")
        return [session for session in found if session.created_at < until]

    def _end(self, session: BrowserSession, reason: EndReason) -> TokenSet | None:
        # First the session, so that nobody can use it; then its tokens, out of the reach of any
        # renewal; and only then the provider, which may be slow.
        self._book.end(session.key, reason)
        self._let_go(session.key)
        tokens = self._vault.take(session.key)
        if tokens is not None:
            self._tell_provider(session.person.provider, tokens)
        return tokens

    def _let_go(self, key: SessionKey) -> None:
        """Have the Genesys tokens revoked, behind the back of who waits for the sign-out."""
        if self._held is not None:
            threading.Thread(target=self._forget_held, args=(self._held, key)).start()

    def _forget_held(self, held: HeldElsewhere, key: SessionKey) -> None:
        try:
            held.forget(key)
        except BffError as error:
            # They die by themselves: Genesys gets no fresh token of ours for an ended session.
            log.warning(
                "session %s: its Genesys tokens were not revoked: %s", key[:8], error.detail
            )

    def _tell_provider(self, name: str, tokens: TokenSet) -> None:
        if not self._told(name, tokens):
            self._keep_for_later(name, tokens)

    def _keep_for_later(self, name: str, tokens: TokenSet) -> None:
        until = self._clock.now() + REVOCATION_LIFE
        key = self._entropy.token(16)
        later = Revocation(provider=name, tokens=tokens, until=until)
        self._revocations.put(key, later, ttl=REVOCATION_LIFE)
        self._store.join(REVOCATIONS, key, ttl=REVOCATION_LIFE)

    def _told(self, name: str, tokens: TokenSet) -> bool:
        provider = self._providers.get(name)
        if provider is None:
            # It is no longer configured: nobody is left to tell.
            return True
        try:
            provider.revoke(tokens)
        except BffError as error:
            log.warning("revocation at %s is kept for later: %s", name, error.detail)
            return False
        return True
