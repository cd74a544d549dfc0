"""Mints ID tokens and logout tokens: right by default, wrong in exactly one way when told."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from bff.ports import Clock, Entropy
from bff.simulator.provider_faults import Fault, FaultBoard, PlantedFault
from bff.simulator.provider_grants import Grant
from bff.simulator.provider_settings import ACR_BY_STRENGTH, ProviderClient, ProviderSettings
from bff.simulator.provider_signing import SigningKeys, signed_with_secret, spoiled, unsigned

OTHER_ISSUER: Final = "http://other-provider.localhost"
OTHER_CLIENT: Final = "another-client"
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"

Claims = dict[str, Any]


def _without(name: str) -> Callable[[Claims, PlantedFault], Claims]:
    return lambda claims, _: {key: value for key, value in claims.items() if key != name}


def _expired(claims: Claims, planted: PlantedFault) -> Claims:
    end = claims["iat"] - int(planted.seconds(3600))
    return {**claims, "exp": end, "iat": end - 300}


def _in_future(claims: Claims, planted: PlantedFault) -> Claims:
    ahead = int(planted.seconds(600))
    return {**claims, "iat": claims["iat"] + ahead, "exp": claims["exp"] + ahead}


_CLAIM_FAULTS: Final[Mapping[Fault, Callable[[Claims, PlantedFault], Claims]]] = {
    Fault.ISSUER_WRONG: lambda c, p: {**c, "iss": p.text(OTHER_ISSUER)},
    Fault.AUDIENCE_FOREIGN: lambda c, _: {**c, "aud": OTHER_CLIENT, "azp": c["aud"]},
    Fault.AUDIENCE_LIST_FOREIGN: lambda c, _: {**c, "aud": [OTHER_CLIENT], "azp": c["aud"]},
    Fault.AUDIENCE_LIST: lambda c, p: {
        **c,
        "aud": [c["aud"], p.text(OTHER_CLIENT)],
        "azp": c["aud"],
    },
    Fault.AZP_WRONG: lambda c, _: {**c, "azp": OTHER_CLIENT},
    Fault.SUBJECT_MISSING: _without("sub"),
    Fault.NONCE_WRONG: lambda c, _: {**c, "nonce": "a-nonce-nobody-asked-for"},
    Fault.NONCE_MISSING: _without("nonce"),
    Fault.EXPIRED: _expired,
    Fault.ISSUED_IN_FUTURE: _in_future,
    Fault.AUTH_TIME_OLD: lambda c, p: {**c, "auth_time": c["iat"] - int(p.seconds(86400))},
    Fault.AUTH_TIME_MISSING: _without("auth_time"),
    Fault.ACR_LOWER: lambda c, _: {**c, "acr": ACR_BY_STRENGTH[0]},
    Fault.ACR_MISSING: _without("acr"),
}


class LogoutDefect(StrEnum):
    """One way to break a logout token (OIDC Back-Channel Logout 2.4 and 2.6)."""

    AUDIENCE_WRONG = "audience_wrong"
    ISSUER_WRONG = "issuer_wrong"
    TYPE_WRONG = "type_wrong"
    TYPE_MISSING = "type_missing"
    NONCE_PRESENT = "nonce_present"
    EVENTS_MISSING = "events_missing"
    EVENTS_OTHER = "events_other"
    EVENTS_NO_OBJECT = "events_no_object"
    ISSUED_IN_FUTURE = "issued_in_future"
    ISSUED_LONG_AGO = "issued_long_ago"
    EXPIRED = "expired"
    IAT_MISSING = "iat_missing"
    EXP_MISSING = "exp_missing"
    JTI_MISSING = "jti_missing"
    JTI_REPLAYED = "jti_replayed"
    NOBODY_NAMED = "nobody_named"
    SUBJECT_EMPTY = "subject_empty"
    SIGNATURE_BAD = "signature_bad"
    ALGORITHM_NONE = "algorithm_none"
    ALGORITHM_HS256 = "algorithm_hs256"
    KID_UNKNOWN = "kid_unknown"


_CLAIM_DEFECTS: Final[Mapping[LogoutDefect, Callable[[Claims], Claims]]] = {
    LogoutDefect.AUDIENCE_WRONG: lambda c: {**c, "aud": OTHER_CLIENT},
    LogoutDefect.ISSUER_WRONG: lambda c: {**c, "iss": OTHER_ISSUER},
    LogoutDefect.NONCE_PRESENT: lambda c: {**c, "nonce": "an-id-token-in-disguise"},
    LogoutDefect.EVENTS_OTHER: lambda c: {**c, "events": {"urn:example:other": {}}},
    LogoutDefect.EVENTS_NO_OBJECT: lambda c: {**c, "events": [LOGOUT_EVENT]},
    LogoutDefect.ISSUED_IN_FUTURE: lambda c: {**c, "iat": c["iat"] + 600, "exp": c["exp"] + 600},
    LogoutDefect.ISSUED_LONG_AGO: lambda c: {**c, "iat": c["iat"] - 86400},
    LogoutDefect.EXPIRED: lambda c: {**c, "iat": c["iat"] - 3720, "exp": c["iat"] - 3600},
    LogoutDefect.SUBJECT_EMPTY: lambda c: {**c, "sub": ""},
}

_MISSING_CLAIMS: Final[Mapping[LogoutDefect, tuple[str, ...]]] = {
    LogoutDefect.EVENTS_MISSING: ("events",),
    LogoutDefect.IAT_MISSING: ("iat",),
    LogoutDefect.EXP_MISSING: ("exp",),
    LogoutDefect.JTI_MISSING: ("jti",),
    LogoutDefect.NOBODY_NAMED: ("sub", "sid"),
}

_HEADER_DEFECTS: Final[Mapping[LogoutDefect, Mapping[str, Any]]] = {
    LogoutDefect.TYPE_WRONG: {"typ": "JWT"},
    LogoutDefect.TYPE_MISSING: {"typ": None},
    LogoutDefect.KID_UNKNOWN: {"kid": "a-key-nobody-knows"},
}


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutTarget:
    """Whom a logout token is about: a session, a person, or both."""

    client: ProviderClient
    subject: str | None = None
    sid: str | None = None


class TokenPress:
    """Mints for one provider. `issuer` is an argument: the port may be known late."""

    def __init__(
        self,
        *,
        clock: Clock,
        entropy: Entropy,
        settings: ProviderSettings,
        keys: SigningKeys,
        faults: FaultBoard,
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._settings = settings
        self._keys = keys
        self._faults = faults
        self._last_jti = entropy.token(16)

    def id_token(self, grant: Grant, client: ProviderClient, *, issuer: str) -> str | None:
        """Return an ID token (OIDC Core 2), or what the planted faults make of it."""
        if self._faults.take(Fault.ID_TOKEN_MISSING):
            return None
        claims = self._id_token_claims(grant, issuer=issuer)
        for fault, change in _CLAIM_FAULTS.items():
            planted = self._faults.take(fault)
            if planted is not None:
                claims = change(claims, planted)
        return self._sealed(claims, client)

    def logout_token(
        self,
        target: LogoutTarget,
        *,
        issuer: str,
        defects: Collection[LogoutDefect] = (),
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Return a logout token; `claims` override single claims, None removes one."""
        body = self._logout_claims(target, issuer=issuer, replayed="jti_replayed" in defects)
        header: dict[str, Any] = {"typ": "logout+jwt"}
        for defect in defects:
            header.update(_HEADER_DEFECTS.get(defect, {}))
            body = _CLAIM_DEFECTS[defect](body) if defect in _CLAIM_DEFECTS else body
            missing = _MISSING_CLAIMS.get(defect, ())
            body = {name: value for name, value in body.items() if name not in missing}
        body.update(claims or {})
        body = {name: value for name, value in body.items() if value is not None}
        return self._sealed_logout(body, header, target.client, defects)

    def _id_token_claims(self, grant: Grant, *, issuer: str) -> Claims:
        now = self._clock.now()
        claims: Claims = {
            "iss": issuer,
            "sub": grant.person.subject,
            "aud": grant.client_id,
            "iat": _seconds(now),
            "exp": _seconds(now + self._settings.lifetimes.id_token),
            "auth_time": _seconds(grant.auth_time),
            "acr": grant.acr,
            "sid": grant.sid,
        }
        if grant.nonce is not None:
            claims["nonce"] = grant.nonce
        if self._settings.claims_in_id_token:
            claims.update(grant.person.claims(grant.scopes))
        return claims

    def _sealed(self, claims: Claims, client: ProviderClient) -> str:
        if self._faults.take(Fault.ALGORITHM_NONE):
            return unsigned(claims)
        if self._faults.take(Fault.ALGORITHM_HS256):
            return signed_with_secret(claims, client.client_secret)
        unknown = self._faults.take(Fault.KID_UNKNOWN)
        header = {"kid": self._entropy.token(9)} if unknown else {}
        token = self._keys.sign(claims, header={"typ": "JWT", **header})
        return spoiled(token) if self._faults.take(Fault.SIGNATURE_BAD) else token

    def _logout_claims(self, target: LogoutTarget, *, issuer: str, replayed: bool) -> Claims:
        now = self._clock.now()
        if not replayed:
            self._last_jti = self._entropy.token(16)
        return {
            "iss": issuer,
            "aud": target.client.client_id,
            "iat": _seconds(now),
            "exp": _seconds(now + self._settings.lifetimes.logout_token),
            "jti": self._last_jti,
            "events": {LOGOUT_EVENT: {}},
            "sub": target.subject,
            "sid": target.sid,
        }

    def _sealed_logout(
        self,
        claims: Claims,
        header: Mapping[str, Any],
        client: ProviderClient,
        defects: Collection[LogoutDefect],
    ) -> str:
        if LogoutDefect.ALGORITHM_NONE in defects:
            return unsigned(claims, header=header)
        if LogoutDefect.ALGORITHM_HS256 in defects:
            return signed_with_secret(claims, client.client_secret, header=header)
        token = self._keys.sign(claims, header=header)
        return spoiled(token) if LogoutDefect.SIGNATURE_BAD in defects else token
