"""One identity provider, spoken to with Authlib's requests client, hardened where it is lenient."""

import json
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal
from urllib.parse import quote_plus, urlencode

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jws
from joserfc.errors import JoseError
from requests.auth import HTTPBasicAuth

from bff.adapters.http_client import AnswerTooLongError, guard, http_session
from bff.adapters.provider_metadata import FETCH_LIMIT_S, ProviderMetadata, fetch_json
from bff.adapters.token_answers import sorted_answer
from bff.adapters.verified_tokens import LOGOUT_TYPE, TokenVerifier
from bff.errors import (
    ClientRefusedError,
    IdentityProviderDownError,
    IssuerMixUpError,
    ProviderAnswerError,
    SignInDeniedError,
    TokensRefusedError,
)
from bff.ports import (
    AuthorizationRequest,
    Clock,
    Demands,
    Entropy,
    LogoutNotice,
    TokenSet,
    VerifiedIdentity,
)

log = logging.getLogger(__name__)

DEFAULT_TOKEN_LIFE_S: Final = 300
LONGEST_TOKEN_LIFE_S: Final = 366 * 86400
REVOKE_TIMEOUT_S: Final = 5
SIGNED_ONLY: Final = frozenset(
    {"iss", "sub", "aud", "azp", "exp", "nbf", "iat", "auth_time", "nonce", "acr", "amr", "sid"}
)
"""Facts about a sign-in: from the ID token, which is signed and checked, never from userinfo."""

