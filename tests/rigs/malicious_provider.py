"""An identity provider of an attacker: registered with us like any other, and in no way honest."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Flask, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from joserfc import jws
from provider_visitor import shared_key

from bff.ports import Clock
from bff.simulator.provider_signing import ALGORITHM
from bff.simulator.serving import Served

CODE = "a-code-of-the-attacker"
KEY_ID = "the-attackers"


@dataclass(slots=True, kw_only=True)
class Lure:
    """Where the attacker sends browsers that were sent to them: to an honest provider.

    State, nonce and challenge are those that our service made for the attacker, so that PKCE and
    nonce fit whatever comes back.
    """

    authorize_url: str
    client_id: str
    redirect_uri: str | None = None


@dataclass(slots=True, kw_only=True)
class MaliciousProvider:
    """What the attacker decides, and what has reached them."""

    clock: Clock = field(repr=False)
    issuer: str = ""
    lure: Lure | None = None
    # By client id, what `prompt=none` is answered with.
    refuses: dict[str, str] = field(default_factory=dict)
    # Laid over what an honest one says; None takes a member out.
    discovery: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    token_answer: dict[str, Any] = field(default_factory=dict)
    logout_claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    redeemed: list[dict[str, str]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return the discovery document; by default it promises no `iss` in answers."""
        doors = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        named = {door: f"{self.issuer}/{door}" for door in doors}
        return _laid_over({"issuer": self.issuer, **named}, self.discovery)

    def id_token(self, nonce: str | None) -> str:
        """Return an ID token, signed by a key that discovery names."""
        now = int(self.clock.now().timestamp())
        said = {
            "iss": self.issuer,
            "sub": "whoever-the-attacker-says",
            "aud": "brand",
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "email": "amira@example.com",
            "given_name": "Amira",
            "family_name": "Haddad",
        }
        return self._signed(_laid_over(said, self.claims), {})

    def logout_token(self) -> str:
        """Return a logout token for everybody whom it vouches for."""
        now = int(self.clock.now().timestamp())
        said = {
            "iss": self.issuer,
            "sub": "whoever-the-attacker-says",
            "aud": "brand",
            "iat": now,
            "exp": now + 120,
            "jti": f"jti-{now}-{len(self.asked)}",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        }
        return self._signed(_laid_over(said, self.logout_claims), {"typ": "logout+jwt"})

    def _signed(self, claims: dict[str, Any], header: dict[str, str]) -> str:
        # Python's JSON writes NaN and Infinity, and so does whoever wants us to read them.
        payload = json.dumps(claims).encode()
        protected = {"alg": ALGORITHM, "kid": KEY_ID, **header}
        return jws.serialize_compact(protected, payload, shared_key(), algorithms=[ALGORITHM])

    def authorized(self, parameters: dict[str, str]) -> str:
        """Return where a browser goes that we have sent to the attacker."""
        self.asked.append(parameters)
        refusal = self.refuses.get(parameters["client_id"])
        if refusal is not None and parameters.get("prompt") == "none":
            said = {"error": refusal, "state": parameters["state"]}
            return f"{parameters['redirect_uri']}?{urlencode(said)}"
        if self.lure is None:
            said = {"code": CODE, "state": parameters["state"]}
            return f"{parameters['redirect_uri']}?{urlencode(said)}"
        kept = {**parameters, "client_id": self.lure.client_id}
        if self.lure.redirect_uri is not None:
            kept["redirect_uri"] = self.lure.redirect_uri
        return f"{self.lure.authorize_url}?{urlencode(kept)}"


def _laid_over(said: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**said, **changes}.items() if value is not None}


def _doors(attacker: MaliciousProvider) -> Flask:
    app = Flask("malicious-provider")

    @app.get("/.well-known/openid-configuration")
    def discovery() -> ResponseReturnValue:
        return jsonify(attacker.document())

    @app.get("/jwks_uri")
    def jwks() -> ResponseReturnValue:
        public = {**shared_key().as_dict(private=False), "kid": KEY_ID, "use": "sig"}
        return jsonify({"keys": [public]})

    @app.get("/authorization_endpoint")
    def authorize() -> ResponseReturnValue:
        return redirect(attacker.authorized(request.args.to_dict()), 303)

    @app.get("/userinfo")
    def userinfo() -> ResponseReturnValue:
        return jsonify({"sub": "whoever-the-attacker-says", **attacker.userinfo})

    @app.post("/token_endpoint")
    def token() -> ResponseReturnValue:
        attacker.redeemed.append(request.form.to_dict())
        nonce = attacker.asked[-1].get("nonce") if attacker.asked else None
        said = {
            "access_token": "an-access-token",
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": attacker.id_token(nonce),
        }
        answer = json.dumps(_laid_over(said, attacker.token_answer))
        return app.response_class(answer, mimetype="application/json")

    return app


@contextmanager
def malicious_provider(clock: Clock) -> Iterator[MaliciousProvider]:
    """Serve one on loopback."""
    attacker = MaliciousProvider(clock=clock)
    with Served(_doors(attacker)) as served:
        attacker.issuer = served.url
        yield attacker
