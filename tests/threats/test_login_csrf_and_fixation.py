"""A sign-in belongs to the browser that began it, and a session id to the sign-in that made it."""

from datetime import timedelta

from bff_rig import BROWSER, BffRig, error_of
from security_model import Asset, Attacker, threat


@threat(
    Attacker.OTHER_USER,
    Asset.SESSION,
    can="Plant their own sign-in answer in another browser (login CSRF): refused",
    noticed="`sign_in_attempt_unknown`",
)
def test_an_answer_cannot_be_planted_in_another_browser(bff: BffRig) -> None:
    mallory, victim = bff.browser(), bff.browser()
    planted = mallory.at_provider(mallory.start(), "ben")
    victim.start()

    response = victim.get(planted)

    assert error_of(response) == "sign_in_attempt_unknown"
    assert not victim.signed_in


def test_a_browser_that_began_nothing_is_refused(bff: BffRig) -> None:
    mallory, victim = bff.browser(), bff.browser()
    planted = mallory.at_provider(mallory.start())

    response = victim.get(planted)

    assert error_of(response) == "sign_in_attempt_unknown"
    assert bff.provider.provider.tally["token"] == 0


def test_an_answer_works_once(bff: BffRig) -> None:
    browser = bff.browser()
    answer = browser.at_provider(browser.start())
    browser.get(answer)

    again = browser.get(answer)

    assert error_of(again) == "sign_in_attempt_unknown"


def test_an_answer_that_comes_too_late_is_refused(bff: BffRig) -> None:
    browser = bff.browser()
    answer = browser.at_provider(browser.start())
    bff.clock.advance(timedelta(minutes=11))

    response = browser.get(answer)

    assert error_of(response) == "sign_in_attempt_unknown"


@threat(
    Attacker.STRANGER,
    Asset.SESSION,
    can="Fix a session id before the sign-in: the sign-in makes a new one",
)
def test_a_session_id_that_was_there_before_is_never_taken_over(bff: BffRig) -> None:
    browser = bff.browser()
    browser.set_cookie("__Host-bff", "A" * 43)

    browser.sign_in()

    assert browser.cookie() != "A" * 43
    assert browser.signed_in


def test_signing_in_again_changes_the_id_and_ends_the_old_session(bff: BffRig) -> None:
    browser, thief = bff.browser(), bff.browser()
    browser.sign_in()
    stolen = browser.cookie() or ""

    browser.sign_in()

    thief.set_cookie("__Host-bff", stolen)
    assert browser.cookie() != stolen
    assert browser.signed_in
    assert not thief.signed_in


def test_a_browser_may_have_many_sign_ins_under_way(bff: BffRig) -> None:
    browser = bff.browser()
    urls = [browser.start() for _ in range(10)]
    size = len(browser.cookie(BROWSER) or "")

    for url in urls:
        browser.get(browser.at_provider(url))

    assert browser.signed_in
    assert size == 43


def test_the_old_session_ends_though_its_cookie_does_not_come_back(bff: BffRig) -> None:
    """A Strict cookie stays behind when another site sends the browser to the callback."""
    browser, thief = bff.browser(), bff.browser()
    browser.sign_in()
    stolen = browser.cookie() or ""
    answer = browser.at_provider(browser.start(), "amira")
    browser.client.delete_cookie("__Host-bff", domain="auth.brand.localhost")

    browser.get(answer)

    thief.set_cookie("__Host-bff", stolen)
    assert browser.signed_in
    assert not thief.signed_in
