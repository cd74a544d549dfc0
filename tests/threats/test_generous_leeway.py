"""A token that expired a minute ago has expired; Authlib's default would forgive two."""

from bff_rig import BffRig, error_of

from bff.simulator.provider_faults import Fault


def test_a_token_of_a_minute_ago_is_too_old(bff: BffRig) -> None:
    bff.provider.provider.faults.plant(Fault.EXPIRED, value=60)
    browser = bff.browser()

    response = browser.sign_in()

    assert error_of(response) == "provider_answer_invalid"
    assert not browser.signed_in


def test_a_token_from_the_future_is_refused(bff: BffRig) -> None:
    bff.provider.provider.faults.plant(Fault.ISSUED_IN_FUTURE, value=60)
    browser = bff.browser()

    response = browser.sign_in()

    assert error_of(response) == "provider_answer_invalid"


def test_clocks_that_differ_by_some_seconds_are_forgiven(bff: BffRig) -> None:
    bff.provider.provider.faults.plant(Fault.ISSUED_IN_FUTURE, value=20)
    browser = bff.browser()

    browser.sign_in()

    assert browser.signed_in
