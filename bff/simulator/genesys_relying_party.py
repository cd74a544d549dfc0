"""Redeems codes at the OIDC integration's provider, as any careful relying party does."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from bff.adapters.http_client import http_session
from bff.ports import Clock
from bff.simulator.genesys_settings import ClientAuthentication, OidcIntegration

WELL_KNOWN: Final = "/.well-known/openid-configuration"
DOCUMENT_LIFE: Final = timedelta(minutes=5)
CLOCK_TOLERANCE_S: Final = 5
DEFAULT_TOKEN_LIFE: Final = timedelta(hours=1)
SERVER_ERROR: Final = 500


class ProviderRefusedError(Exception):
    """The provider said no, or what it said does not stand up to checking."""


class ProviderUnreachableError(Exception):
    """The provider did not answer, or only with a 5xx: nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthData:
    """What the page handed over: one of `code` and `id_token`, and what belongs to it."""

    code: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    redirect_uri: str | None = None
    code_verifier: str | None = field(default=None, repr=False)
    nonce: str | None = field(default=None, repr=False)
    max_age: int | None = None
    iss: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTokens:
    """The provider's tokens, kept on the server for as long as the person is signed in."""

    access_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    received_at: datetime
    life: timedelta

    @property
    def expires_at(self) -> datetime:
        """When the access token ends."""
        return self.received_at + self.life


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """Verified claims and the tokens that came with them."""

    claims: Mapping[str, Any]
    tokens: ProviderTokens


