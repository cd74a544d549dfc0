"""ID tokens: who signed in, when and for whom (OpenID Connect Core section 2)."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from bff.broker.session_witness import Principal
from bff.broker.signing_keys import SigningKeys
from bff.ports import Clock

LIFE: Final = timedelta(minutes=5)
BACKDATED: Final = timedelta(seconds=5)
"""A relying party whose clock is a little behind refuses an `iat` in the future."""

RESERVED: Final = frozenset(
    {"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "sid"}
    | {"auth_time", "acr", "amr", "at_hash", "c_hash"}
)
"""Claims that say what we say; no mapping of a provider's claims may set one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdTokenFacts:
    """What an ID token says beside who the person is."""

    audience: str
    scope: str
    sid: str
    access_token: str = field(repr=False)
    nonce: str | None = field(default=None, repr=False)


class IdTokenPress:
    """Makes the ID tokens of one issuer, and reads them when they come back as hints."""

    def __init__(self, keys: SigningKeys, clock: Clock, *, issuer: str) -> None:
        self._keys = keys
        self._clock = clock
        self._issuer = issuer

    def press(self, principal: Principal, facts: IdTokenFacts) -> str:
        """Return a signed ID token."""
        issued = self._clock.now() - BACKDATED
        claims: dict[str, Any] = {
            **released_claims(principal, facts.scope),
            "iss": self._issuer,
            "sub": principal.subject,
            "aud": facts.audience,
            "iat": _seconds(issued),
            "exp": _seconds(issued + LIFE),
            "at_hash": left_half_hash(facts.access_token),
            "sid": facts.sid,
        }
        if principal.auth_time is not None:
            claims["auth_time"] = _seconds(principal.auth_time)
        if principal.acr is not None:
            claims["acr"] = principal.acr
        if facts.nonce is not None:
            claims["nonce"] = facts.nonce
        return self._keys.sign(claims)

    def read_hint(self, unverified: str, *, audience: str) -> Mapping[str, Any] | None:
        """Return the claims of an ID token of ours for that client, however old.

        RP-Initiated Logout section 2: a hint is accepted although it has expired.
        """
        claims = self._keys.read(unverified)
        if claims is None or claims.get("iss") != self._issuer or claims.get("aud") != audience:
            return None
        return claims


def released_claims(principal: Principal, scope: str) -> dict[str, str]:
    """Return the person's claims that `scope` covers (OIDC Core 5.4), `sub` always."""
    scopes = scope.split()
    released = {"sub": principal.subject}
    for name, value in principal.claims.items():
        wanted = "email" if name == "email" else "profile"
        if wanted in scopes and name not in RESERVED:
            released[name] = value
    return released


def left_half_hash(access_token: str) -> str:
    """Return `at_hash` (OIDC Core 3.1.3.6): it ties the two tokens of an answer together."""
    digest = hashlib.sha256(access_token.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
