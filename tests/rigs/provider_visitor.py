"""Runs the stand-in identity provider, and walks through its pages like a browser would."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from html import unescape
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import requests
from flask import Flask
from hand_clock import HandClock
from joserfc.jwk import RSAKey

from bff.adapters.http_client import http_session
from bff.adapters.system import SystemEntropy
from bff.ports import Clock
from bff.simulator.identity_provider import create_identity_provider, serve_identity_provider
from bff.simulator.provider_core import Provider, provider_of
from bff.simulator.provider_grants import challenge_of
from bff.simulator.provider_settings import ProviderClient, ProviderSettings
from bff.simulator.provider_signing import generate_key

VERIFIER: Final = "a-verifier-of-the-length-that-rfc-7636-asks-for"
CLIENT: Final = ProviderClient(
    client_id="brand",
    client_secret="secret-of-the-brand-0123456789-abcdef",
    name="Brand",
    redirect_uris=("http://auth.brand.localhost/callback",),
    post_logout_redirect_uris=("http://www.brand.localhost/bye",),
)


@cache
def shared_key() -> RSAKey:
    """One key for all tests of a process: making one takes a tenth of a second."""
    return generate_key()


@cache
def second_key() -> RSAKey:
    """Another one, to rotate to."""
    return generate_key()


def plain_session() -> requests.Session:
    """Return a session that hands redirects over; the guarded one refuses them."""
    http = http_session()
    http.max_redirects = 1
    return http


class Visitor:
    """A browser without windows: keeps cookies and stops at the client's door."""

    def __init__(self) -> None:
        self.http = plain_session()

    def go(self, address: str, form: dict[str, str] | None = None) -> requests.Response:
        """Follow redirects on the provider's host; stop where they leave it."""
        host = urlsplit(address).netloc
        answer = self._send(address, form)
        while answer.is_redirect:
            target = urljoin(answer.url, answer.headers["Location"])
            if urlsplit(target).netloc != host:
                return answer
            answer = self._send(target, None)
        return answer

    def _send(self, address: str, form: dict[str, str] | None) -> requests.Response:
        method = "GET" if form is None else "POST"
        return self.http.request(method, address, data=form, allow_redirects=False)


def query_of(answer: requests.Response) -> dict[str, str]:
    """Return the parameters that a redirect brings to the client."""
    query = parse_qs(urlsplit(answer.headers["Location"]).query, strict_parsing=True)
    return {name: values[0] for name, values in query.items()}


def hidden_fields(page: str) -> dict[str, str]:
    """Return the hidden inputs of a page of ours."""
    marks = [mark.split(">")[0] for mark in page.split('<input type="hidden" ')[1:]]
    pairs = [mark.split('"') for mark in marks]
    return {unescape(parts[1]): unescape(parts[3]) for parts in pairs}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRig:
    """A running provider and what a test does to it."""

    app: Flask
    provider: Provider
    client: ProviderClient
    clock: Any

    @property
    def url(self) -> str:
        return self.provider.issuer

    def authorize_url(self, **changes: str | None) -> str:
        """Return a good authorization request; None removes a parameter."""
        parameters = {
            "client_id": self.client.client_id,
            "redirect_uri": self.client.redirect_uris[0],
            "response_type": "code",
            "scope": "openid profile email",
            "state": "the-state",
            "nonce": "the-nonce",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            **changes,
        }
        return f"{self.url}/authorize?" + urlencode(
            {name: value for name, value in parameters.items() if value is not None}
        )

    def sign_in(
        self, visitor: Visitor, username: str | None = "amira", **changes: str | None
    ) -> dict[str, str]:
        """Sign in by a click on a sample person; return what the client gets."""
        page = visitor.go(self.authorize_url(**changes))
        if page.is_redirect:
            return query_of(page)
        return query_of(visitor.go(page.url, {"choice": f"person:{username}"}))

    def post(self, path: str, **form: str) -> requests.Response:
        """Post as the client, authenticated in the body."""
        secrets = {"client_id": self.client.client_id, "client_secret": self.client.client_secret}
        with plain_session() as http:
            return http.post(self.url + path, data={**secrets, **form}, allow_redirects=False)

    def get(self, path: str, **headers: str) -> requests.Response:
        with plain_session() as http:
            return http.get(self.url + path, headers=headers, allow_redirects=False)

    def redeem(self, code: str, **changes: str) -> requests.Response:
        """Redeem a code of `sign_in`."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.client.redirect_uris[0],
            "code_verifier": VERIFIER,
            **changes,
        }
        return self.post("/token", **form)

    def tokens(self, visitor: Visitor | None = None, **changes: str | None) -> dict[str, Any]:
        """Sign in and redeem."""
        answer = self.redeem(self.sign_in(visitor or Visitor(), **changes)["code"])
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def refresh(self, refresh_token: str, **changes: str) -> requests.Response:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **changes}
        return self.post("/token", **form)


@contextmanager
def running_provider(
    *,
    client: ProviderClient = CLIENT,
    clock: Clock | None = None,
    **settings: Any,
) -> Iterator[ProviderRig]:
    """Serve a provider on loopback for one test."""
    turned = clock or HandClock()
    app = create_identity_provider(
        ProviderSettings(clients=(replace(client),), **settings),
        clock=turned,
        entropy=SystemEntropy(),
        signing_key=shared_key(),
    )
    provider = provider_of(app)
    with serve_identity_provider(app):
        yield ProviderRig(app=app, provider=provider, client=client, clock=turned)
        # Whoever a test keeps waiting must not outlive it.
        provider.faults.clear()
