"""An error is believed only with the state of a sign-in that this browser started."""

import logging

import pytest
from bff_rig import BRAND, BffRig, error_of, fragment_of, query_of
from security_model import Asset, Attacker, threat


@threat(
    Attacker.STRANGER,
    Asset.SESSION,
    can="Forge an error response: not believed without a state of this browser",
    noticed="`sign_in_attempt_unknown`",
)
def test_an_error_with_a_foreign_state_is_nobodys_error(
    bff: BffRig, caplog: pytest.LogCaptureFixture
) -> None:
    browser = bff.browser()
    browser.start()
    caplog.set_level(logging.DEBUG)

    response = browser.get("/auth/callback?error=planted_words&state=WRONG")

    assert (response.status_code, error_of(response)) == (400, "sign_in_attempt_unknown")
    assert "planted_words" not in caplog.text


def test_a_believed_error_uses_the_state_up(bff: BffRig) -> None:
    browser = bff.browser()
    state = query_of(browser.start())["state"]
    answer = f"/auth/callback?error=access_denied&state={state}&iss={bff.provider.url}"

    first = browser.get(answer)
    second = browser.get(answer)

    assert first.headers["Location"].startswith(f"{BRAND}/orders#")
    assert fragment_of(first) == "messenger-auth-error=sign_in_denied"
    assert error_of(second) == "sign_in_attempt_unknown"


def test_a_providers_own_words_reach_no_page(bff: BffRig) -> None:
    browser = bff.browser()
    state = query_of(browser.start())["state"]
    words = "error=x&error_description=%3Cscript%3Ealert(1)%3C/script%3E"

    response = browser.get(f"/auth/callback?{words}&state={state}&iss={bff.provider.url}")

    assert fragment_of(response) == "messenger-auth-error=sign_in_denied"
    assert "script" not in response.text.lower()
