"""Genesys as a careful relying party: a provider that misbehaves is not believed."""

from collections.abc import Iterator

import pytest
from genesys_rig import GenesysRig, running_genesys
from provider_visitor import second_key

from bff.simulator.provider_faults import Fault

DISTRUSTED = (
    Fault.ID_TOKEN_MISSING,
    Fault.ISSUER_WRONG,
    Fault.AUDIENCE_FOREIGN,
    Fault.AUDIENCE_LIST_FOREIGN,
    Fault.AZP_WRONG,
    Fault.SUBJECT_MISSING,
    Fault.NONCE_WRONG,
    Fault.NONCE_MISSING,
    Fault.EXPIRED,
    Fault.ISSUED_IN_FUTURE,
    Fault.SIGNATURE_BAD,
    Fault.ALGORITHM_NONE,
    Fault.ALGORITHM_HS256,
    Fault.DISCOVERY_ISSUER_WRONG,
    Fault.INVALID_GRANT,
)


@pytest.fixture
def rig() -> Iterator[GenesysRig]:
    with running_genesys() as running:
        yield running


@pytest.mark.parametrize("fault", DISTRUSTED)
def test_what_does_not_stand_up_to_checking_is_refused(rig: GenesysRig, fault: Fault) -> None:
    oauth = rig.auth_data()
    rig.provider.provider.faults.plant(fault)

    assert rig.exchange(oauth).status_code == 401


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.UNAVAILABLE, Fault.CUT])
def test_a_provider_that_fails_is_not_a_refusal(rig: GenesysRig, fault: Fault) -> None:
    oauth = rig.auth_data()
    rig.provider.provider.faults.plant(fault)

    assert rig.exchange(oauth).status_code == 503


def test_several_audiences_are_fine_when_we_are_the_authorized_one(rig: GenesysRig) -> None:
    oauth = rig.auth_data()
    rig.provider.provider.faults.plant(Fault.AUDIENCE_LIST)

    assert rig.exchange(oauth).status_code == 200


def test_max_age_is_checked_when_it_was_asked_for(rig: GenesysRig) -> None:
    assert rig.exchange(rig.auth_data(maxAge=300)).status_code == 200
    oauth = rig.auth_data(maxAge=300)
    rig.provider.provider.faults.plant(Fault.AUTH_TIME_OLD)

    assert rig.exchange(oauth).status_code == 401


def test_a_key_that_came_after_the_last_look_is_found(rig: GenesysRig) -> None:
    assert rig.tokens()["jwt"]
    rig.provider.provider.keys.rotate(new=second_key())

    assert rig.tokens()["jwt"]
