"""The Genesys JWT and refresh token: born from a code, renewed when old, revoked at logout."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from bff.ports import Clock, Entropy
from bff.simulator.genesys_errors import PlatformRefusal
from bff.simulator.genesys_limits import HISTORY_JWT_LIFE
from bff.simulator.genesys_relying_party import (
    AuthData,
    ProviderRefusedError,
    ProviderTokens,
    ProviderUnreachableError,
    Redeemed,
)
from bff.simulator.genesys_settings import Behaviour, EarlyRefresh, JwtLife

ISSUER = "genesys-stand-in"
NOT_AUTHORIZED = 401


class Use(StrEnum):
    """A guest JWT opens a socket session; a history JWT reads messages for a minute."""

    GUEST = "guest"
    HISTORY = "history"


class Provider(Protocol):
    """What the desk needs of the relying party."""

    def redeem(self, data: AuthData) -> Redeemed:
        """Spend a code."""

    def renew(self, tokens: ProviderTokens) -> ProviderTokens:
        """Spend a refresh token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who is chatting, as the provider said it."""

    subject: str
    email: str | None
    given_name: str | None
    family_name: str | None

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> "Identity":
        """Take what is there. Userinfo is not asked: names absent here are absent for good."""
        return cls(
            subject=str(claims["sub"]),
            email=claims.get("email"),
            given_name=claims.get("given_name"),
            family_name=claims.get("family_name"),
        )

    def spell(self) -> dict[str, str]:
        """Return the claims that are known."""
        pairs = {
            "sub": self.subject,
            "email": self.email,
            "given_name": self.given_name,
            "family_name": self.family_name,
        }
        return {name: value for name, value in pairs.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What the page gets. Without a provider refresh token there is no refresh token here."""

    jwt: str = field(repr=False)
    refresh_token: str | None = field(repr=False)


@dataclass(slots=True, kw_only=True)
class Grant:
    """One exchange and all that follows from it."""

    name: str
    identity: Identity
    provider_tokens: ProviderTokens = field(repr=False)
    refresh_token: str | None = field(repr=False)
    ends_at: datetime
    jwt: str = field(default="", repr=False)
    jwt_ends_at: float = 0.0
    dead: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


@dataclass(slots=True, kw_only=True)
class Lifetimes:
    """How long tokens live; the control API may change both while people chat."""

    jwt_cap: timedelta
    refresh_token: timedelta


@dataclass(slots=True, kw_only=True)
class TokenCounters:
    """What happened so far, for tests that ask the server and not the page."""

    exchanges: int = 0
    exchanges_refused: int = 0
    refreshes: int = 0
    renewed: int = 0
    same_jwt: int = 0
    refreshes_refused: int = 0
    provider_renewals: int = 0
    revocations: int = 0


