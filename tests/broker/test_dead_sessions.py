"""Nothing that the broker gave outlives the session it was given for."""

import pytest
from broker_rig import AMIRA, SESSION, BrokerRig

from bff.errors import CodeRefusedError, IdentityProviderDownError, RefreshRefusedError


def test_a_code_dies_with_its_session(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)
    rig.witness.sessions.clear()

    with pytest.raises(CodeRefusedError):
        rig.redeem(minted)


def test_tokens_die_with_their_session(rig: BrokerRig) -> None:
    issued = rig.signed_in()
    rig.witness.sessions.clear()

    assert rig.broker.identify(issued.access_token) is None
    with pytest.raises(RefreshRefusedError):
        rig.refresh(issued.refresh_token)


def test_a_refused_refresh_does_not_come_back_with_a_session_of_the_same_key(
    rig: BrokerRig,
) -> None:
    issued = rig.signed_in()
    rig.witness.sessions.clear()
    with pytest.raises(RefreshRefusedError):
        rig.refresh(issued.refresh_token)

    rig.witness.sessions[SESSION] = AMIRA

    with pytest.raises(RefreshRefusedError):
        rig.refresh(issued.refresh_token)


def test_a_retry_is_refused_too_once_the_session_is_dead(rig: BrokerRig) -> None:
    issued = rig.signed_in()
    rig.refresh(issued.refresh_token)
    rig.witness.sessions.clear()

    with pytest.raises(RefreshRefusedError):
        rig.refresh(issued.refresh_token)


def test_an_outage_hides_who_it_is_and_refuses_nobody(rig: BrokerRig) -> None:
    issued = rig.signed_in()
    rig.witness.away = True
    with pytest.raises(IdentityProviderDownError):
        rig.broker.identify(issued.access_token)

    rig.witness.away = False

    assert rig.broker.identify(issued.access_token)


def test_the_witness_is_asked_at_every_use(rig: BrokerRig) -> None:
    issued = rig.signed_in()
    rig.broker.identify(issued.access_token)
    rig.refresh(issued.refresh_token)
    rig.refresh(issued.refresh_token)

    assert rig.witness.asked == 4
