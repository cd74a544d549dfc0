"""What an answer of a token endpoint means: tokens, no answer, the user is refused, we are."""

from typing import Any, Final

import requests

from bff.adapters.http_client import json_object
from bff.adapters.retry_after import retry_after
from bff.errors import (
    ClientRefusedError,
    IdentityProviderDownError,
    ProviderAnswerError,
    TokensRefusedError,
)

USER_REFUSED: Final = frozenset(
    {
        "invalid_grant",  # RFC 6749 5.2
        *("interaction_required", "login_required", "consent_required"),  # OIDC Core 3.1.2.6
        "account_selection_required",
        "access_denied",  # RFC 6749 4.1.2.1; a rule of the provider turned the user away
        "expired_token",  # RFC 8628 3.5
        "invalid_token",  # RFC 6750 3.1, said of the refresh token
        "unmet_authentication_requirements",  # OIDC Unmet Authentication Requirements
        *("insufficient_user_authentication", "mfa_required"),  # RFC 9470 3; Auth0
    }
)
"""By each of these the provider says: this user must come again."""

CLIENT_REFUSED: Final = frozenset(
    {
        *("invalid_client", "unauthorized_client", "unsupported_grant_type"),  # RFC 6749 5.2
        *("invalid_request", "invalid_scope", "invalid_target"),  # RFC 8707 2
        *("invalid_dpop_proof", "use_dpop_nonce"),  # RFC 9449 5, 8
    }
)
"""By each of these it says: this service must be set up otherwise. No user has anything to do."""

SHOWN_CHARS: Final = 64
_BUSY: Final = frozenset({408, 425, 429})
_TEMPORARY: Final = frozenset({"temporarily_unavailable", "server_error", "slow_down"})


def sorted_answer(response: requests.Response) -> dict[str, Any]:
    """Return the tokens of a token endpoint's answer, or raise what it means.

    Raises IdentityProviderDownError (nobody is refused), TokensRefusedError (the user is),
    ClientRefusedError (we are), ProviderAnswerError (it breaks the protocol).
    """
    status = response.status_code
    body = json_object(response)
    error = None if body is None else body.get("error")
    word = error if isinstance(error, str) else ""
    if status >= requests.codes.server_error or status in _BUSY or word in _TEMPORARY:
        raise IdentityProviderDownError(
            f"token endpoint: {status}", retry_after=retry_after(response.headers)
        )
    if status != requests.codes.ok or error is not None:
        raise _refusal(f"token endpoint: {status} {str(error)[:SHOWN_CHARS]!a}", word, status)
    if body is None:
        raise ProviderAnswerError(f"token endpoint: {status} without a JSON object")
    if not isinstance(body.get("access_token"), str):
        raise ProviderAnswerError("token answer has no access_token")
    if str(body.get("token_type", "")).lower() != "bearer":
        raise ProviderAnswerError("token answer is not of type Bearer")
    return body


def _refusal(
    said: str, word: str, status: int
) -> TokensRefusedError | ClientRefusedError | ProviderAnswerError:
    """Return what a refusal means. Its status alone does not tell: providers differ in it."""
    if word in USER_REFUSED:
        return TokensRefusedError(said)
    # RFC 6749 5.2: 401 is for a client that could not authenticate.
    if word in CLIENT_REFUSED or status == requests.codes.unauthorized:
        return ClientRefusedError(said)
    return ProviderAnswerError(said)
