"""RFC 6749 section 3.1: a parameter that comes twice is refused, whichever was meant."""

import pytest
from bff_rig import BffRig, error_of
from security_model import Asset, Attacker, threat


@threat(
    Attacker.STRANGER,
    Asset.SESSION,
    can="Send a parameter twice: refused, whichever was meant",
    noticed="`request_refused`",
)
@pytest.mark.parametrize("name", ["code", "state", "iss", "error"])
def test_a_callback_with_two_of_a_kind_is_refused(bff: BffRig, name: str) -> None:
    browser = bff.browser()
    answer = browser.at_provider(browser.start())

    response = browser.get(f"{answer}&{name}=x&{name}=y")

    assert (response.status_code, error_of(response)) == (400, "request_refused")
    assert bff.provider.provider.tally["token"] == 0
