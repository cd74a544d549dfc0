"""RFC 9207: an answer from another issuer is refused before the code goes anywhere."""

import pytest
from bff_rig import BffRig, error_of
from security_model import Asset, Attacker, threat

from bff.simulator.provider_faults import Fault


@threat(
    Attacker.PROVIDER,
    Asset.TOKENS,
    can="Answer in the name of another issuer: the code is sent nowhere",
    noticed="`issuer_mismatch`",
)
@pytest.mark.parametrize("fault", [Fault.RESPONSE_ISSUER_WRONG, Fault.RESPONSE_ISSUER_MISSING])
def test_a_wrong_or_missing_issuer_costs_no_code(bff: BffRig, fault: Fault) -> None:
    bff.provider.provider.faults.plant(fault)
    browser = bff.browser()

    response = browser.sign_in()

    assert (response.status_code, error_of(response)) == (400, "issuer_mismatch")
    assert bff.provider.provider.tally["token"] == 0
    assert not browser.signed_in
