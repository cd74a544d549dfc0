"""Passthrough: the page shows one person, so Genesys must not redeem another's code."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from bff_rig import BFF, BffRig, Browser, environment, error_of, fragment_of, query_of
from hand_clock import HandClock
from joserfc import jws
from malicious_provider import MaliciousProvider, malicious_provider
from passthrough_rig import (
    GENESYS,
    NAVIGATION,
    PASSTHROUGH,
    CodePage,
    redeemed,
    running_passthrough,
)
from security_model import Asset, Attacker, threat
from werkzeug.test import TestResponse

from bff.app import create_app
from bff.settings import Settings
from bff.signin.passthrough import NEEDS_PERSON
from bff.simulator.provider_faults import Fault
from bff.wiring import build

WANTS_SOMEBODY: Final = sorted(NEEDS_PERSON)


def person_redeemed(bff: BffRig, code: dict[str, Any]) -> str:
    """Return whom Genesys gets for a code."""
    raw = redeemed(bff, code)["id_token"]
    payload = jws.extract_compact(raw.encode()).payload.decode()
    return payload.partition('"email":')[2].partition('"')[2].partition('"')[0]


def person_shown(browser: Browser) -> str:
    return str(browser.session()["email"])


def refused_once(
    bff: BffRig, page: CodePage, error: str, path: str = "/auth/login"
) -> TestResponse:
    """Sign in; have the provider refuse Genesys' silent request; return where the window goes."""
    on_the_way = page.browser.sign_in("amira", path=path)
    bff.provider.provider.faults.plant(Fault.AUTHORIZE_ERROR, value=error, times=1)
    back = page.browser.at_provider(on_the_way.headers["Location"])
    return page.browser.get(back, **NAVIGATION)


@threat(
    Attacker.NEXT_USER,
    Asset.CONVERSATION,
    can="sign in where the provider wants to see somebody for Genesys' code, but only with our own "
    "client: the page then shows them as well, and the earlier session has ended",
    noticed="the page is told that somebody else has signed in; the audit log has both",
)
@pytest.mark.parametrize("hint", ["auto", "login_hint", "subject", "id_token", "none"])
@pytest.mark.parametrize("error", WANTS_SOMEBODY)
def test_whoever_signs_in_at_the_form_is_who_the_page_shows(
    tmp_path: Path, hint: str, error: str
) -> None:
    with running_passthrough(tmp_path, BFF_PROVIDERS__MAIN__PASSTHROUGH_HINT=hint) as bff:
        page = CodePage(bff.browser())
        again = refused_once(bff, page, error)
        page.browser.visitor.http.cookies.clear()
        back = page.browser.at_provider(again.headers["Location"], "zoe")

        page.second_leg(page.browser.get(back, **NAVIGATION))

        assert query_of(again.headers["Location"])["client_id"] != GENESYS.client_id
        assert person_shown(page.browser) == "zoe@example.org"
        assert person_redeemed(bff, page.ask().get_json()) == "zoe@example.org"
        assert len(bff.services.book.everyone()) == 1


@pytest.mark.parametrize("surface", ["popup", "modal"])
def test_in_a_window_beside_the_page_as_well(bff: BffRig, page: CodePage, surface: str) -> None:
    opened = page.browser.post("/auth/transactions", {"surface": surface}).get_json()
    again = refused_once(bff, page, "login_required", opened["url"].removeprefix(BFF))
    page.browser.visitor.http.cookies.clear()
    back = page.browser.at_provider(again.headers["Location"], "zoe")
    before = page.browser.get(f"/auth/transactions/{opened['id']}").get_json()

    last = page.second_leg(page.browser.get(back, **NAVIGATION))

    state = page.browser.get(f"/auth/transactions/{opened['id']}").get_json()
    assert before["status"] == "pending"
    assert last.headers["Location"] == f"/auth/signed-in?transaction={opened['id']}"
    assert state == {"status": "done", "code": None}
    assert person_redeemed(bff, page.ask().get_json()) == person_shown(page.browser)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusing:
    """A provider that knows everybody, and refuses whatever asks silently in Genesys' name."""

    provider: MaliciousProvider
    page: CodePage

    @property
    def browser(self) -> Browser:
        return self.page.browser

    def signed_in(self, path: str = "/auth/login") -> TestResponse:
        """Sign in; return where the window ends up when nothing leads to the provider any more."""
        answer = self.browser.get(path)
        while answer.headers.get("Location", "").startswith(self.provider.issuer):
            back = self.browser.at_provider(answer.headers["Location"])
            answer = self.browser.get(back, **NAVIGATION)
        return answer

    def asked_for_genesys(self) -> list[dict[str, str]]:
        return [asked for asked in self.provider.asked if asked["client_id"] == GENESYS.client_id]


