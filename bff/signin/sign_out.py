"""Signing out: here, at the provider, by the operator, or because the provider says so."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bff.crypto.sealed_drawer import Drawer
from bff.errors import BffError, LogoutTokenError, StoreDownError, UnreadableRecordError
from bff.ports import Foundation, HeldElsewhere, IdentityProvider, LogoutNotice
from bff.signin.fingerprints import TOKEN_CHARS, hashed, session_key
from bff.signin.logout_marks import LogoutMarks, means
from bff.signin.records import BrowserSession, EndedBy, EndReason, SessionKey, SessionToken
from bff.signin.revocations import REVOCATION_LIFE, REVOCATIONS
from bff.signin.session_book import SessionBook
from bff.signin.session_end import RETURN_LIFE
from bff.signin.session_expiry import ExpirySweep
from bff.signin.token_vault import TokenVault

__all__ = ["RETURN_LIFE", "REVOCATIONS", "REVOCATION_LIFE", "PostLogout", "SignOut"]

log = logging.getLogger(__name__)

JTI_LIFE: Final = timedelta(minutes=10)
"""Longer than a logout token is accepted (5 min and leeway), or a replay could outlive its mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostLogout:
    """Where the browser goes when the provider has finished its part."""

    return_url: str


class SignOut:
    """Every way to end sessions on somebody's word. Each goes through `SessionEnder`."""

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
        self._marks = LogoutMarks(foundation)
        self._book = book
        self._ends = vault.ends
        self._sweep = ExpirySweep(foundation, sessions=book, ends=self._ends)
        self._providers = providers
        self._logged_out_url = logged_out_url
        self._clock = foundation.clock
        self._entropy = foundation.entropy
        if held is not None:
            self._ends.also_forget(held)

    def here(self, token: SessionToken | None, *, return_url: str) -> str | None:
        """Sign this browser out; return the provider's logout URL, or None if it has none.

        Whoever asks again, because no answer came, gets the same answer for some minutes. Raises
        StoreDownError if the sign-out is not certain; asking again finishes it.
        """
        if token is None or len(token) != TOKEN_CHARS:
            return None
        key = session_key(token)
        job = self._ends.end(key, by=EndedBy.USER) or self._ends.ended(key)
        if job is None or job.by is not EndedBy.USER:
            return None
        provider = self._providers.get(job.provider)
        if provider is None:
            return None
        state = self._entropy.token()
        self._returns.put(hashed(state), PostLogout(return_url=return_url), ttl=RETURN_LIFE)
        try:
            return provider.end_session_url(
                id_token=job.id_token, return_url=self._logged_out_url, state=state
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
        by = EndedBy.CLIENT if reason is EndReason.SIGNED_OUT else EndedBy.OPERATOR
        job = self._ends.end(key, by=by)
        return job is not None and job.by is by

    def revoke_all(self, keys: Iterable[SessionKey]) -> int:
        """End many sessions on the operator's word; return how many ended.

        Providers and Genesys are told afterwards: one that does not answer is asked once.
        """
        jobs = [self._ends.end(key, by=EndedBy.OPERATOR, soon=True) for key in keys]
        with suppress(StoreDownError):
            self._ends.revocations.tell_fresh()
            self._ends.tell_genesys()
        return sum(job is not None and job.by is EndedBy.OPERATOR for job in jobs)

    def by_provider(self, name: str, notice: LogoutNotice) -> int:
        """Do what a back-channel logout says; return how many sessions ended.

        `sid` names one session and is followed alone; without it every session of the subject
        that is not younger than the notice ends. Raises LogoutTokenError for a replay, and
        UnreadableRecordError if others have ended and one cannot be told: it is sent again then.
        """
        mark = "logout-jti:" + hashed(name, notice.jti)
        if self._store.get(mark) is not None:
            raise LogoutTokenError("jti was seen before")
        # Before any session is looked for: a sign-in on its way looks here when it has written
        # its own, so that one of both finds the other.
        self._marks.remember(name, notice)
        ended = 0
        for session in self._meant(name, notice):
            self._ends.end(session.key, by=EndedBy.PROVIDER)
            ended += 1
        # Marked last: if the store fails half way, the provider's second delivery must count.
        self._store.put(mark, b"1", ttl=JTI_LIFE)
        return ended

    def retry_revocations(self) -> int:
        """Do a round: end what has run out, finish what was cut short, tell who was away.

        Return how many revocations providers were told. What is not told stays for the next round,
        up to a day. Raises StoreDownError.
        """
        self._sweep.once()
        self._ends.finish()
        self._ends.tell_genesys()
        return self._ends.revocations.tell_waiting()

    def _meant(self, name: str, notice: LogoutNotice) -> Iterator[BrowserSession]:
        found = self._book.each_of(provider=name, subject=notice.subject, sid=notice.sid)
        return (session for session in found if means(notice, session))
