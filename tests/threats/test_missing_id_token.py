"""`openid` was asked for: an answer without an ID token proves nobody's identity."""

import pytest
from bff_rig import BffRig, error_of

from bff.simulator.provider_faults import Fault


@pytest.mark.parametrize("fault", [Fault.ID_TOKEN_MISSING, Fault.SUBJECT_MISSING])
def test_nobody_is_signed_in_without_an_identity(bff: BffRig, fault: Fault) -> None:
    bff.provider.provider.faults.plant(fault)
    browser = bff.browser()

    response = browser.sign_in()

    assert error_of(response) == "provider_answer_invalid"
    assert not browser.signed_in
