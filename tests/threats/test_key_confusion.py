"""Only the provider's own asymmetric keys sign; what the token says about keys is not believed."""

import pytest
from bff_rig import BffRig, error_of
from joserfc import jws
from joserfc.jwk import RSAKey
from security_model import Asset, Attacker, threat

from bff.errors import ProviderAnswerError
from bff.simulator.provider_faults import Fault


@threat(
    Attacker.STRANGER,
    Asset.SESSION,
    can="Sign an ID token with another key, with `none`, or with our client secret: no sign-in",
    noticed="`provider_answer_invalid`",
)
@pytest.mark.parametrize(
    "fault",
    [Fault.ALGORITHM_NONE, Fault.ALGORITHM_HS256, Fault.SIGNATURE_BAD, Fault.KID_UNKNOWN],
)
def test_a_token_that_the_provider_did_not_sign_signs_nobody_in(bff: BffRig, fault: Fault) -> None:
    bff.provider.provider.faults.plant(fault)
    browser = bff.browser()

    response = browser.sign_in()

    assert error_of(response) == "provider_answer_invalid"
    assert not browser.signed_in


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u"])
def test_a_token_that_brings_its_own_key_is_refused(bff: BffRig, member: str) -> None:
    mallory = RSAKey.generate_key(2048, parameters={"kid": "mallory"})
    address = "http://127.0.0.1:1/keys"
    brought = mallory.as_dict(private=False) if member == "jwk" else address
    header = {"alg": "RS256", "kid": "mallory", member: brought}
    token = jws.serialize_compact(header, b'{"sub":"c-20417"}', mallory, algorithms=["RS256"])

    with pytest.raises(ProviderAnswerError, match=r"signature does not verify|not a signed token"):
        bff.services.providers["main"]._tokens.signed(token)  # type: ignore[attr-defined]


def test_a_huge_token_is_refused_before_any_work(bff: BffRig) -> None:
    with pytest.raises(ProviderAnswerError, match="too long"):
        bff.services.providers["main"]._tokens.signed("a" * 1_000_000)  # type: ignore[attr-defined]
    assert bff.provider.provider.tally["jwks"] == 0
