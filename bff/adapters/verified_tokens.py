"""Signed tokens from a provider: the signature first, then every claim."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from bff.adapters.provider_metadata import REFETCH_PAUSE, ProviderMetadata
from bff.errors import (
    BffError,
    IdentityProviderDownError,
    LogoutTokenError,
    ProviderAnswerError,
    StepUpFailedError,
)
from bff.ports import Clock, Demands, LogoutNotice

log = logging.getLogger(__name__)

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""Asymmetric only: with HS256 whoever knows our client secret could sign, `none` needs no key."""

LEEWAY: Final = timedelta(seconds=30)
LOGOUT_TOKEN_MAX_AGE: Final = timedelta(minutes=5)
LOGOUT_TYPE: Final = "logout+jwt"
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"

_ONCE: Final = {"Ed25519": "EdDSA"}
_MAX_TOKEN_CHARS: Final = 16 * 1024
_LAST_SECOND: Final = 253402300799
"""9999-12-31T23:59:59Z. Beyond it no calendar goes; milliseconds since 1970 lie far beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedToken:
    """Header and claims of a token whose signature is the issuer's. Claims are not checked yet."""

    header: Mapping[str, Any]
    claims: dict[str, Any]


class KeyUnknownError(ProviderAnswerError):
    """It may be genuine: the key is unknown, and was not to be had just now."""