@contextmanager
def refusing(
    folder: Path,
    error: str,
    changes: Mapping[str, str] | None = None,
    *,
    reads_claims: bool = False,
) -> Iterator[Refusing]:
    clock = HandClock()
    with malicious_provider(clock) as provider:
        provider.refuses = {GENESYS.client_id: error}
        if reads_claims:
            provider.discovery = {
                "claims_parameter_supported": True,
                "subject_types_supported": ["public"],
            }
        store = f"sqlite:///{folder / 'store.sqlite3'}"
        variables = environment(
            provider.issuer, **{"BFF_STORE_URL": store, **PASSTHROUGH, **(changes or {})}
        )
        services = build(Settings.read(variables), clock=clock)
        try:
            yield Refusing(provider=provider, page=CodePage(Browser(create_app(services))))
        finally:
            services.close()


@pytest.mark.parametrize("hint", ["auto", "login_hint", "subject", "id_token", "none"])
@pytest.mark.parametrize("error", WANTS_SOMEBODY)
def test_no_form_is_opened_in_genesys_name_that_does_not_bind(
    tmp_path: Path, hint: str, error: str
) -> None:
    named: dict[str, Any] = {"BFF_PROVIDERS__MAIN__PASSTHROUGH_HINT": hint}
    if hint == "id_token":
        named["BFF_PROVIDERS__MAIN__PASSTHROUGH_SCOPES"] = '["openid"]'
    with refusing(tmp_path, error, named) as here:
        last = here.signed_in()

        # Once with each sign-in of ours, and never but silently.
        assert [asked["prompt"] for asked in here.asked_for_genesys()] == ["none", "none"]
        assert fragment_of(last) == "messenger-auth-error=interaction_required"
        assert here.browser.signed_in


def test_the_page_is_told_and_no_frame_tries_at_once(tmp_path: Path) -> None:
    with refusing(tmp_path, "consent_required") as here:
        opened = here.browser.post("/auth/transactions", {}).get_json()

        last = here.signed_in(opened["url"].removeprefix(BFF))

        state = here.browser.get(f"/auth/transactions/{opened['id']}").get_json()
        code = here.page.ask()
        assert last.headers["Location"] == "/auth/failed?code=interaction_required"
        assert state == {"status": "failed", "code": "interaction_required"}
        assert (code.status_code, error_of(code)) == (401, "interaction_required")


@pytest.mark.parametrize("hint", ["auto", "subject"])
@pytest.mark.parametrize("error", ["consent_required", "interaction_required"])
def test_what_only_genesys_client_meets_is_asked_about_one_person(
    tmp_path: Path, hint: str, error: str
) -> None:
    named = {"BFF_PROVIDERS__MAIN__PASSTHROUGH_HINT": hint}
    with refusing(tmp_path, error, named, reads_claims=True) as here:
        here.signed_in()

        silent, seen = here.asked_for_genesys()
        assert silent["prompt"] == "none"
        assert "prompt" not in seen
        assert '"value": "whoever-the-attacker-says", "essential": true' in seen["claims"]
        assert here.page.ask().status_code == 200


@pytest.mark.parametrize("error", ["login_required", "account_selection_required"])
def test_a_sign_in_is_ours_even_where_the_provider_binds(tmp_path: Path, error: str) -> None:
    with refusing(tmp_path, error, reads_claims=True) as here:
        here.signed_in()

        assert [asked["prompt"] for asked in here.asked_for_genesys()] == ["none", "none"]


def test_where_the_operator_wants_nobody_asked_nobody_is(tmp_path: Path) -> None:
    configured = {"BFF_PROVIDERS__MAIN__PROMPT": "none"}
    with refusing(tmp_path, "consent_required", configured, reads_claims=True) as here:
        here.signed_in()

        assert {asked["prompt"] for asked in here.provider.asked} == {"none"}


def test_what_is_configured_goes_along_to_the_form(tmp_path: Path) -> None:
    configured = {"BFF_PROVIDERS__MAIN__PROMPT": "login"}
    with refusing(tmp_path, "consent_required", configured, reads_claims=True) as here:
        here.signed_in()

        assert [asked["prompt"] for asked in here.asked_for_genesys()] == ["none", "login"]


@pytest.fixture
def bff(tmp_path: Path) -> Iterator[BffRig]:
    with running_passthrough(tmp_path) as rig:
        yield rig


@pytest.fixture
def page(bff: BffRig) -> CodePage:
    return CodePage(bff.browser())
