"""A retired key signs nothing more, and no token picks the key that verifies it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from broker_rig import BrokerRig, broker_rig
from joserfc import jws

from bff.broker.signing_keys import KeyState, SigningKeys


@pytest.fixture
def rig() -> BrokerRig:
    return broker_rig()


def kid_of(token: str) -> str:
    return str(jws.extract_compact(token.encode()).headers()["kid"])


def test_no_id_token_after_a_rotation_is_signed_by_the_old_key(rig: BrokerRig) -> None:
    old = kid_of(rig.signed_in().id_token)

    rig.keys.rotate()

    kids = {kid_of(rig.signed_in().id_token) for _ in range(40)}
    assert old not in kids
    assert len(kids) == 1


def test_other_processes_stop_at_once_too(rig: BrokerRig) -> None:
    others = [SigningKeys(rig.foundation, rotate_after=timedelta(days=30)) for _ in range(3)]
    old = {kid_of(keys.sign({})) for keys in others}

    rig.keys.rotate()

    assert not old & {kid_of(keys.sign({})) for keys in others}


def test_while_keys_rotate_every_signature_verifies_with_what_is_published(rig: BrokerRig) -> None:
    def sign(_: int) -> bool:
        return rig.keys.read(rig.keys.sign({"sub": "x"})) == {"sub": "x"}

    with ThreadPoolExecutor(4) as crowd:
        verified = crowd.map(sign, range(60))
        rig.keys.rotate()

    assert all(verified)


def test_every_id_token_names_its_key_and_carries_none(rig: BrokerRig) -> None:
    header = jws.extract_compact(rig.signed_in().id_token.encode()).headers()

    listed = rig.keys.keys()
    signing = next(key.id for key in listed if key.state is KeyState.SIGNING)
    assert header == {"alg": "RS256", "typ": "JWT", "kid": signing}