class TokenVerifier:
    """Checks what one provider signed for one client."""

    def __init__(
        self,
        metadata: ProviderMetadata,
        *,
        client_id: str,
        clock: Clock,
        logout_types: Sequence[str] = (LOGOUT_TYPE,),
    ) -> None:
        self._metadata = metadata
        self._logout_types = [kind.lower() for kind in logout_types]
        self._client_id = client_id
        self._clock = clock

    def id_token(
        self, raw: str, *, access_token: str, nonce: str | None, demands: Demands
    ) -> dict[str, Any]:
        """Return the claims of an ID token (OIDC Core 3.1.3.7).

        `nonce` None is for tokens that came with a refresh. Raises ProviderAnswerError, or
        StepUpFailedError if only `demands` are not met.
        """
        token = self.signed(raw)
        self._check_claims(token, access_token=access_token, nonce=nonce)
        claims = self._without_false_times(token.claims)
        self._check_demands(claims, demands)
        return claims

    def signed(self, raw: str, *, by_stranger: bool = False) -> SignedToken:
        """Check the signature and nothing else. Raises ProviderAnswerError.

        What came `by_stranger` may be signed by anybody. Raises KeyUnknownError if it names a key
        that we do not know, and cannot ask for now.
        """
        if len(raw) > _MAX_TOKEN_CHARS:
            raise ProviderAnswerError("signed token is too long")
        try:
            header = jws.extract_compact(raw.encode()).headers()
        except (JoseError, ValueError) as error:
            raise ProviderAnswerError("not a signed token") from error
        if header.get("alg") not in ALGORITHMS:
            raise ProviderAnswerError(f"algorithm refused: {str(header.get('alg'))[:16]}")
        keys: KeySet | None = self._metadata.keys()
        payload = self._payload(raw, header, keys)
        if payload is None:
            named = _is_named(keys, header)
            keys = self._metadata.refetched_keys(by_stranger=by_stranger)
            if keys is None and not named:
                raise KeyUnknownError("signed with a key that we do not know yet")
            payload = self._payload(raw, header, keys)
        if payload is None:
            raise ProviderAnswerError("signature does not verify")
        return SignedToken(header=header, claims=_object(payload))

    def _payload(self, raw: str, header: Mapping[str, Any], keys: KeySet | None) -> bytes | None:
        """Return the payload if one of the fitting keys signed it. `jku` and `jwk` are ignored."""
        for key in () if keys is None else _fitting(keys, header):
            try:
                return jws.deserialize_compact(raw, key, algorithms=list(ALGORITHMS)).payload
            except (JoseError, ValueError):
                continue
        return None

    def _check_claims(self, token: SignedToken, *, access_token: str, nonce: str | None) -> None:
        claims = CodeIDToken(
            token.claims,
            # Authlib hashes for `EdDSA`, and does not know its newer name (RFC 9864).
            {**token.header, "alg": _ONCE.get(token.header["alg"], token.header["alg"])},
            options={
                # Authlib takes a foreign audience when `azp` is ours, unless both are essential.
                "iss": {"essential": True, "value": self._metadata.issuer},
                "aud": {"essential": True, "value": self._client_id},
            },
            params={"client_id": self._client_id, "access_token": access_token, "nonce": nonce},
        )
        now = int(self._clock.now().timestamp())
        leeway = int(LEEWAY.total_seconds())
        try:
            claims.validate(now=now, leeway=leeway)
        except (JoseError, ValueError, TypeError) as error:
            raise ProviderAnswerError(f"ID token: {error}") from error
        if not isinstance(token.claims["sub"], str) or not token.claims["sub"]:
            raise ProviderAnswerError("ID token: sub is empty")
        # Authlib takes `true`, NaN and infinity for a time, and those have never passed.
        issued = _number(token.claims["iat"])
        if issued is None or issued > now + leeway:
            raise ProviderAnswerError("ID token: iat is no time, or lies in the future")
        if any(name in claims and _number(claims[name]) is None for name in ("exp", "nbf")):
            raise ProviderAnswerError("ID token: exp or nbf is no time")

    def _without_false_times(self, claims: dict[str, Any]) -> dict[str, Any]:
        """Return the claims; without `auth_time` if that is no moment at which anybody signed in.

        It is optional, and whoever asks for it (`max_age`) treats a missing one as a failure. A
        moment to come would count as recent until it has passed, and for longer.
        """
        if "auth_time" not in claims:
            return claims
        auth_time = _number(claims["auth_time"])
        latest = (self._clock.now() + LEEWAY).timestamp()
        if auth_time is not None and auth_time <= latest:
            return claims
        log.warning("%s: auth_time is no moment of the past in seconds", self._metadata.issuer)
        return {name: value for name, value in claims.items() if name != "auth_time"}

    def _check_demands(self, claims: Mapping[str, Any], demands: Demands) -> None:
        if demands.max_age is not None:
            auth_time = _number(claims.get("auth_time"))
            longest = (demands.max_age + LEEWAY).total_seconds()
            if auth_time is None or self._clock.now().timestamp() - auth_time > longest:
                raise StepUpFailedError("auth_time is missing or too old")
        if demands.not_before is not None:
            # Whoever holds the browser can take `prompt=login` out of the address. Where the
            # provider does not say when it was, nothing can be told.
            earliest = (demands.not_before - LEEWAY).timestamp()
            if claims.get("auth_time", earliest) < earliest:
                raise StepUpFailedError("prompt=login was not heeded: auth_time is older")
        if demands.acr_values and claims.get("acr") not in demands.acr_values:
            raise StepUpFailedError("acr is missing or not among those asked for")

    def logout_token(self, raw: str) -> LogoutNotice:
        """Check a logout token (OIDC Back-Channel Logout 2.6).

        Raises LogoutTokenError, or IdentityProviderDownError if nobody can tell now: a key was
        replaced, and strangers have used up the one look at the new ones.
        """
        try:
            token = self.signed(raw, by_stranger=True)
        except KeyUnknownError as error:
            self._later_if_plausible(raw, error)
            raise LogoutTokenError(error.detail) from error
        except ProviderAnswerError as error:
            raise LogoutTokenError(error.detail) from error
        problem = self._logout_problem(token)
        if problem:
            raise LogoutTokenError(problem)
        claims = token.claims
        return LogoutNotice(
            # An empty text names nobody: it must not hide the one that does.
            subject=claims.get("sub") or None,
            sid=claims.get("sid") or None,
            jti=claims["jti"],
            issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        )

    def _later_if_plausible(self, raw: str, error: BffError) -> None:
        """Have it sent again if nothing but its key is wrong, as far as we can see."""
        unverified = jws.extract_compact(raw.encode())
        unverified_token = SignedToken(
            header=unverified.headers(), claims=_object(unverified.payload)
        )
        if self._logout_problem(unverified_token) is None:
            raise IdentityProviderDownError(error.detail, retry_after=REFETCH_PAUSE) from error

    def _logout_problem(self, token: SignedToken) -> str | None:  # noqa: PLR0911 - one return a rule
        claims = token.claims
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        # `typ` keeps other tokens of the provider from serving as logout tokens.
        kind = str(token.header.get("typ", "")).lower().removeprefix("application/")
        if kind not in self._logout_types:
            return f"typ {kind[:32]!r} is not among {self._logout_types}"
        if claims.get("iss") != self._metadata.issuer:
            return "iss is not the provider"
        if audiences != [self._client_id]:
            return "aud is not this client alone"
        if "nonce" in claims:
            return "nonce is present"
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
            return "events lack the logout event"
        if not isinstance(claims.get("jti"), str) or not claims["jti"]:
            return "jti is missing"
        named = [claims[name] for name in ("sub", "sid") if claims.get(name) not in (None, "")]
        if not named or not all(isinstance(name, str) for name in named):
            return "neither sub nor sid, or one that is no text"
        return self._logout_time_problem(claims)

    def _logout_time_problem(self, claims: Mapping[str, Any]) -> str | None:
        now = self._clock.now().timestamp()
        leeway = LEEWAY.total_seconds()
        issued = _number(claims.get("iat"))
        expires = _number(claims.get("exp"))
        if issued is None or issued > now + leeway:
            return "iat is missing or lies in the future"
        if issued < now - LOGOUT_TOKEN_MAX_AGE.total_seconds():
            return "iat is too old"
        if expires is None or expires < now - leeway:
            return "exp is missing or has passed"
        return None


def _is_named(keys: KeySet | None, header: Mapping[str, Any]) -> bool:
    """Say whether we know a key of that name: another signature under it is a forgery."""
    return keys is not None and any(key.kid == header.get("kid") for key in keys.keys)


def _fitting(keys: KeySet, header: Mapping[str, Any]) -> list[Key]:
    """Return the keys that may have signed: the named one, or all of the type if none is named."""
    kid = header.get("kid")
    if kid is not None:
        return [key for key in keys.keys if key.kid == kid]
    kinds = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
    kind = kinds[str(header["alg"])[:2]]
    return [key for key in keys.keys if key.key_type == kind]


def _object(payload: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProviderAnswerError("signed token holds no JSON") from error
    if not isinstance(claims, dict):
        raise ProviderAnswerError("signed token holds no object")
    return claims


def _number(value: object) -> float | None:
    """Return a time in seconds since 1970 (RFC 7519 section 2), if it is one that there can be.

    Python's JSON also knows NaN and infinity; comparisons with NaN are false, whichever way.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _LAST_SECOND else None
