"""OIDC Back-Channel Logout 2.6: one broken rule is enough to refuse a logout token."""

from datetime import timedelta
from pathlib import Path

import pytest
from bff_rig import BffRig, Browser, error_of, running_bff
from security_model import Asset, Attacker, threat
from werkzeug.test import TestResponse

from bff.simulator.provider_tokens import LogoutDefect

# The first use of a jti is no replay.
HARMLESS = {LogoutDefect.JTI_REPLAYED}


def deliver(browser: Browser, token: str) -> TestResponse:
    return browser.client.post("/auth/backchannel-logout", data={"logout_token": token})


def token_for(bff: BffRig, *defects: LogoutDefect) -> str:
    return bff.provider.provider.logout_token("brand", subject="c-20417", defects=defects)


@threat(
    Attacker.STRANGER,
    Asset.SESSION,
    can="Forge a back-channel logout token: no session ends",
    noticed="`logout_token_refused`",
)
@pytest.mark.parametrize("defect", sorted(set(LogoutDefect) - HARMLESS))
def test_a_broken_token_ends_no_session(bff: BffRig, defect: LogoutDefect) -> None:
    browser = bff.browser()
    browser.sign_in()

    response = deliver(browser, token_for(bff, defect))

    assert (response.status_code, error_of(response)) == (400, "logout_token_refused")
    assert response.headers["Cache-Control"] == "no-store"
    assert browser.signed_in


def test_a_good_token_ends_the_session(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()

    response = deliver(browser, token_for(bff))

    assert response.status_code == 200
    assert not browser.signed_in


@pytest.mark.parametrize("empty", ["sid", "sub"])
def test_an_empty_name_does_not_hide_the_one_that_counts(bff: BffRig, empty: str) -> None:
    browser = bff.browser()
    browser.sign_in()
    session = bff.services.book.everyone()[0]
    names = {"sub": session.person.subject, "sid": session.provider_sid, empty: ""}
    token = bff.provider.provider.logout_token("brand", subject="c-20417", claims=names)

    response = deliver(browser, token)

    assert response.status_code == 200
    assert not browser.signed_in


@threat(
    Attacker.STRANGER,
    Asset.SESSION,
    can="Replay a logout token: it works once",
    noticed="`logout_token_refused`",
)
def test_a_token_works_once(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    token = token_for(bff)
    deliver(browser, token)
    browser.sign_in()

    replay = deliver(browser, token)

    assert error_of(replay) == "logout_token_refused"
    assert browser.signed_in


def test_an_id_token_is_no_logout_token(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    session = bff.services.book.everyone()[0]
    tokens = bff.services.vault.live_tokens(session)

    response = deliver(browser, tokens.id_token or "")

    assert error_of(response) == "logout_token_refused"


def test_a_token_that_is_used_late_is_refused(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    token = token_for(bff)
    bff.clock.advance(timedelta(minutes=6))

    assert deliver(browser, token).status_code == 400


@pytest.mark.parametrize("body", [{}, {"logout_token": ""}, {"logout_token": "a.b.c"}])
def test_junk_is_refused(bff: BffRig, body: dict[str, str]) -> None:
    response = bff.browser().client.post("/auth/backchannel-logout", data=body)

    assert response.status_code == 400


def test_a_provider_that_sends_no_type_can_be_admitted_by_a_setting(tmp_path: Path) -> None:
    admitted = {"BFF_PROVIDERS__MAIN__LOGOUT_TYPES": '["logout+jwt", ""]'}
    with running_bff(tmp_path, admitted) as bff:
        browser = bff.browser()
        browser.sign_in()

        response = deliver(browser, token_for(bff, LogoutDefect.TYPE_MISSING))

        assert response.status_code == 200
        assert not browser.signed_in
