"""A sign-in in a window of its own: the page waits on a transaction, nothing crosses windows."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from bff_rig import BFF, BRAND, BffRig, Browser, error_of
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


def arrived(browser: Browser, login: str) -> TestResponse:
    """Sign in, and stop at the answer that has not left the provider's address yet."""
    return browser.get(browser.at_provider(browser.start(login)), **NAVIGATION)


def finished(browser: Browser, login: str) -> TestResponse:
    """Sign in; return the last page in the window."""
    answer = arrived(browser, login)
    assert answer.status_code == 303, answer.text
    return browser.get(answer.headers["Location"], **NAVIGATION)


def test_it_is_pending_until_the_window_has_finished(bff: BffRig) -> None:
    browser = bff.browser()
    key, login = opened(browser)

    on_the_way = arrived(browser, login)
    before = state_of(browser, key)
    browser.get(on_the_way.headers["Location"], **NAVIGATION)

    # Not before the cookie is there: the page asks at once who has signed in.
    assert before == {"status": "pending", "code": None}
    assert state_of(browser, key) == {"status": "done", "code": None}
    assert browser.signed_in


def test_a_window_closed_before_its_last_page_is_a_sign_in_all_the_same(bff: BffRig) -> None:
    browser = bff.browser()
    key, login = opened(browser)
    arrived(browser, login)

    bff.clock.advance(timedelta(seconds=3))

    assert state_of(browser, key) == {"status": "done", "code": None}


def test_another_browser_does_not_finish_it(bff: BffRig) -> None:
    browser, mallory = bff.browser(), bff.browser()
    key, login = opened(browser)
    arrived(browser, login)
    mallory.start()

    page = mallory.get(f"/auth/signed-in?transaction={key}")

    assert page.status_code == 200
    assert state_of(browser, key)["status"] == "pending"


def test_no_last_page_stays_at_an_address_with_the_code(bff: BffRig) -> None:
    browser = bff.browser()
    key, login = opened(browser)

    answer = arrived(browser, login)

    assert answer.headers["Location"] == f"/auth/signed-in?transaction={key}"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


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


def test_what_is_done_is_not_undone_by_another_try(bff: BffRig) -> None:
    browser = bff.browser()
    key, login = opened(browser)
    second = browser.at_provider(browser.start(login))
    finished(browser, login)

    browser.get(second.replace("code=", "error=access_denied&was="), **NAVIGATION)

    assert state_of(browser, key) == {"status": "done", "code": None}


def test_it_expires_and_says_so_for_some_minutes(bff: BffRig) -> None:
    browser = bff.browser()
    key, login = opened(browser)
    bff.clock.advance(timedelta(minutes=11))

    told = state_of(browser, key)
    visited = browser.get(login, **NAVIGATION)
    bff.clock.advance(timedelta(minutes=5))
    later = browser.get(f"/auth/transactions/{key}")

    assert told == {"status": "expired", "code": "transaction_unknown"}
    assert (visited.status_code, error_of(visited)) == (404, "transaction_unknown")
    assert (later.status_code, error_of(later)) == (404, "transaction_unknown")


def test_the_page_is_told_how_long_it_may_take(bff: BffRig) -> None:
    answer = bff.browser().post("/auth/transactions", {}).get_json()

    assert answer["expires_in"] == 600


def test_a_provider_that_is_down_is_told_to_the_page_as_well(bff: BffRig) -> None:
    browser = bff.browser()
    key, login = opened(browser)
    bff.provider.provider.faults.plant(Fault.CUT, endpoint="discovery")

    answer = browser.get(login, **NAVIGATION)
    shown = browser.get(answer.headers["Location"], **NAVIGATION)

    assert (shown.status_code, error_of(shown)) == (503, "provider_unavailable")
    assert state_of(browser, key) == {"status": "failed", "code": "provider_unavailable"}


@pytest.mark.parametrize("surface", ["redirect", "window", "none"])
def test_only_a_window_or_a_frame_has_a_transaction(bff: BffRig, surface: str) -> None:
    answer = bff.browser().post("/auth/transactions", {"surface": surface})

    assert (answer.status_code, error_of(answer)) == (400, "request_refused")


FRAMED = f"frame-ancestors {BRAND} http://shop.brand.localhost;"


def test_the_last_page_may_stand_in_a_frame_of_an_allowed_page_only(bff: BffRig) -> None:
    browser = bff.browser()
    _, login = opened(browser, surface="modal")

    page = finished(browser, login)

    assert "surface=modal" in login
    assert FRAMED in page.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in page.headers


def test_so_may_the_page_that_says_what_went_wrong_and_it_leads_nowhere(bff: BffRig) -> None:
    browser = bff.browser()
    _, login = opened(browser, surface="modal")
    bff.provider.provider.faults.plant(Fault.AUTHORIZE_ERROR, value="access_denied")

    page = finished(browser, login)

    assert FRAMED in page.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in page.headers
    assert "<a " not in page.text
    assert "<form" not in page.text


@pytest.mark.parametrize("path", ["/auth/callback", "/auth/login?provider=nobody", "/auth/failed"])
def test_no_other_page_of_ours_is_framed(bff: BffRig, path: str) -> None:
    page = bff.browser().get(path, **NAVIGATION)

    framed = "/auth/failed" in path
    assert page.status_code in {400, 404}
    assert page.headers.get("X-Frame-Options") == (None if framed else "DENY")


def test_a_failure_is_told_in_our_words_only(bff: BffRig) -> None:
    page = bff.browser().get("/auth/failed?code=call+0800+666", **NAVIGATION)

    assert (page.status_code, error_of(page)) == (400, "request_refused")
    assert "0800" not in page.text


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
