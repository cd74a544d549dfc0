"""The same before npm `oidc-provider`, which nobody here wrote and which gives no code twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from bff_rig import BFF, Browser, environment, error_of, query_of
from certified_provider import CertifiedClient, CertifiedProvider
from joserfc import jws
from passthrough_rig import CALLBACK, CLIENT_VARIABLE, NAVIGATION, PASSTHROUGH, CodePage
from provider_visitor import Visitor, plain_session

from bff.app import create_app
from bff.settings import Settings
from bff.wiring import build

OURS: Final = CertifiedClient(redirect_uris=(f"{BFF}/auth/callback",))
GENESYS: Final = CertifiedClient(
    client_id="genesys-at-provider",
    client_secret="certified-secret-of-genesys-0123456789",
    redirect_uris=(CALLBACK,),
)


@pytest.fixture(scope="module")
def provider() -> Iterator[CertifiedProvider]:
    with CertifiedProvider(OURS, others=(GENESYS,)) as running:
        yield running


class CertifiedBrowser(Browser):
    """A browser that knows how to fill in that provider's form."""

    def at_provider(self, url: str, person: str = "nadia") -> str:
        answer: requests.Response = self.visitor.go(url)
        if not answer.is_redirect:
            form = {"login": person, "password": "any", "choice": "sign-in"}
            answer = self.visitor.go(answer.url, form)
        where = urlsplit(answer.headers["Location"])
        return f"{where.path}?{where.query}"


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed-in page, and the provider that its codes are redeemed at."""

    page: CodePage
    provider: CertifiedProvider

    def redeemed(self, code: dict[str, Any]) -> requests.Response:
        with plain_session() as http:
            return http.post(
                f"{self.provider.issuer}/token",
                auth=(GENESYS.client_id, GENESYS.client_secret),
                data={
                    "grant_type": "authorization_code",
                    "code": code["authCode"],
                    "redirect_uri": code["redirectUri"],
                    "code_verifier": code["codeVerifier"],
                },
            )


@contextmanager
def signed_in(provider: CertifiedProvider, folder: Path, **changes: str) -> Iterator[Signed]:
    variables = {
        **PASSTHROUGH,
        CLIENT_VARIABLE: GENESYS.client_id,
        "BFF_PROVIDERS__MAIN__CLIENT_SECRET": OURS.client_secret,
        "BFF_STORE_URL": f"sqlite:///{folder / 'store.sqlite3'}",
        **changes,
    }
    services = build(Settings.read(environment(provider.issuer, **variables)))
    try:
        page = CodePage(CertifiedBrowser(create_app(services)))
        page.sign_in("nadia")
        yield Signed(page, provider)
    finally:
        services.close()


def another_signs_in(signed: Signed) -> None:
    """Have somebody else signed in at the provider in the same browser, without us."""
    signed.page.browser.visitor = Visitor()
    asked = {
        "client_id": OURS.client_id,
        "redirect_uri": OURS.redirect_uris[0],
        "response_type": "code",
        "scope": "openid",
        "code_challenge": "x" * 43,
        "code_challenge_method": "S256",
    }
    url = f"{signed.provider.issuer}/auth?{urlencode(asked)}"
    assert "code=" in signed.page.browser.at_provider(url, "tomas")


def test_three_codes_in_a_row_are_redeemed_once_each(
    provider: CertifiedProvider, tmp_path: Path
) -> None:
    with signed_in(provider, tmp_path) as signed:
        codes = [signed.page.ask().get_json()]
        codes += [signed.page.silent_code() for _ in range(2)]

        first = [signed.redeemed(code) for code in codes]
        second = [signed.redeemed(code) for code in codes]

    assert [answer.status_code for answer in first] == [200, 200, 200]
    assert all(answer.json()["refresh_token"] for answer in first)
    assert [answer.json()["error"] for answer in second] == ["invalid_grant"] * 3


def test_a_provider_that_reads_claims_is_told_whose_code_it_must_be(
    provider: CertifiedProvider, tmp_path: Path
) -> None:
    with signed_in(provider, tmp_path) as signed:
        signed.page.ask()
        _, path = signed.page.channel()
        asked = query_of(signed.page.browser.get(path, **NAVIGATION).headers["Location"])

    assert '"value": "nadia"' in asked["claims"]
    assert asked["login_hint"] == "nadia@example.com"


def test_genesys_never_gets_somebody_else_who_signed_in_at_the_provider(
    provider: CertifiedProvider, tmp_path: Path
) -> None:
    with signed_in(provider, tmp_path) as signed:
        signed.page.ask()
        another_signs_in(signed)
        key, path = signed.page.channel()

        signed.page.frame(path)

        answer = signed.page.ask(transaction=key)
    assert (answer.status_code, error_of(answer)) == (401, "interaction_required")


def test_without_a_hint_that_binds_the_provider_would_give_anybodys(
    provider: CertifiedProvider, tmp_path: Path
) -> None:
    # What docs/passthrough.md says remains; the test above would prove nothing without this one.
    loose = {"BFF_PROVIDERS__MAIN__PASSTHROUGH_HINT": "login_hint"}
    with signed_in(provider, tmp_path, **loose) as signed:
        signed.page.ask()
        another_signs_in(signed)

        code = signed.page.silent_code()

        assert signed.redeemed(code).status_code == 200


def test_at_a_form_in_genesys_name_it_answers_for_nobody_else(
    provider: CertifiedProvider, tmp_path: Path
) -> None:
    with signed_in(provider, tmp_path) as signed:
        signed.page.ask()
        _, path = signed.page.channel()
        silent = signed.page.browser.get(path, **NAVIGATION).headers["Location"]
        with_form = silent.replace("prompt=none", "prompt=login")

        ways = {}
        for person in ("tomas", "nadia"):
            visitor = Visitor()
            answer = visitor.go(with_form)
            form = {"login": person, "password": "any", "choice": "sign-in"}
            ways[person] = visitor.go(answer.url, form).headers.get("Location", "")

    assert silent != with_form
    assert "code=" not in ways["tomas"]
    assert "code=" in ways["nadia"]


def test_whoever_is_sent_to_sign_in_once_more_is_who_the_page_shows(
    provider: CertifiedProvider, tmp_path: Path
) -> None:
    with signed_in(provider, tmp_path) as signed:
        page = signed.page
        on_the_way = page.browser.sign_in("nadia")
        page.browser.visitor = Visitor()
        refused = page.browser.at_provider(on_the_way.headers["Location"])
        again = page.browser.get(refused, **NAVIGATION)
        page.browser.visitor = Visitor()
        back = page.browser.at_provider(again.headers["Location"], "tomas")
        page.second_leg(page.browser.get(back, **NAVIGATION))

        answer = signed.redeemed(page.ask().get_json())

        assert "error=login_required" in refused
        assert query_of(again.headers["Location"])["client_id"] == OURS.client_id
        assert page.browser.session()["email"] == "tomas@example.com"
        payload = jws.extract_compact(answer.json()["id_token"].encode()).payload
        assert b'"sub":"tomas"' in payload
