"""A sign-in in a window of its own: the page waits on a transaction, nothing crosses windows."""

from datetime import timedelta
from urllib.parse import urlsplit

from bff_rig import BFF, BffRig, Browser, error_of
from door_rig import NAVIGATION
from werkzeug.test import TestResponse

from bff.simulator.provider_faults import Fault


def opened(browser: Browser, **body: str) -> tuple[str, str]:
    answer = browser.post("/auth/transactions", body)
    assert answer.status_code == 201, answer.text
    where = urlsplit(answer.get_json()["url"])
    assert f"{where.scheme}://{where.netloc}" == BFF
    return str(answer.get_json()["id"]), f"{where.path}?{where.query}"


def state_of(browser: Browser, key: str) -> dict[str, str | None]:
    body: dict[str, str | None] = browser.get(f"/auth/transactions/{key}").get_json()
    return body


def finished(browser: Browser, login: str) -> TestResponse:
    return browser.get(browser.at_provider(browser.start(login)), **NAVIGATION)


def test_it_is_pending_until_the_window_has_finished(bff: BffRig) -> None:
    browser = bff.browser()
    key, login = opened(browser)
    answer = browser.at_provider(browser.start(login))

    before = state_of(browser, key)
    browser.get(answer, **NAVIGATION)

    assert before == {"status": "pending", "code": None}
    assert state_of(browser, key) == {"status": "done", "code": None}
    assert browser.signed_in


def test_the_window_says_so_closes_itself_and_carries_no_secret(bff: BffRig) -> None:
    browser = bff.browser()
    key, login = opened(browser)

    page = finished(browser, login)

    assert page.status_code == 200
    assert "<h1>You are signed in</h1>" in page.text
    assert f'data-transaction="{key}"' in page.text
    assert "/static/signed-in.js" in page.text
    assert browser.cookie()
    assert str(browser.cookie()) not in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "<script>" not in page.text


def test_a_refusal_is_told_to_the_page_and_shown_in_the_window(bff: BffRig) -> None:
    browser = bff.browser()
    key, login = opened(browser)
    bff.provider.provider.faults.plant(Fault.AUTHORIZE_ERROR, value="access_denied")

    shown = finished(browser, login)

    assert state_of(browser, key) == {"status": "failed", "code": "sign_in_denied"}
    assert (shown.status_code, error_of(shown)) == (403, "sign_in_denied")
    assert not browser.signed_in


def test_an_answer_that_is_not_believed_is_told_as_well(bff: BffRig) -> None:
    browser = bff.browser()
    key, login = opened(browser)
    bff.provider.provider.faults.plant(Fault.NONCE_WRONG)

    finished(browser, login)

    assert state_of(browser, key) == {"status": "failed", "code": "provider_answer_invalid"}


def test_a_second_try_in_the_same_window_is_what_counts(bff: BffRig) -> None:
    browser = bff.browser()
    key, login = opened(browser)
    bff.provider.provider.faults.plant(Fault.AUTHORIZE_ERROR, times=1)
    finished(browser, login)

    finished(browser, login)

    assert state_of(browser, key) == {"status": "done", "code": None}


def test_it_expires(bff: BffRig) -> None:
    browser = bff.browser()
    key, login = opened(browser)
    bff.clock.advance(timedelta(minutes=11))

    asked = browser.get(f"/auth/transactions/{key}")
    visited = browser.get(login, **NAVIGATION)

    assert (asked.status_code, error_of(asked)) == (404, "transaction_unknown")
    assert (visited.status_code, error_of(visited)) == (404, "transaction_unknown")


def test_another_browser_neither_sees_it_nor_uses_it(bff: BffRig) -> None:
    browser, mallory = bff.browser(), bff.browser()
    key, login = opened(browser)
    mallory.start()

    asked = mallory.get(f"/auth/transactions/{key}")
    stolen = mallory.get(login)

    assert [(a.status_code, error_of(a)) for a in (asked, stolen)] == [
        (404, "transaction_unknown")
    ] * 2
    assert state_of(browser, key)["status"] == "pending"


def test_a_browser_without_a_cookie_is_a_stranger(bff: BffRig) -> None:
    key, _ = opened(bff.browser())

    assert bff.browser().get(f"/auth/transactions/{key}").status_code == 404


def test_where_to_return_is_checked_before_the_window_opens(bff: BffRig) -> None:
    answer = bff.browser().post("/auth/transactions", {"return_to": "//evil.example"})

    assert (answer.status_code, error_of(answer)) == (400, "return_to_refused")


def test_an_unknown_provider_is_refused_before_the_window_opens(bff: BffRig) -> None:
    answer = bff.browser().post("/auth/transactions", {"provider": "nobody"})

    assert (answer.status_code, error_of(answer)) == (404, "provider_unknown")
