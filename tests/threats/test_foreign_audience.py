"""An ID token for somebody else is not ours because `azp` says so."""

import pytest
from bff_rig import BffRig, error_of
from security_model import Asset, Attacker, threat

from bff.simulator.provider_faults import Fault


@threat(
    Attacker.PROVIDER,
    Asset.SESSION,
    can="Present an ID token that was issued to another client: no session",
    noticed="`provider_answer_invalid`",
)
@pytest.mark.parametrize(
    "fault", [Fault.AUDIENCE_FOREIGN, Fault.AUDIENCE_LIST_FOREIGN, Fault.AZP_WRONG]
)
def test_a_token_for_another_client_signs_nobody_in(bff: BffRig, fault: Fault) -> None:
    bff.provider.provider.faults.plant(fault)
    browser = bff.browser()

    response = browser.sign_in()

    assert (response.status_code, error_of(response)) == (502, "provider_answer_invalid")
    assert not browser.signed_in


@pytest.mark.parametrize("fault", [Fault.ISSUER_WRONG, Fault.NONCE_WRONG, Fault.NONCE_MISSING])
def test_a_token_of_another_issuer_or_sign_in_signs_nobody_in(bff: BffRig, fault: Fault) -> None:
    bff.provider.provider.faults.plant(fault)
    browser = bff.browser()

    response = browser.sign_in()

    assert error_of(response) == "provider_answer_invalid"
    assert not browser.signed_in


def test_a_list_that_names_us_and_says_so_is_taken(bff: BffRig) -> None:
    bff.provider.provider.faults.plant(Fault.AUDIENCE_LIST)
    browser = bff.browser()

    browser.sign_in()

    assert browser.signed_in
