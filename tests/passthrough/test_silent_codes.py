"""Further codes come by a hidden frame; where that fails a person is asked, and nothing loops."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from bff_rig import BRAND, BffRig, error_of, query_of
from passthrough_rig import GENESYS, NAVIGATION, CodePage, redeemed, running_passthrough
from provider_visitor import Visitor

from bff.signin.passthrough import NEEDS_PERSON
from bff.simulator.provider_faults import Fault


@pytest.fixture
def used(page: CodePage) -> CodePage:
    """A page that has had its first code."""
    page.sign_in()
    assert page.ask().status_code == 200
    return page


def test_three_codes_in_a_row_are_redeemed_once_each(bff: BffRig, used: CodePage) -> None:
    codes = [used.silent_code() for _ in range(3)]

    first = [redeemed(bff, code)["status"] for code in codes]
    second = [redeemed(bff, code)["status"] for code in codes]

    assert first == [200, 200, 200]
    assert second == [400, 400, 400]
    assert len({code["nonce"] for code in codes}) == 3


def test_the_frame_asks_nobody_and_ends_on_a_blank_page(used: CodePage) -> None:
    _, path = used.channel()

    out = used.browser.get(path, **NAVIGATION)
    last = used.browser.get(used.browser.at_provider(out.headers["Location"]), **NAVIGATION)
    shown = used.browser.get(last.headers["Location"], **NAVIGATION)

    asked = query_of(out.headers["Location"])
    assert (asked["client_id"], asked["prompt"]) == (GENESYS.client_id, "none")
    assert last.headers["Location"] == "/messenger/silent"
    assert f"frame-ancestors {BRAND}" in shown.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in shown.headers
    assert "<script" not in shown.text


def test_the_page_learns_when_the_frame_has_come_back(used: CodePage) -> None:
    key, path = used.channel()
    state = f"/auth/transactions/{key}"
    before = used.browser.get(state).get_json()

    used.frame(path)

    assert before == {"status": "pending", "code": None}
    assert used.browser.get(state).get_json() == {"status": "done", "code": None}


@pytest.mark.parametrize("said", sorted(NEEDS_PERSON))
def test_a_refusal_asks_for_a_person(bff: BffRig, used: CodePage, said: str) -> None:
    key, path = used.channel()
    bff.provider.provider.faults.plant(Fault.AUTHORIZE_ERROR, value=said)

    used.frame(path)

    answer = used.ask(transaction=key)
    state = used.browser.get(f"/auth/transactions/{key}").get_json()
    assert (answer.status_code, error_of(answer)) == (401, "interaction_required")
    assert state == {"status": "failed", "code": "interaction_required"}
    assert used.browser.signed_in


def test_after_a_refusal_no_frame_tries_again_at_once(bff: BffRig, used: CodePage) -> None:
    _, path = used.channel()
    bff.provider.provider.faults.plant(Fault.AUTHORIZE_ERROR, value="login_required", times=1)
    used.frame(path)

    at_once = used.ask()
    bff.clock.advance(timedelta(seconds=31))
    later = used.ask()

    assert (at_once.status_code, error_of(at_once)) == (401, "interaction_required")
    assert later.status_code == 202


def test_signing_in_again_brings_a_code_and_lifts_the_refusal(bff: BffRig, used: CodePage) -> None:
    _, path = used.channel()
    bff.provider.provider.faults.plant(Fault.AUTHORIZE_ERROR, value="login_required", times=1)
    used.frame(path)

    used.sign_in()

    assert redeemed(bff, used.ask().get_json())["status"] == 200
    assert redeemed(bff, used.silent_code())["status"] == 200


def test_a_browser_that_keeps_the_providers_cookies_back_needs_a_person(used: CodePage) -> None:
    key, path = used.channel()
    used.browser.visitor = Visitor()  # what a third party sees in a frame: no cookies

    out = used.browser.get(path, **NAVIGATION)
    refused = used.browser.visitor.go(out.headers["Location"])
    used.browser.get(
        refused.headers["Location"].removeprefix("http://auth.brand.localhost"), **NAVIGATION
    )

    answer = used.ask(transaction=key)
    assert (answer.status_code, error_of(answer)) == (401, "interaction_required")


def test_a_frame_that_never_comes_back_needs_a_person(bff: BffRig, used: CodePage) -> None:
    key, _ = used.channel()
    early = used.ask(transaction=key)
    bff.clock.advance(timedelta(seconds=31))

    state = used.browser.get(f"/auth/transactions/{key}").get_json()

    assert (early.status_code, error_of(early)) == (401, "interaction_required")
    assert state == {"status": "expired", "code": "transaction_unknown"}


def test_a_provider_that_is_down_is_no_reason_to_ask_a_person_for_long(
    bff: BffRig, used: CodePage
) -> None:
    _, path = used.channel()
    busy = "temporarily_unavailable"
    bff.provider.provider.faults.plant(Fault.AUTHORIZE_ERROR, value=busy, times=1)
    used.frame(path)

    assert redeemed(bff, used.silent_code())["status"] == 200


def test_rounds_are_bounded(used: CodePage) -> None:
    answers = [used.ask() for _ in range(21)]

    assert [answer.status_code for answer in answers] == [202] * 20 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_two_tabs_do_not_take_each_others_codes(bff: BffRig, used: CodePage) -> None:
    (one, path_one), (two, path_two) = used.channel(), used.channel()
    used.frame(path_one)
    used.frame(path_two)

    codes = [used.ask(transaction=key).get_json() for key in (two, one)]

    assert [redeemed(bff, code)["status"] for code in codes] == [200, 200]


@contextmanager
def hinting(folder: Path, hint: str) -> Iterator[tuple[BffRig, CodePage]]:
    with running_passthrough(folder, BFF_PROVIDERS__MAIN__PASSTHROUGH_HINT=hint) as bff:
        page = CodePage(bff.browser())
        page.sign_in("amira")
        page.ask()
        yield bff, page


def test_genesys_does_not_get_another_person_who_signed_in_at_the_provider(tmp_path: Path) -> None:
    with hinting(tmp_path, "id_token") as (bff, page):
        # The stand-in heeds a hint of any client; others take those of the asking one only.
        signed = bff.provider.sign_in(
            page.browser.visitor,
            "zoe",
            redirect_uri=bff.provider.client.redirect_uris[0],
            prompt="login",
        )
        key, path = page.channel()
        page.frame(path)

        answer = page.ask(transaction=key)

    assert signed["code"]
    assert (answer.status_code, error_of(answer)) == (401, "interaction_required")
