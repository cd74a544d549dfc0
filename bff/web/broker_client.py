"""The relying party as Authlib asks about it, and how it proves to be itself."""

import hmac
from typing import Final
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import ClientMixin, InvalidClientError, InvalidRequestError
from flask import request

from bff.broker.exchanges import BrokerClient
from bff.broker.scopes import scopes_of

AUTH_METHODS: Final = ("client_secret_basic", "client_secret_post")
GRANT_TYPES: Final = ("authorization_code", "refresh_token")
RESPONSE_TYPE: Final = "code"


class RegisteredClient(ClientMixin):
    """Answers Authlib's questions about the one client."""

    def __init__(self, client: BrokerClient) -> None:
        self.known = client

    def get_client_id(self) -> str:
        """Return its id."""
        return self.known.client_id

    def get_default_redirect_uri(self) -> None:
        """Return nothing: a request must always name its redirect URI."""

    def get_allowed_scope(self, scope: str | None) -> str:
        """Return the scopes that we know among the asked ones."""
        return scopes_of(scope)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Compare to the letter (RFC 9700 section 2.1): no prefix, port or case is forgiven."""
        return redirect_uri == self.known.redirect_uri

    def check_response_type(self, response_type: str) -> bool:
        """Allow codes only."""
        return response_type == RESPONSE_TYPE

    def check_grant_type(self, grant_type: str) -> bool:
        """Allow codes and refresh tokens."""
        return grant_type in GRANT_TYPES


def authenticated(client: BrokerClient) -> RegisteredClient:
    """Return the client if this request proves to be from it, by header or by form.

    Raises InvalidClientError, or InvalidRequestError if both ways are tried at once (RFC 6749
    section 2.3).
    """
    by_form = "client_secret" in request.form
    header = request.authorization
    if header is not None:
        if by_form:
            raise InvalidRequestError("Two ways of client authentication.")
        pairs = _basic_pairs(header.username, header.password) if header.type == "basic" else ()
    else:
        pairs = ((request.form.get("client_id", ""), request.form.get("client_secret", "")),)
    if not any(_is(client, *pair) for pair in pairs):
        raise InvalidClientError("Client authentication failed.", status_code=401)
    if request.form.get("client_id", client.client_id) != client.client_id:
        raise InvalidRequestError("client_id is not the authenticated client.")
    return RegisteredClient(client)


def _basic_pairs(name: str | None, secret: str | None) -> tuple[tuple[str, str], ...]:
    """Return the credentials as sent, and as RFC 6749 section 2.3.1 says that they are encoded.

    Many clients forget to encode. A secret that reads differently both ways is accepted in both.
    """
    raw = (name or "", secret or "")
    return (raw, (unquote_plus(raw[0]), unquote_plus(raw[1])))


def _is(client: BrokerClient, client_id: str, secret: str) -> bool:
    same_id = hmac.compare_digest(client.client_id.encode(), client_id.encode())
    same_secret = hmac.compare_digest(client.client_secret.encode(), secret.encode())
    return same_id and same_secret
