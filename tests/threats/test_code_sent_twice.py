"""A code or a refresh token is never sent again by the HTTP layer: the first may have worked."""

from datetime import timedelta

import pytest
from bff_rig import BffRig, fragment_of

from bff.simulator.provider_faults import Fault


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.ANSWER_LOST, Fault.SERVER_ERROR])
def test_a_code_is_posted_once(bff: BffRig, fault: Fault) -> None:
    browser = bff.browser()
    answer = browser.at_provider(browser.start())
    bff.provider.provider.faults.plant(fault)

    response = browser.get(answer)

    assert fragment_of(response) == "messenger-auth-error=provider_unavailable"
    assert bff.provider.provider.tally["token"] == 1


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.ANSWER_LOST, Fault.SERVER_ERROR])
def test_a_refresh_token_is_posted_once(bff: BffRig, fault: Fault) -> None:
    browser = bff.browser()
    browser.sign_in()
    bff.clock.advance(timedelta(minutes=20))
    bff.provider.provider.faults.plant(fault)

    browser.post("/auth/refresh")

    assert bff.provider.provider.tally["token"] == 2
