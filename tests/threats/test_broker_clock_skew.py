"""A relying party whose clock is a little behind or ahead still believes our ID tokens."""

from datetime import timedelta

import pytest
from broker_rig import broker_rig
from joserfc import jwt
from joserfc.errors import JoseError


@pytest.mark.parametrize("skew", [-5, 0, 60, 294])
def test_an_id_token_is_good_for_clocks_nearby_without_any_leeway(skew: int) -> None:
    rig = broker_rig()
    claims = rig.claims(rig.signed_in().id_token)
    theirs = int((rig.clock.now() + timedelta(seconds=skew)).timestamp())

    jwt.JWTClaimsRegistry(now=theirs, leeway=0, iat={"essential": True}).validate(claims)

    assert claims["iat"] <= theirs


@pytest.mark.parametrize("skew", [-60, 60])
def test_a_minute_is_within_the_usual_leeway(skew: int) -> None:
    rig = broker_rig()
    claims = rig.claims(rig.signed_in().id_token)
    theirs = int((rig.clock.now() + timedelta(seconds=skew)).timestamp())

    jwt.JWTClaimsRegistry(now=theirs, leeway=60).validate(claims)

    assert abs(claims["iat"] - theirs) <= 65


def test_an_id_token_is_stale_after_five_minutes() -> None:
    rig = broker_rig()
    claims = rig.claims(rig.signed_in().id_token)
    theirs = int((rig.clock.now() + timedelta(minutes=5)).timestamp())

    with pytest.raises(JoseError):
        jwt.JWTClaimsRegistry(now=theirs, leeway=0).validate(claims)
