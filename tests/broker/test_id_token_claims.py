"""An ID token says who, when, for whom, and nothing that a provider's claims could forge."""

from dataclasses import replace
from datetime import timedelta

from broker_rig import AMIRA, CLIENT, ISSUER, SESSION, BrokerRig
from hand_clock import START

from bff.broker.exchanges import CodeWish
from bff.broker.opaque_tokens import s256


def test_the_claims_of_a_first_id_token(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)
    claims = rig.claims(rig.redeem(minted).id_token)

    now = int(START.timestamp())
    assert claims.pop("at_hash")
    assert claims == {
        "iss": ISSUER,
        "sub": "pairwise-of-amira",
        "aud": CLIENT.client_id,
        "iat": now - 5,
        "exp": now - 5 + 300,
        "auth_time": now - 180,
        "nonce": minted.nonce,
        "acr": "silver",
        "sid": rig.broker.sid(SESSION),
        "email": "amira@example.com",
        "given_name": "Amira",
        "family_name": "Haddad",
        "name": "Amira Haddad",
    }


def test_a_refreshed_id_token_keeps_the_time_of_the_sign_in(rig: BrokerRig) -> None:
    issued = rig.signed_in()
    first = rig.claims(issued.id_token)
    rig.clock.advance(timedelta(minutes=15))

    claims = rig.claims(rig.refresh(issued.refresh_token).id_token)

    assert claims["auth_time"] == first["auth_time"]
    assert claims["iat"] == first["iat"] + 900
    assert (claims["sub"], claims["sid"], claims["acr"]) == (
        "pairwise-of-amira",
        first["sid"],
        "silver",
    )
    assert "nonce" not in claims


def test_what_is_not_known_is_left_out(rig: BrokerRig) -> None:
    rig.witness.sessions[SESSION] = replace(AMIRA, acr=None, auth_time=None, claims={})

    claims = rig.claims(rig.signed_in().id_token)

    assert set(claims) == {"iss", "sub", "aud", "iat", "exp", "nonce", "at_hash", "sid"}


def test_no_mapped_claim_overrides_what_we_say(rig: BrokerRig) -> None:
    forged = dict.fromkeys(
        ["iss", "sub", "aud", "azp", "exp", "iat", "nonce", "sid", "acr", "at_hash", "auth_time"],
        "forged",
    )
    rig.witness.sessions[SESSION] = replace(AMIRA, claims=forged | {"department": "Sales"})

    issued = rig.signed_in()
    claims = rig.claims(issued.id_token)

    assert "forged" not in claims.values()
    assert claims["department"] == "Sales"
    assert rig.broker.identify(issued.access_token) == {
        "sub": "pairwise-of-amira",
        "department": "Sales",
    }


def test_claims_follow_the_scope(rig: BrokerRig) -> None:
    verifier = "v" * 43
    code = rig.broker.authorize(SESSION, CodeWish(scope="openid email", challenge=s256(verifier)))
    issued = rig.broker.redeem(
        code,
        client_id=CLIENT.client_id,
        redirect_uri=CLIENT.redirect_uri,
        code_verifier=verifier,
    )

    assert issued.refresh_token is None
    assert rig.broker.identify(issued.access_token) == {
        "sub": "pairwise-of-amira",
        "email": "amira@example.com",
    }
    assert "given_name" not in rig.claims(issued.id_token)


def test_the_sid_is_the_same_for_a_session_and_tells_nothing_of_it(rig: BrokerRig) -> None:
    first, second = rig.signed_in(), rig.signed_in()

    sid = rig.claims(first.id_token)["sid"]

    assert rig.claims(second.id_token)["sid"] == sid
    assert SESSION not in sid
    assert rig.broker.sid("another-session") != sid