WANTED_CLAIMS: Final = ("email", "given_name", "family_name", "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRegistration:
    """How we are registered at one provider, and what we ask it for."""

    name: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    extra_parameters: tuple[tuple[str, str], ...] = ()
    token_auth: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"  # noqa: S105 - a method's name
    userinfo: Literal["when_needed", "always", "never"] = "when_needed"
    logout_types: tuple[str, ...] = (LOGOUT_TYPE,)


class OpenIdClient:
    """An IdentityProvider (ports) over HTTP."""

    def __init__(
        self, registration: ProviderRegistration, *, clock: Clock, entropy: Entropy
    ) -> None:
        self.name = registration.name
        self._registration = registration
        self._clock = clock
        self._entropy = entropy
        self.metadata = ProviderMetadata(
            registration.issuer, http=http_session(total_s=FETCH_LIMIT_S), clock=clock
        )
        self._tokens = TokenVerifier(
            self.metadata,
            client_id=registration.client_id,
            clock=clock,
            logout_types=registration.logout_types,
        )

    def authorization_request(self, *, redirect_uri: str, demands: Demands) -> AuthorizationRequest:
        """Prepare a code + PKCE request with fresh state, nonce and verifier (RFC 7636)."""
        state, nonce, verifier = (self._entropy.token() for _ in range(3))
        asked: dict[str, str] = dict(self._registration.extra_parameters)
        if demands.prompt:
            asked["prompt"] = demands.prompt
        if demands.max_age is not None:
            asked["max_age"] = str(int(demands.max_age.total_seconds()))
        if demands.acr_values:
            asked["acr_values"] = " ".join(demands.acr_values)
        asked |= self._expected(demands)
        url, _ = self._session().create_authorization_url(
            self.metadata.endpoint("authorization_endpoint"),
            state=state,
            code_verifier=verifier,
            redirect_uri=redirect_uri,
            scope=" ".join(self._registration.scopes),
            nonce=nonce,
            **asked,
        )
        return AuthorizationRequest(url=url, state=state, nonce=nonce, code_verifier=verifier)

    def _expected(self, demands: Demands) -> dict[str, str]:
        """Return the parameters that name the person (OIDC Core 3.1.2.1, 5.5.1)."""
        asked: dict[str, str] = {}
        if demands.login_hint:
            asked["login_hint"] = demands.login_hint
        if demands.id_token_hint:
            asked["id_token_hint"] = demands.id_token_hint
        if demands.subject and (not demands.subject_if_public or self._subjects_are_public()):
            wanted = {"id_token": {"sub": {"value": demands.subject, "essential": True}}}
            asked["claims"] = json.dumps(wanted)
        return asked

    def binds_subject(self, demands: Demands) -> bool:
        """Say whether a request with these `demands` is answered for their `subject` or nobody.

        OIDC Core 3.1.2.2 forbids a provider that reads `claims` to answer for anybody else. One
        that does not say that it reads it may ignore it, and shows its form to the user.
        """
        if demands.subject is None:
            return False
        if demands.subject_if_public:
            return self._subjects_are_public()
        return self.metadata.document().get("claims_parameter_supported") is True

    def _subjects_are_public(self) -> bool:
        """Say whether another client's `sub` is ours too (OIDC Core section 8), and can be asked.

        With pairwise subjects nobody would ever fit, and everybody would be asked to sign in.
        """
        document = self.metadata.document()
        return document.get("claims_parameter_supported") is True and document.get(
            "subject_types_supported"
        ) == ["public"]

    def check_response_issuer(self, unverified_iss: str | None) -> None:
        """Raise IssuerMixUpError unless the `iss` parameter is right (RFC 9207 section 2.4)."""
        promised = self.metadata.document().get("authorization_response_iss_parameter_supported")
        if unverified_iss is None and promised is not True:
            return
        if unverified_iss != self.metadata.issuer:
            raise IssuerMixUpError("authorization response: iss is missing or another's")

    def redeem(
        self,
        code: str,
        *,
        redirect_uri: str,
        code_verifier: str,
        nonce: str,
        demands: Demands,
    ) -> VerifiedIdentity:
        """Spend the code, once, and verify what comes back."""
        try:
            answer = self._token_request(
                grant_type="authorization_code",
                code=code,
                redirect_uri=redirect_uri,
                code_verifier=code_verifier,
            )
        except TokensRefusedError as error:
            raise SignInDeniedError(error.detail) from error
        if not isinstance(answer.get("id_token"), str):
            raise ProviderAnswerError("token answer has no id_token")
        claims = self._tokens.id_token(
            answer["id_token"],
            access_token=answer["access_token"],
            nonce=nonce,
            demands=demands,
        )
        tokens = self._token_set(answer, refresh_token=None, id_token=None)
        return VerifiedIdentity(claims=self._with_userinfo(claims, tokens), tokens=tokens)

    def renew(self, tokens: TokenSet) -> TokenSet:
        """Spend the refresh token (RFC 6749 section 6)."""
        if tokens.refresh_token is None:
            raise TokensRefusedError("the provider gave no refresh token")
        answer = self._token_request(grant_type="refresh_token", refresh_token=tokens.refresh_token)
        self._check_same_person(answer, tokens)
        return self._token_set(answer, refresh_token=tokens.refresh_token, id_token=tokens.id_token)

    def revoke(self, tokens: TokenSet) -> None:
        """Revoke the refresh token, or the access token if there is none (RFC 7009)."""
        url = self.metadata.endpoint("revocation_endpoint")
        if url is None:
            return
        hint = "refresh_token" if tokens.refresh_token else "access_token"
        session = self._session()
        try:
            answer = session.revoke_token(
                url,
                auth=self._client_auth(session),
                token=tokens.refresh_token or tokens.access_token,
                token_type_hint=hint,
                timeout=REVOKE_TIMEOUT_S,
            )
        except requests.RequestException as error:
            raise IdentityProviderDownError(f"revocation: {type(error).__name__}") from None
        if answer.status_code >= requests.codes.server_error:
            raise IdentityProviderDownError(f"revocation: {answer.status_code}")
        if answer.status_code != requests.codes.ok:
            raise ProviderAnswerError(f"revocation: {answer.status_code}")

    def end_session_url(self, *, id_token: str | None, return_url: str, state: str) -> str | None:
        """Return where RP-initiated logout goes (OIDC RP-Initiated Logout 1.0), if anywhere."""
        url = self.metadata.endpoint("end_session_endpoint")
        if url is None:
            return None
        query = {
            "client_id": self._registration.client_id,
            "post_logout_redirect_uri": return_url,
            "state": state,
        }
        if id_token:
            query["id_token_hint"] = id_token
        return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"

    def verify_logout_token(self, unverified: str) -> LogoutNotice:
        """Check a back-channel logout token."""
        return self._tokens.logout_token(unverified)

    def _session(self) -> OAuth2Session:
        """Return a client of its own for each call: Authlib's keeps the last token on itself."""
        return guard(
            OAuth2Session(
                client_id=self._registration.client_id,
                client_secret=self._registration.client_secret,
                token_endpoint_auth_method=self._registration.token_auth,
                revocation_endpoint_auth_method=self._registration.token_auth,
                code_challenge_method="S256",
            )
        )

    def _client_auth(self, session: OAuth2Session) -> Any:
        """Return how this client proves itself. Authlib leaves Basic credentials as they are.

        RFC 6749 section 2.3.1 has them form-encoded first, or a `+` or `%` in a secret is read
        as something else.
        """
        if self._registration.token_auth == "client_secret_post":  # noqa: S105 - a method's name
            return session.client_auth(self._registration.token_auth)
        known = (self._registration.client_id, self._registration.client_secret)
        return HTTPBasicAuth(*map(quote_plus, known))

    def _token_request(self, **body: str) -> dict[str, Any]:
        """POST to the token endpoint, exactly once, and sort the answer.

        Raises TokensRefusedError where the user must come again, ClientRefusedError where we are
        refused (a wrong client secret, a scope taken away): that is the operator's business and
        must not sign anybody out.
        """
        url = self.metadata.endpoint("token_endpoint")
        try:
            return sorted_answer(self._post(self._session(), str(url), body))
        except ClientRefusedError as error:
            log.error("provider %s refuses this service: %s", self.name, error.detail)  # noqa: TRY400 - the trace says nothing more
            raise

    def _post(self, session: OAuth2Session, url: str, body: dict[str, str]) -> requests.Response:
        try:
            answer: requests.Response = session.request(
                "POST",
                url,
                withhold_token=True,
                data=body,
                headers={"Accept": "application/json"},
                auth=self._client_auth(session),
                allow_redirects=False,
            )
        except AnswerTooLongError as error:
            raise ProviderAnswerError(f"token endpoint: {error}") from None
        except (requests.RequestException, AuthlibBaseError) as error:
            # No cause: requests' errors carry the prepared request with code and secret.
            raise IdentityProviderDownError(f"token endpoint: {type(error).__name__}") from None
        return answer

    def _token_set(
        self, answer: dict[str, Any], *, refresh_token: str | None, id_token: str | None
    ) -> TokenSet:
        seconds = _life_s(answer.get("expires_in"))
        return TokenSet(
            access_token=answer["access_token"],
            refresh_token=_text(answer.get("refresh_token")) or refresh_token,
            id_token=_text(answer.get("id_token")) or id_token,
            expires_at=self._clock.now() + timedelta(seconds=seconds),
        )

    def _check_same_person(self, answer: dict[str, Any], tokens: TokenSet) -> None:
        """OIDC Core 12.2: an ID token that comes with a refresh names the same person."""
        raw = _text(answer.get("id_token"))
        if raw is None:
            return
        claims = self._tokens.id_token(
            raw, access_token=answer["access_token"], nonce=None, demands=Demands()
        )
        if tokens.id_token and claims["sub"] != _subject(tokens.id_token):
            raise ProviderAnswerError("refresh: the ID token names another person")

    def _with_userinfo(self, claims: dict[str, Any], tokens: TokenSet) -> dict[str, Any]:
        url = self.metadata.endpoint("userinfo_endpoint")
        policy = self._registration.userinfo
        complete = all(claims.get(name) for name in WANTED_CLAIMS[:3])
        if url is None or policy == "never" or (complete and policy == "when_needed"):
            return claims
        session = http_session()
        session.headers["Authorization"] = f"Bearer {tokens.access_token}"
        info = fetch_json(session, url)
        if info.get("sub") != claims["sub"]:
            # OIDC Core 5.3.2: else a stolen access token could lend its names to this session.
            raise ProviderAnswerError("userinfo names another person")
        return {**{name: info[name] for name in info if name not in SIGNED_ONLY}, **claims}


def _life_s(value: object) -> float:
    """Return how long an access token lives, in seconds; whatever is no number is not believed."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return DEFAULT_TOKEN_LIFE_S
    return min(value, LONGEST_TOKEN_LIFE_S)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _subject(verified_before: str) -> str | None:
    """Return `sub` of an ID token that was verified when it came."""
    try:
        payload = jws.extract_compact(verified_before.encode()).payload
        return _text(json.loads(payload).get("sub"))
    except (JoseError, ValueError):
        return None