class RelyingParty:
    """One integration's client: discovery and keys are cached, codes and tokens are not."""

    def __init__(self, integration: Callable[[], OidcIntegration], clock: Clock) -> None:
        self._integration = integration
        self._clock = clock
        self._lock = threading.Lock()
        self._documents: dict[str, tuple[datetime, dict[str, Any]]] = {}

    def redeem(self, data: AuthData) -> Redeemed:
        """Spend the code, or check the ID token of the implicit flow.

        Raises ProviderRefusedError or ProviderUnreachableError.
        """
        discovery = self._discovery()
        self._check_response_issuer(discovery, data.iss)
        if data.id_token is not None:
            return self._implicit(discovery, data)
        form = {
            "grant_type": "authorization_code",
            "code": data.code,
            "redirect_uri": data.redirect_uri,
        }
        if data.code_verifier is not None:
            form["code_verifier"] = data.code_verifier
        answer = self._ask_token_endpoint(discovery, form)
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise ProviderRefusedError("the token response has no id_token")
        claims = self._verify(discovery, id_token, data)
        return Redeemed(claims=claims, tokens=self._tokens(answer, kept=None))

    def renew(self, tokens: ProviderTokens) -> ProviderTokens:
        """Spend the refresh token. Raises ProviderRefusedError or ProviderUnreachableError."""
        if tokens.refresh_token is None:
            raise ProviderRefusedError("the provider never gave a refresh token")
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
        answer = self._ask_token_endpoint(self._discovery(), form)
        return self._tokens(answer, kept=tokens.refresh_token)

    def _implicit(self, discovery: dict[str, Any], data: AuthData) -> Redeemed:
        claims = self._verify(discovery, data.id_token or "", data)
        now = self._clock.now()
        life = timedelta(seconds=int(claims["exp"]) - int(now.timestamp()))
        tokens = ProviderTokens(
            access_token=None, refresh_token=None, received_at=now, life=max(life, timedelta(0))
        )
        return Redeemed(claims=claims, tokens=tokens)

    def _check_response_issuer(self, discovery: dict[str, Any], iss: str | None) -> None:
        # RFC 9207 section 2.4: where the provider promises `iss`, its absence is an attack.
        promised = discovery.get("authorization_response_iss_parameter_supported") is True
        if (iss is not None or promised) and iss != discovery["issuer"]:
            raise ProviderRefusedError("`iss` of the authorization response is not the issuer")

    def _discovery(self) -> dict[str, Any]:
        uri = self._integration().discovery_uri
        document = self._document(uri)
        # OpenID Connect Discovery 4.3: the issuer must be the one that was asked for.
        if uri != str(document.get("issuer", "")).rstrip("/") + WELL_KNOWN:
            raise ProviderRefusedError("the discovery document names another issuer")
        return document

    def _document(self, url: str, *, fresh: bool = False) -> dict[str, Any]:
        now = self._clock.now()
        with self._lock:
            kept = self._documents.get(url)
        if kept is not None and not fresh and now - kept[0] < DOCUMENT_LIFE:
            return kept[1]
        document = self._json(lambda session: session.get(url))
        with self._lock:
            self._documents[url] = (now, document)
        return document

    def _ask_token_endpoint(
        self, discovery: dict[str, Any], form: Mapping[str, str | None]
    ) -> dict[str, Any]:
        integration = self._integration()
        fields = dict(form)
        auth = None
        if integration.client_authentication is ClientAuthentication.BASIC:
            # RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
            auth = (
                quote(integration.client_id, safe=""),
                quote(integration.client_secret, safe=""),
            )
        else:
            fields |= {
                "client_id": integration.client_id,
                "client_secret": integration.client_secret,
            }
        endpoint = str(discovery["token_endpoint"])
        return self._json(lambda session: session.post(endpoint, data=fields, auth=auth))

    def _json(self, ask: Callable[[requests.Session], requests.Response]) -> dict[str, Any]:
        try:
            with http_session() as session:
                answer = ask(session)
                body = answer.json() if answer.ok else None
        except requests.JSONDecodeError as error:
            raise ProviderRefusedError("the provider's answer is not JSON") from error
        except requests.RequestException as error:
            raise ProviderUnreachableError(type(error).__name__) from error
        if answer.status_code >= SERVER_ERROR:
            raise ProviderUnreachableError(f"the provider answered {answer.status_code}")
        if not isinstance(body, dict):
            raise ProviderRefusedError(f"the provider answered {answer.status_code}")
        return body

    def _tokens(self, answer: dict[str, Any], *, kept: str | None) -> ProviderTokens:
        if not isinstance(answer.get("access_token"), str):
            raise ProviderRefusedError("the token response has no access_token")
        if str(answer.get("token_type", "")).lower() != "bearer":
            raise ProviderRefusedError("the token type is not Bearer")
        seconds = answer.get("expires_in")
        return ProviderTokens(
            access_token=answer["access_token"],
            refresh_token=answer.get("refresh_token") or kept,
            received_at=self._clock.now(),
            life=timedelta(seconds=int(seconds)) if seconds is not None else DEFAULT_TOKEN_LIFE,
        )

    def _verify(self, discovery: dict[str, Any], raw: str, data: AuthData) -> dict[str, Any]:
        try:
            token = self._decode(discovery, raw)
            jwt.JWTClaimsRegistry(
                now=int(self._clock.now().timestamp()),
                leeway=CLOCK_TOLERANCE_S,
                iss={"essential": True, "value": discovery["issuer"]},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
            ).validate(token.claims)
        except (JoseError, ValueError) as error:
            raise ProviderRefusedError(f"id_token: {error}") from error
        self._check_audience(token.claims)
        self._check_request_binding(token.claims, data)
        return dict(token.claims)

    def _decode(self, discovery: dict[str, Any], raw: str) -> jwt.Token:
        keys = KeySet.import_key_set(self._key_document(discovery))
        try:
            return jwt.decode(raw, keys, algorithms=["RS256"])
        except (JoseError, ValueError):
            # An unknown key may be a new one: look again, once, before saying no.
            fresh = KeySet.import_key_set(self._key_document(discovery, fresh=True))
            return jwt.decode(raw, fresh, algorithms=["RS256"])

    def _key_document(self, discovery: dict[str, Any], *, fresh: bool = False) -> Any:
        return self._document(str(discovery["jwks_uri"]), fresh=fresh)

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        """OpenID Connect Core 3.1.3.7, points 3 to 5."""
        client_id = self._integration().client_id
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else list(audience or [])
        if client_id not in audiences:
            raise ProviderRefusedError("id_token: it was made for another client")
        if len(audiences) > 1 and claims.get("azp") != client_id:
            raise ProviderRefusedError("id_token: several audiences and azp is not this client")
        if "azp" in claims and claims["azp"] != client_id:
            raise ProviderRefusedError("id_token: azp is another client")

    def _check_request_binding(self, claims: Mapping[str, Any], data: AuthData) -> None:
        if data.nonce is not None and claims.get("nonce") != data.nonce:
            raise ProviderRefusedError("id_token: the nonce is another one")
        if data.max_age is None:
            return
        auth_time = claims.get("auth_time")
        oldest = self._clock.now().timestamp() - data.max_age - CLOCK_TOLERANCE_S
        if not isinstance(auth_time, int) or auth_time < oldest:
            raise ProviderRefusedError("id_token: the sign-in is older than max_age")
