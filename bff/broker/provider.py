"""The broker: we are the OpenID Provider of a relying party, Genesys, while a session lives."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NoReturn

from bff.broker.exchanges import BrokerClient, CodeWish, Issued, LogoutHint, Minted
from bff.broker.grant_records import AccessMark, GrantRecord, SidMark, SpentRefresh
from bff.broker.id_tokens import IdTokenFacts, IdTokenPress, released_claims
from bff.broker.opaque_tokens import (
    OpaqueToken,
    TokenKind,
    fingerprint,
    fits,
    new_token,
    parsed,
    s256,
    successor,
)
from bff.broker.scopes import OFFLINE, SCOPES, narrowed
from bff.broker.session_witness import Principal, SessionWitness
from bff.broker.signing_keys import SigningKeys
from bff.crypto.sealed_drawer import Drawer, Held
from bff.errors import (
    CodeRefusedError,
    RefreshRefusedError,
    SignInRequiredError,
)
from bff.flow_ports import NO_WATCH, FlowStep, FlowWatch, code_mark
from bff.ports import Foundation

__all__ = ["Broker", "BrokerClient", "CodeWish", "Issued", "Minted", "Principal"]

log = logging.getLogger(__name__)

CODE_LIFE: Final = timedelta(seconds=60)
RETRY_WINDOW: Final = timedelta(seconds=30)
REFRESH_LIFE: Final = timedelta(days=7)


class Broker:
    """Mints codes, redeems them, refreshes what they gave; each use asks if the session lives.

    A grant is one record (`GrantRecord`) that changes by compare-and-set and dies by deletion:
    whatever was handed out under it is revoked in that moment, in every process.
    """

    def __init__(  # noqa: PLR0913 - wired in one place, by keyword
        self,
        foundation: Foundation,
        *,
        issuer: str,
        client: BrokerClient,
        witness: SessionWitness,
        signing_keys: SigningKeys,
        access_token_life: timedelta,
        watch: FlowWatch = NO_WATCH,
    ) -> None:
        self.issuer = issuer
        self.client = client
        self._grants = Drawer("broker-grant", GrantRecord, foundation)
        self._sids = Drawer("broker-sid", SidMark, foundation, spare=True)
        self._press = IdTokenPress(signing_keys, foundation.clock, issuer=issuer)
        self._witness = witness
        self._clock = foundation.clock
        self._entropy = foundation.entropy
        self._access_life = access_token_life
        self._watch = watch

    def mint(self, session_key: str) -> Minted:
        """Return a single-use code for the client, bound to this session.

        No browser carries it: whoever asks hands it to the client. The caller has made sure that
        the session lives.
        """
        verifier, nonce = self._entropy.token(48), self._entropy.token()
        wish = CodeWish(scope=" ".join(SCOPES), challenge=s256(verifier), nonce=nonce)
        return Minted(
            issuer=self.issuer,
            redirect_uri=self.client.redirect_uri,
            code=self.authorize(session_key, wish),
            code_verifier=verifier,
            nonce=nonce,
            life=CODE_LIFE,
        )

    def authorize(self, session_key: str, wish: CodeWish) -> str:
        """Return a single-use code that fits the relying party's own challenge and nonce."""
        code = new_token(self._entropy.token(16), self._entropy)
        record = GrantRecord(
            session_key=session_key,
            client_id=self.client.client_id,
            redirect_uri=self.client.redirect_uri,
            scope=wish.scope,
            challenge=wish.challenge,
            nonce=wish.nonce,
            code_stored=code.stored_as(TokenKind.CODE),
        )
        self._grants.put(code.grant, record, ttl=CODE_LIFE)
        self._watch.note(
            FlowStep.CODE_MINTED,
            session_key=session_key,
            code=code_mark(code.text),
            facts={"life_s": int(CODE_LIFE.total_seconds())},
        )
        return code.text

    def vouch(self, session_key: str) -> Principal:
        """Return whose session this is. Raises SignInRequiredError, IdentityProviderDownError."""
        return self._witness.vouch(session_key)

    def redeem(
        self,
        unverified_code: str,
        *,
        client_id: str,
        redirect_uri: str | None,
        code_verifier: str | None,
    ) -> Issued:
        """Spend a code. Whatever does not fit burns it; a second use revokes what the first gave.

        Raises CodeRefusedError, or IdentityProviderDownError, after which the code is still good.
        """
        code = parsed(unverified_code)
        held = None if code is None else self._grants.get(code.grant)
        if code is None or held is None:
            raise self._unknown_code(unverified_code)
        grant = held.record
        if not code.is_stored_as(grant.code_stored, TokenKind.CODE):
            raise self._unknown_code(unverified_code)
        if grant.redeemed:
            # RFC 6749 section 4.1.2: somebody has a code that is not theirs. Perhaps the first.
            self._refuse_code(code, grant, "the code was used before: its tokens are revoked")
        if client_id != grant.client_id or redirect_uri != grant.redirect_uri:
            self._refuse_code(code, grant, "client or redirect_uri differ from the request")
        if not fits(code_verifier or "", grant.challenge):
            self._refuse_code(code, grant, "code_verifier does not fit (RFC 7636 section 4.6)")
        try:
            principal = self._witness.vouch(grant.session_key)
        except SignInRequiredError:
            self._refuse_code(code, grant, "the session has ended")
        return self._first_tokens(code, held, principal)

    def refresh(self, unverified_token: str, *, client_id: str, scope: str | None = None) -> Issued:
        """Spend a refresh token for the next pair.

        For 30 s the same token gives the same pair, however often and from wherever it is asked:
        an answer may get lost. After that its reuse means theft and revokes the whole grant.
        Raises RefreshRefusedError, RequestRefusedError for a scope beyond the grant, or
        IdentityProviderDownError, after which nothing is spent.
        """
        token = parsed(unverified_token)
        while token is not None:
            held = self._grants.get(token.grant)
            if held is None or not held.record.redeemed or held.record.client_id != client_id:
                break
            issued = self._refreshed(token, held, scope)
            if issued is not None:
                return issued
            # Somebody changed the grant meanwhile: look again how the token stands now.
        raise RefreshRefusedError("no such refresh token")

    def identify(self, unverified_access_token: str | None) -> dict[str, str] | None:
        """Return the claims that an access token opens, or None: it is not good (any more)."""
        token = parsed(unverified_access_token)
        held = None if token is None else self._grants.get(token.grant)
        if token is None or held is None:
            return None
        mark = held.record.living_access(token, now=self._clock.now())
        if mark is None:
            return None
        try:
            principal = self._witness.vouch(held.record.session_key)
        except SignInRequiredError:
            return None
        return released_claims(principal, mark.scope)

    def revoke(self, unverified_token: str, *, client_id: str) -> bool:
        """Revoke a token of that client; say whether there was one (RFC 7009 section 2).

        A refresh token takes everything of its grant along, an access token only itself.
        """
        token = parsed(unverified_token)
        while token is not None:
            held = self._grants.get(token.grant)
            if held is None or held.record.client_id != client_id:
                break
            grant = held.record
            if token.is_stored_as(grant.refresh_stored, TokenKind.REFRESH):
                return self._grants.delete(token.grant)
            without = grant.without_access(token)
            if without.access == grant.access:
                break
            if self._saved(token, without, held.version):
                return True
        return False

    def sid(self, session_key: str) -> str:
        """Return the `sid` claim of a session: stable, and of no use for finding its cookie."""
        return fingerprint("sid", session_key)

    def logout_hint(self, unverified: str) -> LogoutHint | None:
        """Return what an ID token says that comes back as a hint; None if it is not one of ours."""
        claims = self._press.read_hint(unverified, audience=self.client.client_id)
        if claims is None:
            return None
        held = self._sids.get(str(claims.get("sid")))
        return LogoutHint(session_key=None if held is None else held.record.session_key)

    def _first_tokens(
        self, code: OpaqueToken, held: Held[GrantRecord], principal: Principal
    ) -> Issued:
        now = self._clock.now()
        grant = held.record
        access = new_token(code.grant, self._entropy)
        refresh = new_token(code.grant, self._entropy) if OFFLINE in grant.scope.split() else None
        mark = self._access_mark(access, grant.scope, now)
        redeemed = replace(
            grant.with_access(mark, now=now),
            redeemed=True,
            refresh_stored=refresh.stored_as(TokenKind.REFRESH) if refresh else None,
        )
        if not self._saved(code, redeemed, held.version):
            # Two redemptions at once are a replay too, and this one came second.
            self._refuse_code(code, grant, "the code was used meanwhile: its tokens are revoked")
        self._watch.note(
            FlowStep.CODE_REDEEMED,
            session_key=grant.session_key,
            code=code_mark(code.text),
            facts={"refresh_token": refresh is not None},
        )
        return self._issued(redeemed, mark, principal, access, refresh, nonce=grant.nonce)

    def _refreshed(
        self, token: OpaqueToken, held: Held[GrantRecord], scope: str | None
    ) -> Issued | None:
        """Return the next pair, or None if the grant changed while we looked at it."""
        grant, now = held.record, self._clock.now()
        before = grant.spent_lately(token, now=now, window=RETRY_WINDOW)
        if before is None and not token.is_stored_as(grant.refresh_stored, TokenKind.REFRESH):
            self._grants.delete(token.grant)
            log.warning("session %s: refresh token reused: grant revoked", grant.session_key[:8])
            self._refresh_refused(grant, "the refresh token was used before")
            raise RefreshRefusedError("the refresh token was used before, or was never ours")
        try:
            principal = self._witness.vouch(grant.session_key)
        except SignInRequiredError as error:
            self._grants.delete(token.grant)
            self._refresh_refused(grant, "the session has ended")
            raise RefreshRefusedError("the session has ended") from error
        if before is not None:
            return self._again(token, grant, before, principal)
        return self._rotated(token, held, principal, narrowed(grant.scope, scope))

    def _rotated(
        self, token: OpaqueToken, held: Held[GrantRecord], principal: Principal, scope: str
    ) -> Issued | None:
        now = self._clock.now()
        salt = self._entropy.token()
        refresh = successor(token, salt=salt, kind=TokenKind.REFRESH)
        access = successor(token, salt=salt, kind=TokenKind.ACCESS)
        mark = self._access_mark(access, scope, now)
        spent = SpentRefresh(
            stored=token.stored_as(TokenKind.REFRESH),
            salt=salt,
            scope=scope,
            spent_at=now,
            access_ends_at=mark.ends_at,
        )
        rotated = held.record.with_access(mark, now=now).spending(
            spent,
            next_stored=refresh.stored_as(TokenKind.REFRESH),
            now=now,
            window=RETRY_WINDOW,
        )
        if not self._saved(token, rotated, held.version):
            return None
        self._watch.note(
            FlowStep.GENESYS_REFRESHED,
            session_key=held.record.session_key,
            facts={"life_s": int(self._access_life.total_seconds())},
        )
        return self._issued(rotated, mark, principal, access, refresh)

    def _again(
        self, token: OpaqueToken, grant: GrantRecord, spent: SpentRefresh, principal: Principal
    ) -> Issued:
        access = successor(token, salt=spent.salt, kind=TokenKind.ACCESS)
        refresh = successor(token, salt=spent.salt, kind=TokenKind.REFRESH)
        mark = AccessMark(
            stored=access.stored_as(TokenKind.ACCESS),
            scope=spent.scope,
            ends_at=spent.access_ends_at,
        )
        return self._issued(grant, mark, principal, access, refresh)

    def _issued(
        self,
        grant: GrantRecord,
        mark: AccessMark,
        principal: Principal,
        access: OpaqueToken,
        refresh: OpaqueToken | None,
        *,
        nonce: str | None = None,
    ) -> Issued:
        sid = self.sid(grant.session_key)
        self._sids.put(sid, SidMark(session_key=grant.session_key), ttl=REFRESH_LIFE)
        facts = IdTokenFacts(
            audience=grant.client_id,
            scope=mark.scope,
            sid=sid,
            access_token=access.text,
            nonce=nonce,
        )
        return Issued(
            access_token=access.text,
            refresh_token=refresh.text if refresh else None,
            id_token=self._press.press(principal, facts),
            scope=mark.scope,
            # A retry late in the window may find a very short-lived token at its end.
            expires_in=max(mark.ends_at - self._clock.now(), timedelta(seconds=1)),
        )

    def _access_mark(self, access: OpaqueToken, scope: str, now: datetime) -> AccessMark:
        return AccessMark(
            stored=access.stored_as(TokenKind.ACCESS),
            scope=scope,
            ends_at=now + self._access_life,
        )

    def _saved(self, token: OpaqueToken, record: GrantRecord, version: int) -> bool:
        saved = self._grants.replace(token.grant, record, version=version, ttl=REFRESH_LIFE)
        return saved is not None

    def _refresh_refused(self, grant: GrantRecord, why: str) -> None:
        self._watch.note(
            FlowStep.GENESYS_REFRESH_REFUSED, session_key=grant.session_key, facts={"why": why}
        )

    def _refuse_code(self, code: OpaqueToken, grant: GrantRecord, why: str) -> NoReturn:
        self._grants.delete(code.grant)
        log.warning("session %s: %s", grant.session_key[:8], why)
        mark = code_mark(code.text)
        facts = {"why": why}
        self._watch.note(
            FlowStep.CODE_REFUSED, session_key=grant.session_key, code=mark, facts=facts
        )
        raise CodeRefusedError(why)

    def _unknown_code(self, unverified: str) -> CodeRefusedError:
        why = "no such code: it was used, it is too old, or it was never ours"
        self._watch.note(FlowStep.CODE_REFUSED, code=code_mark(unverified), facts={"why": why})
        return CodeRefusedError("no such code")