class TokenDesk:
    """Issues and checks; the provider is asked only when its access token has ended."""

    def __init__(
        self,
        provider: Provider,
        *,
        lifetimes: Lifetimes,
        behaviour: Callable[[], Behaviour],
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self.lifetimes = lifetimes
        self.counters = TokenCounters()
        self._provider = provider
        self._behaviour = behaviour
        self._clock = clock
        self._entropy = entropy
        self._key = OctKey.import_key(entropy.bytes(32))
        self._grants: dict[str, Grant] = {}
        self._lock = threading.Lock()

    def exchange(self, data: AuthData) -> TokenPair:
        """Turn a code of the brand's provider into tokens of Genesys. Raises PlatformRefusal."""
        self._count("exchanges")
        try:
            redeemed = self._provider.redeem(data)
        except ProviderRefusedError as error:
            self._count("exchanges_refused")
            status = self._behaviour().exchange_refusal_status
            raise PlatformRefusal(status, f"Authentication failed: {error}") from error
        except ProviderUnreachableError as error:
            raise PlatformRefusal(503, f"The identity provider failed: {error}") from error
        grant = self._grant(redeemed)
        return TokenPair(jwt=grant.jwt, refresh_token=grant.refresh_token)

    def refresh(self, refresh_token: str) -> str:
        """Return a JWT. The refresh token stays; an old JWT that still lives is the answer."""
        self._count("refreshes")
        grant = self._by_refresh_token(refresh_token)
        # One at a time: the provider may rotate, and a spent refresh token kills the family.
        with grant.lock:
            now = self._clock.now()
            if grant.dead or now >= grant.ends_at:
                raise self._refused()
            if now.timestamp() < grant.jwt_ends_at:
                return self._early(grant)
            if now >= grant.provider_tokens.expires_at:
                self._ask_provider(grant)
            self._issue(grant)
            self._count("renewed")
            return grant.jwt

    def revoke(self, raw: str) -> Identity:
        """End every grant of the person behind a living JWT."""
        identity = self.identity_of(raw)
        self.kill(identity.subject)
        self._count("revocations")
        return identity

    def kill(self, subject: str) -> None:
        """End every grant of `subject`."""
        for grant in self._all():
            if grant.identity.subject == subject:
                grant.dead = True

    def identity_of(self, raw: str) -> Identity:
        """Return who a guest JWT speaks for. Raises PlatformRefusal 401."""
        claims = self._claims(raw, use=Use.GUEST)
        with self._lock:
            grant = self._grants.get(str(claims.get("sid")))
        if grant is None or grant.dead:
            raise PlatformRefusal(NOT_AUTHORIZED, "The token was revoked.")
        return grant.identity

    def history_jwt(self, session_id: str) -> tuple[str, int]:
        """Return a JWT that reads one session's history, and its end."""
        ends_at = int((self._clock.now() + HISTORY_JWT_LIFE).timestamp())
        return self._sign({"session": session_id, "exp": ends_at}, use=Use.HISTORY), ends_at

    def session_of(self, raw: str) -> str:
        """Return which session a history JWT reads. Raises PlatformRefusal 401."""
        return str(self._claims(raw, use=Use.HISTORY)["session"])

    def reset_counters(self) -> None:
        """Count from nought again."""
        self.counters = TokenCounters()

    def _grant(self, redeemed: Redeemed) -> Grant:
        has_refresh_token = redeemed.tokens.refresh_token is not None
        grant = Grant(
            name=self._entropy.token(16),
            identity=Identity.from_claims(redeemed.claims),
            provider_tokens=redeemed.tokens,
            refresh_token=self._entropy.token(32) if has_refresh_token else None,
            ends_at=self._clock.now() + self.lifetimes.refresh_token,
        )
        self._issue(grant)
        with self._lock:
            self._grants[grant.name] = grant
        return grant

    def _issue(self, grant: Grant) -> None:
        now = self._clock.now()
        tokens = grant.provider_tokens
        bound = tokens.life
        if self._behaviour().jwt_life is JwtLife.REMAINING:
            bound = tokens.expires_at - now
        life = max(min(self.lifetimes.jwt_cap, bound), timedelta(seconds=1))
        grant.jwt_ends_at = int((now + life).timestamp())
        claims = {
            **grant.identity.spell(),
            "sid": grant.name,
            "jti": self._entropy.token(12),
            "iat": int(now.timestamp()),
            "exp": grant.jwt_ends_at,
        }
        grant.jwt = self._sign(claims, use=Use.GUEST)

    def _early(self, grant: Grant) -> str:
        if self._behaviour().early_refresh is EarlyRefresh.REJECT_400:
            raise PlatformRefusal(400, "The token has not expired yet.")
        self._count("same_jwt")
        return grant.jwt

    def _ask_provider(self, grant: Grant) -> None:
        try:
            grant.provider_tokens = self._provider.renew(grant.provider_tokens)
        except ProviderRefusedError as error:
            grant.dead = True
            raise self._refused() from error
        except ProviderUnreachableError as error:
            raise PlatformRefusal(503, f"The identity provider failed: {error}") from error
        self._count("provider_renewals")

    def _refused(self) -> PlatformRefusal:
        self._count("refreshes_refused")
        return PlatformRefusal(NOT_AUTHORIZED, "The refresh token is not valid.")

    def _by_refresh_token(self, refresh_token: str) -> Grant:
        for grant in self._all():
            if grant.refresh_token == refresh_token:
                return grant
        raise self._refused()

    def _all(self) -> list[Grant]:
        with self._lock:
            return list(self._grants.values())

    def _count(self, name: str) -> None:
        with self._lock:
            setattr(self.counters, name, getattr(self.counters, name) + 1)

    def _sign(self, claims: dict[str, Any], *, use: Use) -> str:
        return jwt.encode({"alg": "HS256"}, {"iss": ISSUER, "use": use.value, **claims}, self._key)

    def _claims(self, raw: str, *, use: Use) -> dict[str, Any]:
        try:
            claims = jwt.decode(raw, self._key, algorithms=["HS256"]).claims
        except (JoseError, ValueError) as error:
            raise PlatformRefusal(NOT_AUTHORIZED, "The token is not one of ours.") from error
        if claims.get("use") != use.value:
            raise PlatformRefusal(NOT_AUTHORIZED, "The token is for something else.")
        if self._clock.now().timestamp() >= int(claims["exp"]):
            raise PlatformRefusal(NOT_AUTHORIZED, "The token has expired.")
        return claims
