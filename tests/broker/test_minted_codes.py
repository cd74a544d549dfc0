"""A code is minted for one session, one client, one verifier, one minute, one use."""

import re
from datetime import timedelta

import pytest
from broker_rig import CLIENT, ISSUER, SESSION, BrokerRig

from bff.broker.grant_records import GrantRecord
from bff.crypto.sealed_drawer import Drawer
from bff.errors import CodeRefusedError, IdentityProviderDownError, StoreDownError


def test_a_minted_code_comes_with_all_that_its_redeemer_needs(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)

    assert (minted.issuer, minted.redirect_uri) == (ISSUER, CLIENT.redirect_uri)
    assert minted.life == timedelta(seconds=60)
    assert re.fullmatch(r"[A-Za-z0-9\-._~]{43,128}", minted.code_verifier)
    assert len(minted.nonce) >= 43


def test_no_two_mints_share_anything_secret(rig: BrokerRig) -> None:
    mints = [rig.broker.mint(SESSION) for _ in range(50)]

    secrets = {s for m in mints for s in (m.code, m.code_verifier, m.nonce)}
    assert len(secrets) == 150


def test_a_code_gives_tokens_of_its_session(rig: BrokerRig) -> None:
    issued = rig.redeem(rig.broker.mint(SESSION))

    assert issued.expires_in == timedelta(minutes=15)
    assert issued.refresh_token is not None
    assert rig.broker.identify(issued.access_token) == {
        "sub": "pairwise-of-amira",
        "email": "amira@example.com",
        "given_name": "Amira",
        "family_name": "Haddad",
        "name": "Amira Haddad",
    }


@pytest.mark.parametrize(("seconds", "good"), [(59.9, True), (60, False), (3600, False)])
def test_a_code_is_good_for_a_minute(rig: BrokerRig, seconds: float, good: bool) -> None:
    minted = rig.broker.mint(SESSION)
    rig.clock.advance(timedelta(seconds=seconds))

    if good:
        rig.redeem(minted)
    else:
        with pytest.raises(CodeRefusedError):
            rig.redeem(minted)


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_verifier": "w" * 64},
        {"code_verifier": None},
        {"code_verifier": ""},
        {"redirect_uri": "https://auth.brand.example/op/landing/"},
        {"redirect_uri": None},
        {"client_id": "somebody"},
    ],
)
def test_whatever_does_not_fit_burns_the_code(rig: BrokerRig, wrong: dict[str, str | None]) -> None:
    minted = rig.broker.mint(SESSION)

    with pytest.raises(CodeRefusedError):
        rig.redeem(minted, **wrong)
    with pytest.raises(CodeRefusedError):
        rig.redeem(minted)


@pytest.mark.parametrize("code", ["", "x", "x" * 65, "ü" * 65, "x" * 100_000, "../" * 30])
def test_made_up_codes_are_refused(rig: BrokerRig, code: str) -> None:
    with pytest.raises(CodeRefusedError):
        rig.redeem(rig.broker.mint(SESSION), code=code)


def test_a_code_with_another_secret_is_not_that_code(rig: BrokerRig) -> None:
    minted, other = rig.broker.mint(SESSION), rig.broker.mint(SESSION)

    with pytest.raises(CodeRefusedError):
        rig.redeem(minted, code=minted.code[:22] + other.code[22:])
    assert rig.redeem(minted).access_token


def test_no_kind_of_token_passes_for_another(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)
    issued = rig.redeem(minted)

    assert rig.broker.identify(minted.code) is None
    assert rig.broker.identify(issued.refresh_token) is None
    with pytest.raises(CodeRefusedError):
        rig.redeem(minted, code=issued.access_token)


def test_a_provider_that_is_away_burns_no_code(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)
    rig.witness.away = True
    with pytest.raises(IdentityProviderDownError):
        rig.redeem(minted)

    rig.witness.away = False

    assert rig.redeem(minted).access_token


def test_a_store_that_is_away_burns_no_code(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)
    rig.store.down = True
    with pytest.raises(StoreDownError):
        rig.redeem(minted)

    rig.store.down = False

    assert rig.redeem(minted).access_token


def test_whoever_reads_the_store_and_its_seals_finds_no_code_and_no_token(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)
    first = rig.redeem(minted)
    second = rig.refresh(first.refresh_token)
    name = minted.code[:22]

    held = Drawer("broker-grant", GrantRecord, rig.foundation).get(name)

    assert held is not None
    fields = [getattr(held.record, slot) for slot in GrantRecord.__slots__]
    marks = [m.stored for m in held.record.access] + [
        text for spent in held.record.spent for text in (spent.stored, spent.salt)
    ]
    readable = "\n".join(map(str, [*fields, *marks])) + "\n".join(rig.store.names())
    for secret in (
        minted.code,
        minted.code_verifier,
        *(issued.access_token for issued in (first, second)),
        *(issued.refresh_token or "-" for issued in (first, second)),
    ):
        assert secret not in readable
        assert secret[22:] not in readable


def test_what_holds_secrets_does_not_show_them(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)
    issued = rig.redeem(minted)

    shown = repr(minted) + repr(issued) + repr(rig.broker.client)

    for secret in (minted.code, minted.code_verifier, issued.access_token, issued.id_token):
        assert secret not in shown
    assert (issued.refresh_token or "-") not in shown
    assert CLIENT.client_secret not in shown
