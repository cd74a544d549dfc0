"""Only a refusal ends a session. A provider that is silent, broken or misconfigured ends none."""

from datetime import timedelta

import pytest
from bff_rig import BffRig, error_of

from bff.signin.records import EndReason
from bff.simulator.provider_faults import Fault

SILENCES = [
    (Fault.SERVER_ERROR, None),
    (Fault.SERVER_ERROR, 502),
    (Fault.SERVER_ERROR, 429),
    (Fault.UNAVAILABLE, 7),
    (Fault.CUT, None),
    (Fault.REDIRECT, "http://127.0.0.1:1/"),
    (Fault.SERVER_ERROR, 403),
]


@pytest.mark.parametrize(("fault", "value"), SILENCES)
def test_an_outage_costs_nobody_their_session(bff: BffRig, fault: Fault, value: object) -> None:
    browser = bff.browser()
    browser.sign_in()
    bff.clock.advance(timedelta(minutes=35))
    bff.provider.provider.faults.plant(fault, value=value)

    during = browser.post("/messenger/code")
    bff.provider.provider.faults.clear()
    bff.clock.advance(timedelta(seconds=30))
    after = browser.post("/messenger/code")

    assert during.status_code in {502, 503}
    assert error_of(during) in {"provider_unavailable", "provider_answer_invalid"}
    assert "Set-Cookie" not in during.headers
    assert after.status_code == 200
    assert browser.signed_in


def test_a_short_outage_is_not_even_noticed(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    bff.clock.advance(timedelta(minutes=14, seconds=30))
    bff.provider.provider.faults.plant(Fault.SERVER_ERROR)

    response = browser.post("/messenger/code")

    assert response.status_code == 200


def test_the_wait_that_the_provider_asks_for_is_handed_on_and_kept(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    bff.clock.advance(timedelta(minutes=35))
    bff.provider.provider.faults.plant(Fault.UNAVAILABLE, value=40)

    first = browser.post("/messenger/code")
    asked = bff.provider.provider.tally["token"]
    for _ in range(20):
        browser.post("/messenger/code")

    assert first.headers["Retry-After"] == "40"
    assert bff.provider.provider.tally["token"] == asked


def test_a_refusal_ends_the_session_once_and_tells_the_page(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    key = bff.key_of(browser)
    bff.clock.advance(timedelta(minutes=15))
    bff.provider.provider.faults.plant(Fault.INVALID_GRANT)

    with bff.services.news.inbox(key) as inbox:  # type: ignore[arg-type]
        first = browser.post("/messenger/code")
        news = inbox.get(timeout=5)
        second = browser.post("/messenger/code")

    assert [error_of(first), error_of(second)] == ["login_required", "login_required"]
    assert first.get_json()["login_url"].endswith("/auth/login")
    assert news is not None
    assert news.reason is EndReason.REFUSED
    assert inbox.empty()
    assert bff.provider.provider.tally["token"] == 2
