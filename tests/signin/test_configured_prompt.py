"""What the operator asks of each sign-in is a rule: no page, link or browser lifts it."""

from pathlib import Path

import pytest
from bff_rig import BFF, error_of, fragment_of, query_of, running_bff
from passthrough_rig import running_passthrough

from bff.simulator.provider_faults import Fault

LOGIN = {"BFF_PROVIDERS__MAIN__PROMPT": "login"}


@pytest.mark.parametrize("asked", ["none", "consent", "select_account", "login"])
def test_a_page_does_not_lift_what_is_configured(tmp_path: Path, asked: str) -> None:
    with running_bff(tmp_path, LOGIN) as bff:
        url = bff.browser().start(f"/auth/login?prompt={asked}")

        assert query_of(url)["prompt"] == "login"


@pytest.mark.parametrize("configured", ["none", "consent", "select_account"])
def test_whatever_is_configured(tmp_path: Path, configured: str) -> None:
    with running_bff(tmp_path, BFF_PROVIDERS__MAIN__PROMPT=configured) as bff:
        browser = bff.browser()

        urls = [browser.start(f"/auth/login?prompt={one}") for one in ("none", "login")]

        assert {query_of(url)["prompt"] for url in urls} == {configured}


def test_a_page_asks_where_nothing_is_configured(tmp_path: Path) -> None:
    with running_bff(tmp_path) as bff:
        browser = bff.browser()

        asked = {one: query_of(browser.start(f"/auth/login{one}")) for one in ("", "?prompt=none")}

        assert "prompt" not in asked[""]
        assert asked["?prompt=none"]["prompt"] == "none"


@pytest.mark.parametrize("surface", ["popup", "modal"])
def test_nor_beside_a_window_that_was_opened_for_it(tmp_path: Path, surface: str) -> None:
    with running_bff(tmp_path, LOGIN) as bff:
        browser = bff.browser()
        opened = browser.post("/auth/transactions", {"surface": surface}).get_json()
        path = opened["url"].removeprefix(BFF)

        assert query_of(browser.start(f"{path}&prompt=none"))["prompt"] == "login"


@pytest.mark.parametrize("asked", ["login consent", "none login", "NONE", "", "none,login"])
def test_what_is_no_single_prompt_is_refused(tmp_path: Path, asked: str) -> None:
    with running_bff(tmp_path, LOGIN) as bff:
        answer = bff.browser().client.get(
            "/auth/login", base_url=BFF, query_string={"prompt": asked}
        )

        assert (answer.status_code, error_of(answer)) == (400, "request_refused")


def test_twice_is_refused(tmp_path: Path) -> None:
    with running_bff(tmp_path, LOGIN) as bff:
        answer = bff.browser().get("/auth/login?prompt=login&prompt=none")

        assert (answer.status_code, error_of(answer)) == (400, "request_refused")


@pytest.mark.parametrize("name", ["max_age", "acr_values", "scope", "claims", "login_hint"])
def test_nothing_else_of_a_request_is_the_pages_to_say(tmp_path: Path, name: str) -> None:
    with running_bff(tmp_path, BFF_PROVIDERS__MAIN__MAX_AGE="300") as bff:
        asked = query_of(bff.browser().start(f"/auth/login?{name}=7"))

        assert asked.get(name) != "7"
        assert asked["max_age"] == "300"


def test_taking_it_out_of_the_address_is_noticed(tmp_path: Path) -> None:
    with running_bff(tmp_path, LOGIN) as bff:
        browser = bff.browser()
        browser.sign_in()
        browser.post("/auth/logout")
        bff.provider.provider.faults.plant(Fault.AUTH_TIME_OLD, value=600)
        without = browser.start().replace("prompt=login", "")

        answer = browser.get(browser.at_provider(without))

        assert fragment_of(answer) == "messenger-auth-error=step_up_failed"
        assert not browser.signed_in


def test_a_provider_that_does_not_say_when_is_believed(tmp_path: Path) -> None:
    with running_bff(tmp_path, LOGIN) as bff:
        bff.provider.provider.faults.plant(Fault.AUTH_TIME_MISSING)
        browser = bff.browser()

        browser.sign_in()

        assert browser.signed_in


def test_genesys_code_of_that_sign_in_is_asked_for_silently_all_the_same(tmp_path: Path) -> None:
    with running_passthrough(tmp_path, **LOGIN, BFF_PROVIDERS__MAIN__MAX_AGE="300") as bff:
        browser = bff.browser()
        ours = query_of(browser.start("/auth/login?prompt=none"))

        genesys = query_of(browser.sign_in().headers["Location"])

        assert ours["prompt"] == "login"
        assert (genesys["prompt"], genesys["max_age"]) == ("none", "300")
