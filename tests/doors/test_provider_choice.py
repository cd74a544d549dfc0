"""Several providers by name, and what each of them is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bff_rig import CLIENT, BffRig, environment, error_of, query_of, running_bff
from provider_visitor import ProviderRig, running_provider

from bff.errors import SettingsError
from bff.settings import Settings


@contextmanager
def two_providers(folder: Path) -> Iterator[tuple[BffRig, ProviderRig]]:
    with running_provider(client=CLIENT) as staff:
        named: dict[str, Any] = {
            "BFF_PROVIDERS__STAFF__ISSUER": staff.url,
            "BFF_PROVIDERS__STAFF__CLIENT_ID": CLIENT.client_id,
            "BFF_PROVIDERS__STAFF__CLIENT_SECRET": CLIENT.client_secret,
        }
        with running_bff(folder, **named) as bff:
            yield bff, staff


def test_the_first_is_the_default_and_each_is_found_by_name(tmp_path: Path) -> None:
    with two_providers(tmp_path) as (bff, staff):
        browser = bff.browser()

        assert browser.start("/auth/login").startswith(bff.provider.url + "/")
        assert browser.start("/auth/login?provider=main").startswith(bff.provider.url + "/")
        assert browser.start("/auth/login?provider=staff").startswith(staff.url + "/")


def test_the_same_name_at_two_providers_is_two_people(tmp_path: Path) -> None:
    with two_providers(tmp_path) as (bff, _):
        customer, employee = bff.browser(), bff.browser()
        customer.sign_in("amira")
        employee.sign_in("amira", path="/auth/login?provider=staff")

        people = {
            session.person.provider: session.person for session in bff.services.book.everyone()
        }

        assert people["main"].subject == people["staff"].subject
        assert people["main"].pairwise != people["staff"].pairwise
        assert customer.session()["person"] != employee.session()["person"]


def test_a_transaction_keeps_its_provider(tmp_path: Path) -> None:
    with two_providers(tmp_path) as (bff, staff):
        browser = bff.browser()
        opened = browser.post("/auth/transactions", {"provider": "staff"}).get_json()
        path = "/auth/login?" + opened["url"].partition("?")[2]

        assert browser.start(path + "&provider=main").startswith(staff.url + "/")


def test_signing_out_goes_to_the_provider_that_signed_in(tmp_path: Path) -> None:
    with two_providers(tmp_path) as (bff, staff):
        browser = bff.browser()
        browser.sign_in(path="/auth/login?provider=staff")

        url = browser.post("/auth/logout").get_json()["logout_url"]

        assert url.startswith(staff.url + "/")
        assert (staff.provider.tally["revocation"], bff.provider.provider.tally["revocation"]) == (
            1,
            0,
        )


def test_a_logout_token_of_one_provider_is_no_word_of_the_other(tmp_path: Path) -> None:
    with two_providers(tmp_path) as (bff, staff):
        browser = bff.browser()
        browser.sign_in()
        token = staff.provider.logout_token("brand", subject="c-20417")

        main = browser.client.post("/auth/backchannel-logout/main", data={"logout_token": token})
        named = browser.client.post("/auth/backchannel-logout/staff", data={"logout_token": token})

        assert (main.status_code, named.status_code) == (400, 200)
        assert browser.signed_in


@pytest.mark.parametrize("path", ["/auth/login?provider=nobody", "/auth/login?provider=Main"])
def test_an_unknown_name_is_not_found(bff: BffRig, path: str) -> None:
    answer = bff.browser().get(path)

    assert (answer.status_code, error_of(answer)) == (404, "provider_unknown")


def test_an_unknown_name_at_the_back_channel_is_refused(bff: BffRig) -> None:
    token = bff.provider.provider.logout_token("brand", subject="c-20417")

    answer = bff.app.test_client().post(
        "/auth/backchannel-logout/nobody", data={"logout_token": token}
    )

    assert (answer.status_code, error_of(answer)) == (400, "logout_token_refused")


def test_scopes_prompt_and_further_parameters_are_settings(tmp_path: Path) -> None:
    asked: dict[str, Any] = {
        "BFF_PROVIDERS__MAIN__SCOPES": '["openid", "email"]',
        "BFF_PROVIDERS__MAIN__PROMPT": "select_account",
        "BFF_PROVIDERS__MAIN__EXTRA_PARAMETERS": '{"ui_locales": "pl en", "audience": "chat"}',
        "BFF_PROVIDERS__MAIN__MAX_AGE": "600",
        "BFF_PROVIDERS__MAIN__ACR_VALUES": '["urn:a", "urn:b"]',
    }
    with running_bff(tmp_path, **asked) as bff:
        sent = query_of(bff.browser().start())

    assert sent["scope"] == "openid email"
    assert sent["prompt"] == "select_account"
    assert (sent["ui_locales"], sent["audience"]) == ("pl en", "chat")
    assert (sent["max_age"], sent["acr_values"]) == ("600", "urn:a urn:b")


@pytest.mark.parametrize("name", ["state", "nonce", "redirect_uri", "prompt", "request_uri"])
def test_further_parameters_cannot_replace_ours(name: str) -> None:
    extra = {"BFF_PROVIDERS__MAIN__EXTRA_PARAMETERS": f'{{"{name}": "fixed"}}'}

    with pytest.raises(SettingsError) as refused:
        Settings.read(environment("https://idp.example", **extra))

    assert f"EXTRA_PARAMETERS must not contain {name}:" in refused.value.detail


def test_a_page_may_ask_for_another_account_but_for_nothing_unheard_of(bff: BffRig) -> None:
    browser = bff.browser()

    assert (
        query_of(browser.start("/auth/login?prompt=select_account"))["prompt"] == "select_account"
    )
    assert "prompt" not in query_of(browser.start("/auth/login"))
    assert error_of(browser.get("/auth/login?prompt=create")) == "request_refused"
