"""Authlib's authorization server, with every decision about codes and tokens left to the broker."""

import logging
from collections.abc import Mapping
from typing import Any, Final, cast

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import (
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
    OAuth2Payload,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc9207 import IssuerParameter
from flask import Flask, Response, current_app, request

from bff.broker.exchanges import Issued
from bff.errors import CodeRefusedError, RefreshRefusedError, RequestRefusedError
from bff.web.authorization_checks import CarefulAuthorization, Visitor, wish_of
from bff.web.broker_client import RegisteredClient, authenticated
from bff.web.doorway import services

log = logging.getLogger(__name__)

EXTENSION: Final = "messenger-bff-provider"


class _Payload(OAuth2Payload):
    """The form of a POST, the query of a GET, never both mixed."""

    @property
    def data(self) -> Mapping[str, str]:
        return request.form if request.method == "POST" else request.args

    @property
    def datalist(self) -> Mapping[str, list[str]]:
        return {name: self.data.getlist(name) for name in self.data}  # type: ignore[attr-defined]  # a MultiDict


class _Request(OAuth2Request):
    """The current request. Authlib's own class would read a query into a POST."""

    def __init__(self) -> None:
        # Which transport is safe is settled by the settings (`public_url` is https or loopback),
        # not by what a proxy in front left of the scheme, nor by Authlib, which takes no loopback
        # name but `localhost`.
        super().__init__(request.method, f"https://{request.host}{request.path}")
        self.headers = request.headers
        self.payload = _Payload()

    @property
    def args(self) -> Mapping[str, str]:
        return request.args

    @property
    def form(self) -> Mapping[str, str]:
        return request.form


class _CodeGrant(AuthorizationCodeGrant):
    """Codes: asked for at the authorization endpoint, redeemed at the token endpoint."""

    def generate_authorization_code(self) -> str:
        visitor: Visitor = self.request.user
        return services().broker.authorize(visitor.session_key, wish_of(self))

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        """Do nothing: the broker keeps what it makes."""

    def validate_token_request(self) -> None:
        self.request.client = self.authenticate_token_endpoint_client()
        if not self.request.form.get("code"):
            raise InvalidRequestError("code is missing.")

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        form = self.request.form
        try:
            # Authlib reads the code, saves tokens and then deletes the code: in between it can be
            # redeemed again. The broker does all of it in one step.
            issued = services().broker.redeem(
                form["code"],
                client_id=self.request.client.get_client_id(),
                redirect_uri=form.get("redirect_uri"),
                code_verifier=form.get("code_verifier"),
            )
        except CodeRefusedError as error:
            log.info("code refused: %s", error.detail)
            raise InvalidGrantError(error.message) from error
        return 200, _body(issued), self.TOKEN_RESPONSE_HEADER


class _RefreshGrant(RefreshTokenGrant):
    """Refresh tokens, rotated with a window in which a lost answer can be asked for again."""

    def validate_token_request(self) -> None:
        self.request.client = self.authenticate_token_endpoint_client()
        if not self.request.form.get("refresh_token"):
            raise InvalidRequestError("refresh_token is missing.")

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        form = self.request.form
        try:
            issued = services().broker.refresh(
                form["refresh_token"],
                client_id=self.request.client.get_client_id(),
                scope=form.get("scope"),
            )
        except RefreshRefusedError as error:
            log.info("refresh refused: %s", error.detail)
            raise InvalidGrantError(error.message) from error
        except RequestRefusedError as error:
            raise InvalidScopeError from error
        return 200, _body(issued), self.TOKEN_RESPONSE_HEADER


class _Revocation(RevocationEndpoint):
    """Revocation (RFC 7009). What we do not know is as good as revoked: 200."""

    def authenticate_token(self, request: OAuth2Request, *_: object) -> str:
        """Return the token as sent. A hint of another type is no reason to refuse (section 2.1)."""
        token: str | None = request.form.get("token")
        if not token:
            raise InvalidRequestError("token is missing.")
        return token

    def revoke_token(self, token: str, request: OAuth2Request) -> None:
        services().broker.revoke(token, client_id=request.client.get_client_id())


class _Issuer(IssuerParameter):
    """Names us in every authorization response (RFC 9207)."""

    def get_issuer(self) -> str:
        return services().broker.issuer


class BrokerServer(AuthorizationServer):
    """Authlib's server for our one client."""

    def __init__(self) -> None:
        super().__init__(query_client=self._client)
        self._issuer_parameter = _Issuer()
        self.register_extension(self._issuer_parameter)
        self.register_endpoint(_Revocation)
        self.register_grant(_RefreshGrant)

    def answer_authorization(self, visitor: Visitor | None) -> Response:
        """Answer an authorization request whose client and redirect URI are known good."""
        try:
            grant = self.get_consent_grant(end_user=visitor)
            response = self.create_authorization_response(grant_user=visitor, grant=grant)
        except OAuth2Error as error:
            return self.refused_authorization(error)
        return cast("Response", response)

    def refused_authorization(self, error: OAuth2Error) -> Response:
        """Send an error back to the client, with `state` and with our name."""
        error.redirect_uri = services().broker.client.redirect_uri
        error.state = request.args.get("state")
        response = self.handle_error_response(None, error)
        # Authlib adds it to successes and to some errors only.
        self._issuer_parameter.add_issuer_parameter(self, response)
        return cast("Response", response)

    def create_oauth2_request(self, request: object) -> _Request:
        """Return the current request; Authlib's Flask server ignores the argument too."""
        del request
        return _Request()

    def authenticate_client(self, *_: object) -> RegisteredClient:
        """Authenticate by header or form, whichever grant or endpoint asks."""
        return authenticated(services().broker.client)

    def _client(self, client_id: str) -> RegisteredClient | None:
        known = services().broker.client
        return RegisteredClient(known) if client_id == known.client_id else None


def install(app: Flask) -> None:
    """Give the application its server."""
    server = BrokerServer()
    with app.app_context():
        checks = CarefulAuthorization(services().clock)
    server.register_grant(_CodeGrant, [checks])
    app.extensions[EXTENSION] = server


def provider_server() -> BrokerServer:
    """Return the server of the running application."""
    return cast("BrokerServer", current_app.extensions[EXTENSION])


def _body(issued: Issued) -> dict[str, Any]:
    body: dict[str, Any] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": int(issued.expires_in.total_seconds()),
        "scope": issued.scope,
        "id_token": issued.id_token,
    }
    if issued.refresh_token is not None:
        body["refresh_token"] = issued.refresh_token
    return body
