"""Anybody can invent a key id: a flood of them is at most one fetch a minute at the provider."""

from datetime import timedelta

from bff_rig import BffRig
from joserfc import jws
from joserfc.jwk import RSAKey
from security_model import Asset, Attacker, threat

MALLORY = RSAKey.generate_key(2048)


def forged(number: int) -> str:
    header = {"alg": "RS256", "kid": f"invented-{number}", "typ": "logout+jwt"}
    return jws.serialize_compact(header, b"{}", MALLORY, algorithms=["RS256"])


@threat(
    Attacker.STRANGER,
    Asset.SERVICE,
    can="Invent a thousand key ids: the provider's keys are fetched once a minute at most",
)
def test_a_thousand_invented_keys_cost_one_fetch(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    before = bff.provider.provider.tally["jwks"]

    for number in range(1000):
        response = browser.client.post(
            "/auth/backchannel-logout", data={"logout_token": forged(number)}
        )
        assert response.status_code == 400

    assert bff.provider.provider.tally["jwks"] - before == 1


def test_a_key_that_was_really_new_is_found_at_once(bff: BffRig) -> None:
    bff.browser().sign_in()
    bff.provider.provider.keys.rotate()
    browser = bff.browser()

    browser.sign_in()

    assert browser.signed_in


def test_a_new_key_without_an_id_is_found_as_well(bff: BffRig) -> None:
    bff.browser().sign_in()
    bff.clock.advance(timedelta(minutes=2))
    bff.provider.provider.keys.rotate(with_kid=False)
    browser = bff.browser()

    browser.sign_in()

    assert browser.signed_in
