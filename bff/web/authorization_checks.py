"""What an authorization request must satisfy beyond what Authlib asks."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, OAuth2Error
from authlib.oidc.core.errors import LoginRequiredError

from bff.broker.exchanges import CodeWish
from bff.broker.opaque_tokens import is_s256_challenge
from bff.broker.session_witness import Principal
from bff.ports import Clock
from bff.signin.sign_in import AHEAD

PROMPTS_WITHOUT_US: Final = frozenset({"login", "select_account"})
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_UNSUPPORTED: Final = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Whose browser asks."""

    session_key: str
    principal: Principal


class CarefulAuthorization:
    """An extension of the code grant; hooks run in Authlib's validation."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, grant: Any) -> None:
        """Join the grant."""
        grant.register_hook("after_validate_authorization_request_payload", self.check_request)
        grant.register_hook("after_validate_consent_request", self.check_visitor)

    def check_request(self, grant: Any, _: object) -> None:
        """Check the parameters. Errors go back to the client, whose redirect URI is known good."""
        asked = grant.request.payload.data
        for name, error in _UNSUPPORTED.items():
            if name in asked:
                raise OAuth2Error(error=error)
        if "openid" not in asked.get("scope", "").split():
            raise InvalidScopeError("The scope must contain openid.")
        if asked.get("response_mode", "query") != "query":
            raise InvalidRequestError("Only response_mode=query is supported.")
        # RFC 9700 section 2.1.1. Without the method `plain` would be meant, which protects nobody
        # who can read the request.
        if asked.get("code_challenge_method") != "S256":
            raise InvalidRequestError("code_challenge_method must be S256.")
        if not is_s256_challenge(asked.get("code_challenge", "")):
            raise InvalidRequestError("code_challenge is missing or malformed.")
        if "max_age" in asked and not _SECONDS.fullmatch(asked["max_age"]):
            raise InvalidRequestError("max_age is not a number of seconds.")
        prompts = asked.get("prompt", "").split()
        if "none" in prompts and len(prompts) > 1:
            raise InvalidRequestError("prompt=none stands alone.")

    def check_visitor(self, grant: Any, redirect_uri: str) -> None:
        """Let pass whoever is signed in, recently enough; nobody else can be helped here.

        Signing in happens on the brand page; we have no screen for it in the middle of a
        relying party's redirect, and our Strict cookie does not travel with one from another site.
        """
        asked = grant.request.payload.data
        visitor: Visitor | None = grant.request.user
        again = PROMPTS_WITHOUT_US.intersection(asked.get("prompt", "").split())
        if visitor is None or again or self._too_old(visitor, asked.get("max_age")):
            raise LoginRequiredError(redirect_uri=redirect_uri)

    def _too_old(self, visitor: Visitor, max_age: str | None) -> bool:
        """OIDC Core 3.1.2.1: beyond `max_age` the person must sign in anew."""
        if max_age is None:
            return False
        auth_time = visitor.principal.auth_time
        if auth_time is None:
            return True
        age = self._clock.now() - auth_time
        # Sessions of versions before this one may hold a moment that is still to come.
        return age < -AHEAD or age > timedelta(seconds=int(max_age))


def wish_of(grant: Any) -> CodeWish:
    """Return what a checked request asks for."""
    asked = grant.request.payload.data
    return CodeWish(
        scope=grant.request.scope,
        challenge=asked["code_challenge"],
        nonce=asked.get("nonce") or None,
    )
