"""OIDC Discovery 4.3: a document that speaks for another issuer is refused when it is read."""

from bff_rig import BffRig, error_of
from security_model import Asset, Attacker, threat

from bff.simulator.provider_faults import Fault


@threat(
    Attacker.PROVIDER,
    Asset.SESSION,
    can="Speak for another issuer in discovery: no browser is sent there",
    noticed="`provider_answer_invalid`",
)
def test_no_browser_is_sent_to_a_provider_with_another_name(bff: BffRig) -> None:
    bff.provider.provider.faults.plant(Fault.DISCOVERY_ISSUER_WRONG)

    response = bff.browser().get("/auth/login", Accept="text/html")

    assert (response.status_code, error_of(response)) == (502, "provider_answer_invalid")


def test_a_provider_that_is_put_right_can_be_used(bff: BffRig) -> None:
    bff.provider.provider.faults.plant(Fault.DISCOVERY_ISSUER_WRONG, times=1)
    browser = bff.browser()
    browser.get("/auth/login")

    browser.sign_in()

    assert browser.signed_in
