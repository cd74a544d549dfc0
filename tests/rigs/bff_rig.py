"""A whole BFF in this process, a provider behind it, and browsers in front of it."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import requests
from flask import Flask
from flask.testing import FlaskClient
from hand_clock import HandClock
from provider_visitor import ProviderRig, Visitor, running_provider
from werkzeug.test import TestResponse

from bff.app import create_app
from bff.settings import Settings
from bff.simulator.provider_settings import ProviderClient
from bff.web.cookies import BROWSER, SESSION
from bff.web.doorway import Services
from bff.wiring import build

BFF: Final = "http://auth.brand.localhost"
BRAND: Final = "http://www.brand.localhost"
CLIENT: Final = ProviderClient(
    client_id="brand",
    client_secret="secret-of-the-brand-0123456789-abcdef",
    name="Brand",
    redirect_uris=(f"{BFF}/auth/callback", f"{BFF}/auth/callback/staff"),
    post_logout_redirect_uris=(f"{BFF}/auth/logged-out",),
)
CSRF: Final = {"X-CSRF": "1", "Origin": BRAND, "Sec-Fetch-Mode": "cors"}


def a_key(letter: str) -> str:
    """Return a key that passes for random and is the same in every run."""
    return base64.urlsafe_b64encode(bytes(range(ord(letter), ord(letter) + 32))).decode()


def environment(issuer: str, **changes: str) -> dict[str, str]:
    """Return the environment of a BFF that signs people in at `issuer`."""
    return {
        "BFF_PUBLIC_URL": BFF,
        "BFF_ALLOWED_ORIGINS": f"{BRAND},http://shop.brand.localhost",
        "BFF_MASTER_KEY": a_key("A"),
        "BFF_PAIRWISE_SALT": a_key("a"),
        "BFF_PROVIDERS__MAIN__ISSUER": issuer,
        "BFF_PROVIDERS__MAIN__CLIENT_ID": CLIENT.client_id,
        "BFF_PROVIDERS__MAIN__CLIENT_SECRET": CLIENT.client_secret,
        "BFF_GENESYS_CLIENT_ID": "genesys",
        "BFF_GENESYS_CLIENT_SECRET": "secret-of-genesys-0123456789",
        **changes,
    }


class Browser:
    """One browser: its cookies at the BFF and at the provider."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self.visitor = Visitor()

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, base_url=BFF, headers=headers)

    def post(
        self, path: str, json: Any = None, *, headers: dict[str, str] | None = None
    ) -> TestResponse:
        """Post as the page's script does, unless other headers are given."""
        chosen = CSRF if headers is None else headers
        return self.client.post(path, base_url=BFF, json=json, headers=chosen)

    def cookie(self, name: str = SESSION) -> str | None:
        found = self.client.get_cookie(name, domain="auth.brand.localhost")
        return found.value if found else None

    def set_cookie(self, name: str, value: str) -> None:
        self.client.set_cookie(name, value, domain="auth.brand.localhost")

    def start(self, path: str = "/auth/login?return_to=/orders") -> str:
        """Begin to sign in; return the provider's URL."""
        response = self.get(path)
        assert response.status_code == 303, response.text
        return response.headers["Location"]

    def at_provider(self, url: str, person: str = "amira") -> str:
        """Be signed in at the provider; return the path it sends the browser back to."""
        answer: requests.Response = self.visitor.go(url)
        if not answer.is_redirect:
            answer = self.visitor.go(answer.url, {"choice": f"person:{person}"})
        where = urlsplit(answer.headers["Location"])
        return f"{where.path}?{where.query}"

    def sign_in(self, person: str = "amira", *, path: str = "/auth/login") -> TestResponse:
        """Go the whole way; return the answer of the callback."""
        return self.get(self.at_provider(self.start(path), person))

    def session(self) -> dict[str, Any]:
        body: dict[str, Any] = self.get("/auth/session").get_json()
        return body

    @property
    def signed_in(self) -> bool:
        return bool(self.session()["signed_in"])


@dataclass(frozen=True, slots=True, kw_only=True)
class BffRig:
    """The parts, for a test to turn."""

    app: Flask
    services: Services
    settings: Settings
    provider: ProviderRig
    clock: HandClock = field(repr=False)

    def browser(self) -> Browser:
        return Browser(self.app)

    def key_of(self, browser: Browser) -> str:
        """Return the key of the browser's session."""
        session = self.services.book.find(browser.cookie())  # type: ignore[arg-type]  # as sent
        assert session is not None
        return session.key


@contextmanager
def running_bff(
    folder: Path,
    variables: Mapping[str, str] | None = None,
    *,
    provider: dict[str, Any] | None = None,
    **changes: str,
) -> Iterator[BffRig]:
    """Wire a BFF on a SQLite file, with a stand-in provider on loopback, on one hand clock."""
    with running_provider(client=CLIENT, **(provider or {})) as rig:
        settings = Settings.read(
            environment(
                rig.url,
                **{
                    "BFF_STORE_URL": f"sqlite:///{folder / 'store.sqlite3'}",
                    **(variables or {}),
                    **changes,
                },
            )
        )
        services = build(settings, clock=rig.clock)
        try:
            yield BffRig(
                app=create_app(services),
                services=services,
                settings=settings,
                provider=rig,
                clock=rig.clock,
            )
        finally:
            services.close()


def error_of(response: TestResponse) -> str:
    """Return the public code of a refusal, from JSON or from the page."""
    if response.is_json:
        return str(response.get_json()["code"])
    return response.text.partition("<code>")[2].partition("</code>")[0]


def fragment_of(response: TestResponse) -> str:
    return urlsplit(response.headers["Location"]).fragment


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


__all__ = ["BFF", "BRAND", "BROWSER", "CSRF", "SESSION", "BffRig", "Browser", "running_bff"]
