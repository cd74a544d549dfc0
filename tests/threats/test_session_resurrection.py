"""Whoever signs out stays signed out, whatever was under way."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from bff_rig import SESSION, BffRig, error_of
from security_model import Asset, Attacker, threat

from bff.simulator.provider_faults import Fault


@threat(
    Attacker.OTHER_USER,
    Asset.SESSION,
    can="Sign out during a renewal: the session stays ended, the fresh tokens are revoked",
)
def test_a_renewal_under_way_does_not_bring_a_session_back(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    slow = bff.browser()
    slow.set_cookie(SESSION, browser.cookie() or "")
    bff.clock.advance(timedelta(minutes=15))
    bff.provider.provider.faults.plant(Fault.SLOW, value=20, times=1)

    with ThreadPoolExecutor(max_workers=1) as pool:
        renewal = pool.submit(slow.post, "/auth/refresh")
        assert bff.provider.provider.tally.wait_for("kept_waiting", 1)
        assert browser.post("/auth/logout").status_code == 200
        bff.provider.provider.faults.release()
        answer = renewal.result(timeout=30)

    assert (answer.status_code, error_of(answer)) == (401, "login_required")
    assert "Set-Cookie" not in answer.headers
    assert not slow.signed_in
    assert bff.services.book.everyone() == []


def test_tokens_that_nobody_owns_any_more_are_revoked(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    slow = bff.browser()
    slow.set_cookie(SESSION, browser.cookie() or "")
    bff.clock.advance(timedelta(minutes=15))
    bff.provider.provider.faults.plant(Fault.SLOW, value=20, times=1)

    with ThreadPoolExecutor(max_workers=1) as pool:
        renewal = pool.submit(slow.post, "/auth/refresh")
        assert bff.provider.provider.tally.wait_for("kept_waiting", 1)
        browser.post("/auth/logout")
        bff.provider.provider.faults.release()
        renewal.result(timeout=30)

    # Once for what the session had, once for what the renewal brought.
    assert bff.provider.provider.tally["revocation"] == 2


def test_a_touch_does_not_bring_a_session_back(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    bff.clock.advance(timedelta(minutes=5))
    key = bff.key_of(browser)
    ended = threading.Event()

    original = bff.services.book._held

    def held_then_ended(session_key: str) -> object:
        found = original(session_key)  # type: ignore[arg-type]
        if not ended.is_set():
            ended.set()
            bff.services.sign_out.revoke(session_key)  # type: ignore[arg-type]
        return found

    bff.services.book._held = held_then_ended  # type: ignore[method-assign,assignment]
    response = browser.post("/auth/refresh")

    assert response.status_code == 401
    assert bff.services.book.look_up(key) is None  # type: ignore[arg-type]
