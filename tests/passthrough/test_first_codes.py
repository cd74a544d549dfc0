"""A sign-in brings a code for Genesys along, on every surface, and that code is redeemed once."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bff_rig import BFF, BffRig, error_of, fragment_of, query_of
from passthrough_rig import CALLBACK, GENESYS, NAVIGATION, CodePage, redeemed, running_passthrough

from bff.simulator.provider_faults import Fault


def test_the_sign_in_goes_on_to_the_provider_in_genesys_name(bff: BffRig) -> None:
    browser = bff.browser()

    answer = browser.sign_in()

    asked = query_of(answer.headers["Location"])
    assert asked["client_id"] == GENESYS.client_id
    assert asked["redirect_uri"] == CALLBACK
    assert asked["prompt"] == "none"
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid profile email offline_access"
    assert asked["login_hint"] == "amira@example.com"
    assert browser.signed_in


def test_the_page_comes_back_to_a_code_that_genesys_redeems(bff: BffRig, page: CodePage) -> None:
    back = page.sign_in(path="/auth/login?return_to=/orders")

    answer = page.ask()

    code = answer.get_json()
    assert back.headers["Location"] == "http://www.brand.localhost/orders"
    assert answer.status_code == 200
    assert code["redirectUri"] == CALLBACK
    assert code["iss"] == bff.provider.url
    assert 0 < code["expiresIn"] <= 60
    assert redeemed(bff, code)["status"] == 200


def test_nobody_here_has_redeemed_it(bff: BffRig, page: CodePage) -> None:
    page.sign_in()
    before = bff.provider.provider.tally["token"]

    first = redeemed(bff, page.ask().get_json())

    assert first["status"] == 200
    assert bff.provider.provider.tally["token"] == before + 1


def test_a_second_redemption_is_refused_by_the_provider(bff: BffRig, page: CodePage) -> None:
    page.sign_in()
    code = page.ask().get_json()
    redeemed(bff, code)

    again = redeemed(bff, code)

    assert (again["status"], again["error"]) == (400, "invalid_grant")


def test_the_code_fits_its_verifier_only(bff: BffRig, page: CodePage) -> None:
    page.sign_in()
    code = page.ask().get_json()

    assert redeemed(bff, {**code, "codeVerifier": "x" * 43})["error"] == "invalid_grant"


def test_it_is_handed_out_once(page: CodePage) -> None:
    page.sign_in()

    first, second = page.ask(), page.ask()

    assert (first.status_code, second.status_code) == (200, 202)


def test_it_does_not_wait_for_longer_than_it_lives(bff: BffRig, page: CodePage) -> None:
    page.sign_in()
    bff.clock.advance(timedelta(seconds=56))

    assert page.ask().status_code == 202


def test_what_is_left_is_told(bff: BffRig, page: CodePage) -> None:
    page.sign_in()
    bff.clock.advance(timedelta(seconds=40))

    assert page.ask().get_json()["expiresIn"] == 20


@pytest.mark.parametrize("surface", ["popup", "modal"])
def test_a_window_is_done_only_when_its_code_waits(page: CodePage, surface: str) -> None:
    browser = page.browser
    opened = browser.post("/auth/transactions", {"surface": surface}).get_json()
    login = opened["url"].removeprefix(BFF)
    on_the_way = browser.sign_in(path=login)
    state = f"/auth/transactions/{opened['id']}"
    between = browser.get(state).get_json()

    last = page.second_leg(on_the_way)
    shown = browser.get(last.headers["Location"], **NAVIGATION)

    assert between["status"] == "pending"
    assert last.headers["Location"] == f"/auth/signed-in?transaction={opened['id']}"
    assert "You are signed in" in shown.text
    assert browser.get(state).get_json() == {"status": "done", "code": None}
    assert page.ask().status_code == 200


@pytest.mark.parametrize("said", ["login_required", "interaction_required", "consent_required"])
def test_a_provider_that_wants_to_see_somebody_is_asked_once_more(
    bff: BffRig, page: CodePage, said: str
) -> None:
    on_the_way = page.browser.sign_in()
    bff.provider.provider.faults.plant(Fault.AUTHORIZE_ERROR, value=said, times=1)
    refused = page.browser.at_provider(on_the_way.headers["Location"])

    second = page.browser.get(refused, **NAVIGATION)

    assert "prompt" not in query_of(second.headers["Location"])
    page.second_leg(second)
    assert redeemed(bff, page.ask().get_json())["status"] == 200


def test_it_is_not_asked_for_ever(bff: BffRig, page: CodePage) -> None:
    on_the_way = page.browser.sign_in()
    bff.provider.provider.faults.plant(Fault.AUTHORIZE_ERROR, value="login_required")

    ended = page.second_leg(on_the_way)

    assert fragment_of(ended) == "messenger-auth-error=sign_in_denied"
    assert bff.provider.provider.tally["authorize_login_required"] == 2
    assert page.browser.signed_in


def test_who_cancels_the_second_part_is_signed_in_and_the_window_says_so(
    bff: BffRig, page: CodePage
) -> None:
    browser = page.browser
    opened = browser.post("/auth/transactions", {}).get_json()
    on_the_way = browser.sign_in(path=opened["url"].removeprefix(BFF))
    bff.provider.provider.faults.plant(Fault.AUTHORIZE_ERROR, value="access_denied")

    last = page.second_leg(on_the_way)

    state = browser.get(f"/auth/transactions/{opened['id']}").get_json()
    assert last.headers["Location"] == "/auth/failed?code=sign_in_denied"
    assert state == {"status": "failed", "code": "sign_in_denied"}
    assert browser.signed_in


def test_a_provider_that_dies_in_between_costs_the_code_and_not_the_sign_in(
    bff: BffRig, page: CodePage
) -> None:
    answer = page.browser.at_provider(page.browser.start())
    bff.provider.provider.faults.plant(Fault.CUT, endpoint="discovery")

    back = page.browser.get(answer, **NAVIGATION)

    assert back.headers["Location"] == "http://www.brand.localhost/orders"
    assert page.browser.signed_in
    assert page.ask().status_code == 202


def test_a_new_sign_in_leaves_no_code_of_the_old_one(bff: BffRig, page: CodePage) -> None:
    page.sign_in()
    page.sign_in()
    first = page.ask()

    second = page.ask()

    assert (first.status_code, second.status_code) == (200, 202)
    assert redeemed(bff, first.get_json())["status"] == 200


def test_force_update_drops_what_has_waited(bff: BffRig, page: CodePage) -> None:
    page.sign_in()
    bff.clock.advance(timedelta(seconds=16))

    assert page.ask(forceUpdate=True).status_code == 202


def test_force_update_keeps_what_the_new_sign_in_has_just_brought(page: CodePage) -> None:
    page.sign_in()

    assert page.ask(forceUpdate=True).status_code == 200


def test_a_step_up_is_asked_for_and_told_as_max_age(tmp_path: Path) -> None:
    with running_passthrough(tmp_path, BFF_PROVIDERS__MAIN__MAX_AGE="300") as bff:
        page = CodePage(bff.browser())
        on_the_way = page.browser.sign_in()
        asked = query_of(on_the_way.headers["Location"])
        page.second_leg(on_the_way)

        assert asked["max_age"] == "300"
        assert page.ask().get_json()["maxAge"] == 300


@pytest.mark.parametrize(
    ("hint", "parameter", "says"),
    [
        ("id_token", "id_token_hint", "ey"),
        ("subject", "claims", '{"id_token": {"sub": {"value": "c-20417"'),
        ("login_hint", "login_hint", "amira@example.com"),
        ("auto", "login_hint", "amira@example.com"),
    ],
)
def test_the_provider_is_told_whose_code_it_must_be(
    tmp_path: Path, hint: str, parameter: str, says: str
) -> None:
    with running_passthrough(tmp_path, BFF_PROVIDERS__MAIN__PASSTHROUGH_HINT=hint) as bff:
        asked = query_of(bff.browser().sign_in().headers["Location"])

    assert asked[parameter].startswith(says)
    assert len({"id_token_hint", "claims", "login_hint"} & set(asked)) == 1


def test_we_are_no_provider_where_genesys_asks_another(bff: BffRig) -> None:
    for path in ("/op/.well-known/openid-configuration", "/op/jwks", "/op/token"):
        assert bff.browser().get(path).status_code == 404


def test_where_codes_are_ours_there_is_no_door_for_others(tmp_path: Path) -> None:
    with running_passthrough(tmp_path) as bff:
        here = {rule.rule for rule in bff.app.url_map.iter_rules()}

    assert {"/messenger/authorize", "/messenger/callback", "/messenger/silent"} <= here
    assert urlsplit(CALLBACK).path in here


def test_without_a_session_the_answer_comes_at_once(page: CodePage) -> None:
    answer = page.ask()

    assert (answer.status_code, error_of(answer)) == (401, "login_required")
