"""What Genesys could not be told at the end of a session is told later, and lost by nobody."""

import contextlib
import threading

import pytest
from held_rig import HeldRig, tokens_of
from security_model import Asset, Attacker, threat
from tapped_store import TappedStore

from bff.errors import StoreDownError
from bff.guests.held_line import LINE
from bff.guests.held_tokens import HeldTokens
from bff.ports import Foundation
from bff.signin.records import SessionKey
from bff.signin.session_end import TELLING
from bff.simulator.genesys_errors import PlatformRefusal
from bff.simulator.genesys_faults import Door, Fault


def told() -> None:
    """Wait for what is told to Genesys behind the back of a sign-out."""
    for thread in threading.enumerate():
        if thread.name == TELLING:
            thread.join(20)


def down(held: HeldRig) -> None:
    for door in (Door.REVOKE, Door.REFRESH):
        held.stage.genesys.faults.order(door, Fault(status=503), times=2)


@threat(
    Attacker.NEXT_USER,
    Asset.TOKENS,
    can="not use the Genesys JWT of the user before: it is revoked with the session, as soon as "
    "Genesys answers",
)
def test_genesys_is_told_when_it_is_back(held: HeldRig) -> None:
    key = held.new_session()
    jwt = held.tokens.jwt_for(key)
    down(held)

    assert held.services.sign_out.revoke(SessionKey(key))
    told()
    waiting = held.services.store.members(LINE)
    assert (len(waiting), held.stored(key), held.seen.revocations) == (1, None, 0)
    held.stage.genesys.faults.clear()
    held.services.sign_out.retry_revocations()

    assert held.services.store.members(LINE) == []
    assert held.seen.revocations == 1
    with pytest.raises(PlatformRefusal):
        held.stage.genesys.desk.identity_of(jwt)


def test_another_process_tells_what_the_first_could_not(held: HeldRig) -> None:
    key = held.new_session()
    held.tokens.jwt_for(key)
    down(held)
    assert not held.tokens.forget(key)
    held.stage.genesys.faults.clear()

    other = tokens_of(held.services, held.stage.genesys_url)

    assert (other.tell_waiting(), other.tell_waiting()) == (1, 0)
    assert held.seen.revocations == 1


def test_asking_again_for_one_session_tells_that_one(held: HeldRig) -> None:
    keys = [held.new_session() for _ in range(2)]
    for key in keys:
        held.tokens.jwt_for(key)
        down(held)
        assert not held.tokens.forget(key)
        held.stage.genesys.faults.clear()

    assert held.tokens.forget(keys[0])

    assert [name.partition(".")[0] for name in held.services.store.members(LINE)] == [keys[1]]


def test_genesys_that_is_silent_is_asked_once_a_round(held: HeldRig) -> None:
    for _ in range(3):
        key = held.new_session()
        held.tokens.jwt_for(key)
        assert held.tokens.release(key)
    asked: list[str] = []
    tokens = tokens_of(held.services, held.stage.genesys_url)
    revoked = tokens._revoked

    def counted(name: str, pair: object) -> bool:
        asked.append(name)
        return revoked(name, pair)  # type: ignore[arg-type]

    tokens._revoked = counted  # type: ignore[method-assign,assignment]
    down(held)

    assert tokens.tell_waiting() == 0
    assert len(asked) == 1
    assert len(held.services.store.members(LINE)) == 3


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_store_that_fails_at_any_call_loses_no_pair(held: HeldRig, lost: str) -> None:
    at, fault = 0, True
    while fault:
        at += 1
        key = held.new_session()
        held.tokens.jwt_for(key)
        store = TappedStore(held.services.store)
        tokens = HeldTokens(
            Foundation(
                store=store,
                sealer=held.services.key_ring,
                clock=held.clock,
                entropy=held.services.entropy,
            ),
            codes=held.services.broker,
            doors=held.doors,
        )
        before = held.seen.revocations
        with store.failing(at, lost=lost):
            with contextlib.suppress(StoreDownError):
                tokens.forget(key)
            fault = store.calls >= at
        tokens.forget(key)
        tokens.tell_waiting()

        assert held.stored(key) is None, at
        assert held.services.store.members(LINE) == [], at
        assert held.seen.revocations > before, at
    assert at > 6
