"""The tokens of every session: sealed, renewed by one process at a time, never brought back."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bff.crypto.sealed_drawer import Drawer, Held
from bff.errors import (
    BffError,
    IdentityProviderDownError,
    ProviderAnswerError,
    SignInRequiredError,
    StoreDownError,
    TokensRefusedError,
)
from bff.flow_ports import NO_WATCH, FlowStep, FlowWatch
from bff.leases import kept
from bff.ports import Foundation, IdentityProvider, Lease, TokenSet
from bff.signin.records import (
    BrowserSession,
    EndedBy,
    SessionKey,
    VaultEntry,
)
from bff.signin.session_book import SessionBook
from bff.signin.session_end import SessionEnder
from bff.signin.session_expiry import AFTERLIFE

log = logging.getLogger(__name__)

LOOK_AGAIN: Final = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultPolicy:
    """When to renew, how long to wait for others, how long an outage is forgiven."""

    lead: timedelta = timedelta(seconds=60)
    lease: timedelta = timedelta(seconds=5)
    patience: timedelta = timedelta(seconds=45)
    down_pause: timedelta = timedelta(seconds=2)
    outage_grace: timedelta = timedelta(minutes=15)


class TokenVault:
    """Keeps one TokenSet for each session, and the provider's confidence in it."""

    def __init__(
        self,
        foundation: Foundation,
        *,
        book: SessionBook,
        providers: Mapping[str, IdentityProvider],
        policy: VaultPolicy,
        watch: FlowWatch = NO_WATCH,
        ends: SessionEnder | None = None,
    ) -> None:
        self._store = foundation.store
        self.ends: Final = ends or SessionEnder(foundation, book=book, providers=providers)
        self._drawer = Drawer("vault", VaultEntry, foundation)
        self._providers = providers
        self._clock = foundation.clock
        self._policy = policy
        self._watch = watch

    def lock_away(self, session: BrowserSession, tokens: TokenSet) -> None:
        """Keep the tokens that came with a sign-in."""
        entry = VaultEntry(
            provider=session.person.provider, tokens=tokens, confirmed_at=self._clock.now()
        )
        self._drawer.put(session.key, entry, ttl=self._life(session))
        self._watch.note(
            FlowStep.TOKENS_KEPT,
            session_key=session.key,
            facts={"refresh_token": tokens.refresh_token is not None},
        )

    def confirm(self, session: BrowserSession) -> None:
        """Make sure that the provider still vouches for this person.

        An outage shorter than the policy's grace is forgiven. Raises SignInRequiredError if the
        provider refused (the session has ended then), IdentityProviderDownError after the grace.
        A provider that gave no refresh token cannot be asked: the session's own limits hold.
        """
        held = self._require(session.key)
        if held.record.tokens.refresh_token is None:
            return
        try:
            self.live_tokens(session)
        except (IdentityProviderDownError, ProviderAnswerError):
            # The provider's last word holds as long as the tokens it gave, and the grace after.
            overdue = self._clock.now() - self._require(session.key).record.tokens.expires_at
            if overdue > self._policy.outage_grace:
                raise

    def live_tokens(self, session: BrowserSession) -> TokenSet:
        """Return tokens that are good for a while; renew them first if they are due.

        However many ask at once, in however many processes, the refresh token is spent once.
        Raises SignInRequiredError, IdentityProviderDownError or ProviderAnswerError; only the
        first ends the session.
        """
        deadline = self._clock.now() + self._policy.patience
        while True:
            held = self._require(session.key)
            if not self._due(held.record):
                return held.record.tokens
            if self._resting(held.record):
                return self._old_or_down(held.record)
            lease = self._store.acquire_lease(f"renewal:{session.key}", ttl=self._policy.lease)
            if lease is not None:
                with kept(self._store, lease, ttl=self._policy.lease):
                    return self._renew_alone(session, lease)
            if self._clock.now() >= deadline:
                raise IdentityProviderDownError("somebody else's renewal takes too long")
            self._clock.sleep(LOOK_AGAIN)

    def take(self, key: SessionKey) -> TokenSet | None:
        """Return the tokens and forget them; a renewal under way will not bring them back."""
        entry = self._drawer.take(key)
        return None if entry is None else entry.tokens

    def _renew_alone(self, session: BrowserSession, lease: Lease) -> TokenSet:
        # Another process may have renewed while we queued: look again before spending (RFC 6749
        # section 6 with rotation: a refresh token spent twice signs the person out).
        held = self._require(session.key)
        if not self._due(held.record):
            return held.record.tokens
        if self._resting(held.record):
            return self._old_or_down(held.record)
        spending = self._mark(session, held, lease)
        provider = self._providers.get(spending.record.provider)
        if provider is None:
            raise ProviderAnswerError("the provider of this session is no longer configured")
        try:
            fresh = provider.renew(spending.record.tokens)
        except TokensRefusedError as error:
            raise self._refused(session, spending.record, error) from error
        except (IdentityProviderDownError, ProviderAnswerError) as error:
            return self._silence(session, spending, error)
        return self._keep(session, spending, fresh)

    def _mark(
        self, session: BrowserSession, held: Held[VaultEntry], lease: Lease
    ) -> Held[VaultEntry]:
        """Write down that the refresh token is being spent, before it is.

        If this process dies before the save, the next one knows why the token is refused.
        """
        record = replace(
            held.record,
            spending_since=held.record.spending_since or self._clock.now(),
            fence=lease.fence,
        )
        return self._save(session, record, version=held.version)

    def _keep(
        self,
        session: BrowserSession,
        spending: Held[VaultEntry],
        fresh: TokenSet,
    ) -> TokenSet:
        record = replace(
            spending.record,
            tokens=fresh,
            confirmed_at=self._clock.now(),
            spending_since=None,
            down_until=None,
        )
        try:
            self._save(session, record, version=spending.version)
        except SignInRequiredError:
            # Signed out while the provider answered: these tokens belong to nobody now.
            self._revoke_orphans(session, fresh)
            raise
        self._watch.note(FlowStep.PROVIDER_REFRESHED, session_key=session.key)
        return fresh

    def _save(
        self, session: BrowserSession, record: VaultEntry, *, version: int
    ) -> Held[VaultEntry]:
        new = self._drawer.replace(session.key, record, version=version, ttl=self._life(session))
        if new is None:
            raise SignInRequiredError("the session ended, or somebody else saved")
        return Held(record=record, version=new)

    def _silence(
        self, session: BrowserSession, spending: Held[VaultEntry], error: BffError
    ) -> TokenSet:
        """Nobody was refused: keep everything, and let nobody ask again for a moment."""
        pause = max(error.retry_after or timedelta(0), self._policy.down_pause)
        record = replace(spending.record, down_until=self._clock.now() + pause)
        self._save(session, record, version=spending.version)
        log.warning("renewal for session %s: %s", session.key[:8], error.detail)
        self._watch.note(
            FlowStep.PROVIDER_SILENT, session_key=session.key, facts={"code": error.code}
        )
        if self._clock.now() < record.tokens.expires_at:
            return record.tokens
        error.retry_after = pause
        raise error

    def _refused(
        self, session: BrowserSession, entry: VaultEntry, error: TokensRefusedError
    ) -> SignInRequiredError:
        started = entry.spending_since or self._clock.now()
        lost = self._clock.now() - started > self._policy.lease
        log.warning(
            "session %s: refresh token refused%s",
            session.key[:8],
            " after an answer that was lost" if lost else "",
        )
        self._watch.note(FlowStep.PROVIDER_REFUSED, session_key=session.key)
        self.ends.end(session.key, by=EndedBy.RENEWAL_REFUSED)
        return SignInRequiredError(error.detail)

    def _revoke_orphans(self, session: BrowserSession, tokens: TokenSet) -> None:
        try:
            self.ends.revocations.tell_or_keep(session.person.provider, tokens)
        except StoreDownError as error:
            log.warning("session %s: orphaned tokens live on: %s", session.key[:8], error.detail)

    def _old_or_down(self, entry: VaultEntry) -> TokenSet:
        now = self._clock.now()
        if now < entry.tokens.expires_at:
            return entry.tokens
        wait = (entry.down_until or now) - now
        raise IdentityProviderDownError("resting after an outage", retry_after=wait)

    def _require(self, key: SessionKey) -> Held[VaultEntry]:
        held = self._drawer.get(key)
        if held is None:
            # It was ended meanwhile, or its beginning was cut short: nobody is half signed in.
            self.ends.end(key, by=EndedBy.UNFINISHED)
            raise SignInRequiredError("no tokens for this session")
        if held.record.closed:
            raise SignInRequiredError("the session is being ended")
        return held

    def _due(self, entry: VaultEntry) -> bool:
        life = entry.tokens.expires_at - entry.confirmed_at
        lead = min(self._policy.lead, life / 4)
        return entry.tokens.due_for_refresh(self._clock.now(), lead=lead)

    def _resting(self, entry: VaultEntry) -> bool:
        return entry.down_until is not None and self._clock.now() < entry.down_until

    def _life(self, session: BrowserSession) -> timedelta:
        """Return how long tokens are kept: past any end, so that the provider can be told of it."""
        ends: datetime = session.created_at + session.absolute_limit
        return max(ends - self._clock.now(), timedelta(0)) + AFTERLIFE
