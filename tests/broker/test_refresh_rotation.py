"""Refresh tokens rotate; a lost answer can be asked for again; reuse ends everything."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from broker_rig import ACCESS_LIFE, CLIENT, SESSION, BrokerRig, broker_rig

from bff.broker.exchanges import Issued
from bff.errors import (
    IdentityProviderDownError,
    RefreshRefusedError,
    RequestRefusedError,
)

JUST_INSIDE = timedelta(seconds=29.9)
WINDOW = timedelta(seconds=30)


def pair(issued: Issued) -> tuple[str, str | None]:
    return issued.access_token, issued.refresh_token


def test_a_refresh_gives_a_new_pair(rig: BrokerRig) -> None:
    first = rig.signed_in()
    second = rig.refresh(first.refresh_token)

    tokens = [*pair(first), *pair(second)]
    assert len({token[22:] for token in tokens if token}) == 4
    assert second.expires_in == ACCESS_LIFE
    assert rig.broker.identify(second.access_token)


def test_a_chain_of_refreshes_lasts_as_long_as_the_session(rig: BrokerRig) -> None:
    issued = rig.signed_in()

    for _ in range(200):
        rig.clock.advance(ACCESS_LIFE)
        issued = rig.refresh(issued.refresh_token)

    assert rig.broker.identify(issued.access_token)


def test_an_access_token_ends_on_time(rig: BrokerRig) -> None:
    issued = rig.signed_in()
    rig.clock.advance(ACCESS_LIFE - timedelta(seconds=1))
    assert rig.broker.identify(issued.access_token)

    rig.clock.advance(timedelta(seconds=1))

    assert rig.broker.identify(issued.access_token) is None


def test_a_lost_answer_is_given_again_and_is_the_same(rig: BrokerRig) -> None:
    first = rig.signed_in()
    lost = rig.refresh(first.refresh_token)
    rig.clock.advance(JUST_INSIDE)

    again = rig.refresh(first.refresh_token)

    assert pair(again) == pair(lost)
    assert again.expires_in == ACCESS_LIFE - JUST_INSIDE
    assert rig.claims(again.id_token)["at_hash"] == rig.claims(lost.id_token)["at_hash"]
    assert rig.refresh(again.refresh_token).access_token


def test_a_retry_is_the_same_even_after_the_successor_was_spent(rig: BrokerRig) -> None:
    first = rig.signed_in()
    second = rig.refresh(first.refresh_token)
    third = rig.refresh(second.refresh_token)

    assert pair(rig.refresh(first.refresh_token)) == pair(second)
    assert pair(rig.refresh(second.refresh_token)) == pair(third)


def test_retries_in_parallel_all_get_the_same_pair(rig: BrokerRig) -> None:
    first = rig.signed_in()
    gate = threading.Barrier(16)

    def refresh(_: int) -> tuple[str, str | None]:
        gate.wait(timeout=10)
        return pair(rig.refresh(first.refresh_token))

    with ThreadPoolExecutor(16) as crowd:
        pairs = set(crowd.map(refresh, range(16)))

    assert len(pairs) == 1
    assert rig.broker.identify(pairs.pop()[0])


def test_reuse_after_the_window_ends_the_whole_grant(rig: BrokerRig) -> None:
    first = rig.signed_in()
    second = rig.refresh(first.refresh_token)
    rig.clock.advance(WINDOW)

    with pytest.raises(RefreshRefusedError):
        rig.refresh(first.refresh_token)

    assert rig.broker.identify(second.access_token) is None
    with pytest.raises(RefreshRefusedError):
        rig.refresh(second.refresh_token)


def test_reuse_of_a_token_from_long_ago_ends_the_whole_grant(rig: BrokerRig) -> None:
    first = rig.signed_in()
    issued = first
    for _ in range(20):
        rig.clock.advance(ACCESS_LIFE)
        issued = rig.refresh(issued.refresh_token)

    with pytest.raises(RefreshRefusedError):
        rig.refresh(first.refresh_token)

    assert rig.broker.identify(issued.access_token) is None


def test_reuse_ends_no_other_grant(rig: BrokerRig) -> None:
    first, other = rig.signed_in(), rig.signed_in()
    rig.refresh(first.refresh_token)
    rig.clock.advance(WINDOW)
    with pytest.raises(RefreshRefusedError):
        rig.refresh(first.refresh_token)

    assert rig.broker.identify(other.access_token)
    assert rig.refresh(other.refresh_token).access_token


def test_a_provider_that_is_away_spends_no_refresh_token(rig: BrokerRig) -> None:
    first = rig.signed_in()
    rig.witness.away = True
    for _ in range(3):
        rig.clock.advance(timedelta(minutes=1))
        with pytest.raises(IdentityProviderDownError):
            rig.refresh(first.refresh_token)

    rig.witness.away = False

    assert rig.refresh(first.refresh_token).access_token


def test_a_retry_never_says_that_a_token_lasts_for_ever() -> None:
    rig = broker_rig(access_life=timedelta(seconds=10))
    first = rig.signed_in()
    rig.refresh(first.refresh_token)
    rig.clock.advance(timedelta(seconds=20))

    assert rig.refresh(first.refresh_token).expires_in == timedelta(seconds=1)


def test_less_scope_can_be_asked_for_and_more_cannot(rig: BrokerRig) -> None:
    first = rig.signed_in()
    second = rig.refresh(first.refresh_token, scope="openid")

    assert second.scope == "openid"
    assert rig.broker.identify(second.access_token) == {"sub": "pairwise-of-amira"}
    with pytest.raises(RequestRefusedError):
        rig.refresh(second.refresh_token, scope="openid everything")
    assert rig.refresh(second.refresh_token).scope == "openid profile email offline_access"


def test_another_client_gets_nothing_and_ends_nothing(rig: BrokerRig) -> None:
    first = rig.signed_in()

    with pytest.raises(RefreshRefusedError):
        rig.broker.refresh(first.refresh_token or "", client_id="somebody")

    assert rig.refresh(first.refresh_token).access_token


def test_a_code_is_no_refresh_token_before_it_is_redeemed(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)

    with pytest.raises(RefreshRefusedError):
        rig.refresh(minted.code)

    assert rig.redeem(minted).access_token


def test_revoking_the_refresh_token_ends_the_grant(rig: BrokerRig) -> None:
    first = rig.signed_in()

    assert rig.broker.revoke(first.refresh_token or "", client_id=CLIENT.client_id)

    assert rig.broker.identify(first.access_token) is None
    with pytest.raises(RefreshRefusedError):
        rig.refresh(first.refresh_token)


def test_revoking_an_access_token_ends_only_that(rig: BrokerRig) -> None:
    first = rig.signed_in()
    second = rig.refresh(first.refresh_token)

    assert rig.broker.revoke(first.access_token, client_id=CLIENT.client_id)

    assert rig.broker.identify(first.access_token) is None
    assert rig.broker.identify(second.access_token)
    assert rig.refresh(second.refresh_token).access_token


@pytest.mark.parametrize("token", ["", "x", "x" * 65])
def test_revoking_what_is_unknown_changes_nothing(rig: BrokerRig, token: str) -> None:
    first = rig.signed_in()

    assert not rig.broker.revoke(token, client_id=CLIENT.client_id)
    assert not rig.broker.revoke(first.access_token, client_id="somebody")
    assert rig.broker.identify(first.access_token)
