"""Codes, refresh-token families and access tokens: each code once, each refresh token once."""

import base64
import hashlib
import hmac
import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bff.ports import Clock, Entropy
from bff.simulator.provider_people import Person
from bff.simulator.provider_problems import OAuthError
from bff.simulator.provider_settings import ProviderSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a person allowed a client in one sign-on."""

    client_id: str
    person: Person
    scopes: tuple[str, ...]
    sid: str
    auth_time: datetime
    acr: str
    nonce: str | None = field(default=None, repr=False)


@dataclass(slots=True, kw_only=True)
class Family:
    """Everything that grew from one code. One stolen piece ends them all (RFC 9700 4.14.2)."""

    grant: Grant
    revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Code:
    family: Family
    redirect_uri: str
    challenge: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    family: Family
    grant: Grant
    expires_at: datetime
    spent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """What a redemption gave."""

    grant: Grant
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: timedelta


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Grants:
    """The provider's memory of what it handed out. One lock: every redemption is one step."""

    def __init__(self, *, clock: Clock, entropy: Entropy, settings: ProviderSettings) -> None:
        self._clock = clock
        self._entropy = entropy
        self._lifetimes = settings.lifetimes
        self._grace = settings.refresh_grace
        self._lock = threading.Lock()
        self._codes: dict[str, _Code] = {}
        self._spent_codes: dict[str, Family] = {}
        self._refresh: dict[str, _Token] = {}
        self._access: dict[str, _Token] = {}

    def issue_code(self, grant: Grant, *, redirect_uri: str, challenge: str) -> str:
        """Return a code for one redemption."""
        code = self._entropy.token()
        held = _Code(
            family=Family(grant=grant),
            redirect_uri=redirect_uri,
            challenge=challenge,
            expires_at=self._clock.now() + self._lifetimes.code,
        )
        with self._lock:
            self._codes[code] = held
        return code

    def redeem_code(
        self, code: str, *, client_id: str, redirect_uri: str, verifier: str, with_refresh: bool
    ) -> Issue:
        """Spend the code. A second use revokes what the first one got (RFC 6749 4.1.2)."""
        with self._lock:
            if code in self._spent_codes:
                self._spent_codes[code].revoked = True
                raise OAuthError("invalid_grant", "the code was used before")
            held = self._codes.pop(code, None)
            if held is None or held.family.grant.client_id != client_id:
                raise OAuthError("invalid_grant", "the code is unknown")
            # Burned by the first try, whatever comes of it: nobody guesses verifiers twice.
            self._spent_codes[code] = held.family
            if self._clock.now() >= held.expires_at:
                raise OAuthError("invalid_grant", "the code has expired")
            if held.redirect_uri != redirect_uri:
                raise OAuthError("invalid_grant", "redirect_uri differs from the request's")
            if not hmac.compare_digest(held.challenge, challenge_of(verifier)):
                raise OAuthError("invalid_grant", "code_verifier does not fit (RFC 7636 4.6)")
            return self._issue(held.family, held.family.grant, with_refresh=with_refresh)

    def redeem_refresh(self, token: str, *, client_id: str, scopes: tuple[str, ...]) -> Issue:
        """Spend the refresh token for the next pair; reuse ends the family."""
        now = self._clock.now()
        with self._lock:
            held = self._refresh.get(token)
            if held is None or held.family.grant.client_id != client_id:
                raise OAuthError("invalid_grant", "the refresh token is unknown")
            if held.family.revoked or now >= held.expires_at:
                raise OAuthError("invalid_grant", "the refresh token has ended")
            if held.spent_at is not None and now - held.spent_at >= self._grace:
                held.family.revoked = True
                raise OAuthError("invalid_grant", "the refresh token was used before")
            # RFC 6749 section 6: the same scope or less.
            if not set(scopes) <= set(held.grant.scopes):
                raise OAuthError("invalid_scope", "more than was granted")
            self._refresh[token] = replace(held, spent_at=held.spent_at or now)
            narrowed = replace(held.grant, scopes=scopes or held.grant.scopes)
            return self._issue(held.family, narrowed, with_refresh=True)

    def revoke(self, token: str, *, client_id: str) -> bool:
        """Revoke a token of this client (RFC 7009 2.1); say whether there was one."""
        with self._lock:
            refresh = self._refresh.get(token)
            if refresh is not None and refresh.grant.client_id == client_id:
                refresh.family.revoked = True
                return True
            access = self._access.get(token)
            if access is not None and access.grant.client_id == client_id:
                del self._access[token]
                return True
        return False

    def end_of_sign_on(self, sid: str) -> None:
        """Revoke everything that came from this sign-on."""
        with self._lock:
            for held in self._refresh.values():
                if held.grant.sid == sid:
                    held.family.revoked = True

    def revoke_everything(self) -> None:
        """Refuse every refresh token handed out so far."""
        with self._lock:
            for held in self._refresh.values():
                held.family.revoked = True

    def of_access_token(self, token: str) -> Grant | None:
        """Return what a living access token stands for."""
        with self._lock:
            held = self._access.get(token)
        if held is None or held.family.revoked or self._clock.now() >= held.expires_at:
            return None
        return held.grant

    def _issue(self, family: Family, grant: Grant, *, with_refresh: bool) -> Issue:
        now = self._clock.now()
        access = self._entropy.token()
        self._access[access] = _Token(
            family=family, grant=grant, expires_at=now + self._lifetimes.access_token
        )
        refresh = self._entropy.token() if with_refresh else None
        if refresh is not None:
            self._refresh[refresh] = _Token(
                family=family,
                grant=family.grant,
                expires_at=now + self._lifetimes.refresh_token,
            )
        return Issue(
            grant=grant,
            access_token=access,
            refresh_token=refresh,
            expires_in=self._lifetimes.access_token,
        )
