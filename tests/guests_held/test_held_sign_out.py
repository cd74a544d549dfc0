"""Signing out: Genesys hears of it, and nothing that was under way brings a token back."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from held_rig import LONG_AGO, HeldRig, foundation_of

from bff.errors import SignInRequiredError
from bff.guests.held_tokens import HeldTokens
from bff.ports import AuthCode, PlatformAnswer
from bff.signin.records import EndReason, SessionKey
from bff.simulator.genesys_errors import PlatformRefusal
from bff.simulator.genesys_faults import Door, Fault

DEADLINE_S = 20


class Interrupted:
    """The real doors, with something happening just before an answer comes back to us."""

    def __init__(self, held: HeldRig, meanwhile: Callable[[], object]) -> None:
        self._doors = held.doors
        self._meanwhile = meanwhile

    def exchange(self, code: AuthCode, *, limit: timedelta) -> PlatformAnswer:
        answer = self._doors.exchange(code, limit=limit)
        self._meanwhile()
        return answer

    def refresh(self, refresh_token: str, *, limit: timedelta) -> PlatformAnswer:
        answer = self._doors.refresh(refresh_token, limit=limit)
        self._meanwhile()
        return answer

    def revoke(self, jwt: str, *, limit: timedelta) -> PlatformAnswer:
        return self._doors.revoke(jwt, limit=limit)

    def history(self, jwt: str, *, page: int, limit: timedelta) -> PlatformAnswer:
        return self._doors.history(jwt, page=page, limit=limit)


def interrupted(held: HeldRig, meanwhile: Callable[[], object]) -> HeldTokens:
    doors = Interrupted(held, meanwhile)
    return HeldTokens(foundation_of(held.services), codes=held.services.broker, doors=doors)


def sign_out(held: HeldRig, key: str) -> bool:
    held.services.book.end(SessionKey(key), EndReason.SIGNED_OUT)
    return held.tokens.forget(key)


def test_a_sign_out_reaches_genesys_and_deletes_what_we_hold(held: HeldRig) -> None:
    key = held.new_session()
    jwt = held.tokens.jwt_for(key)

    assert sign_out(held, key)
    assert (held.seen.revocations, held.stored(key)) == (1, None)
    with pytest.raises(PlatformRefusal):
        held.stage.genesys.desk.identity_of(jwt)


def test_an_expired_jwt_is_renewed_before_it_revokes(held: HeldRig) -> None:
    key = held.new_session()
    held.tokens.jwt_for(key)
    held.clock.advance(LONG_AGO)
    # While the broker still answers: once the session has ended it gives Genesys nothing.
    assert held.tokens.forget(key)

    assert (held.seen.renewed, held.seen.revocations) == (1, 1)


def test_a_jwt_that_dies_on_the_way_is_renewed_and_the_revocation_repeated(held: HeldRig) -> None:
    key = held.new_session()
    held.tokens.jwt_for(key)
    held.stage.genesys.faults.order(Door.REVOKE, Fault(status=401))

    assert held.tokens.forget(key)
    assert (held.seen.refreshes, held.seen.revocations) == (1, 1)


def test_tokens_that_are_dead_at_genesys_need_no_revocation(held: HeldRig) -> None:
    key = held.new_session()
    held.tokens.jwt_for(key)
    held.stage.genesys.desk.kill("pairwise-of-amira")

    assert sign_out(held, key)
    assert held.seen.revocations == 0


def test_forgetting_is_done_once_and_twice_does_no_harm(held: HeldRig) -> None:
    key = held.new_session()
    held.tokens.jwt_for(key)

    assert [sign_out(held, key) for _ in range(3)] == [True] * 3
    assert held.seen.revocations == 1


def test_genesys_that_cannot_be_told_is_owned_up_to_and_nothing_is_kept(held: HeldRig) -> None:
    key = held.new_session()
    held.tokens.jwt_for(key)
    held.stage.genesys.faults.order(Door.REVOKE, Fault(status=503))

    assert not sign_out(held, key)
    assert held.stored(key) is None


def test_a_sign_out_during_an_exchange_wins_and_the_orphans_are_revoked(held: HeldRig) -> None:
    key = held.new_session()
    tokens = interrupted(held, lambda: sign_out(held, key))

    with pytest.raises(SignInRequiredError):
        tokens.jwt_for(key)
    assert (held.seen.exchanges, held.seen.revocations) == (1, 1)
    assert held.stored(key) is None


def test_a_sign_out_during_a_refresh_wins(held: HeldRig) -> None:
    key = held.new_session()
    held.tokens.jwt_for(key)
    held.clock.advance(LONG_AGO)
    tokens = interrupted(held, lambda: sign_out(held, key))

    with pytest.raises(SignInRequiredError):
        tokens.jwt_for(key)
    assert held.seen.revocations == 1
    assert held.stored(key) is None


def test_a_session_that_ends_before_genesys_redeems_gets_nothing(held: HeldRig) -> None:
    key = held.new_session()
    redeeming, ended = threading.Event(), threading.Event()
    broker = held.services.broker

    class Codes:
        def vouch(self, session_key: str) -> object:
            return broker.vouch(session_key)

        def mint(self, session_key: str) -> AuthCode:
            minted = broker.mint(session_key)
            redeeming.set()
            assert ended.wait(DEADLINE_S)
            return minted

    def leave() -> None:
        assert redeeming.wait(DEADLINE_S)
        sign_out(held, key)
        ended.set()

    leaving = threading.Thread(target=leave)
    leaving.start()
    tokens = HeldTokens(foundation_of(held.services), codes=Codes(), doors=held.doors)
    with pytest.raises(SignInRequiredError):
        tokens.jwt_for(key)
    leaving.join()
    assert (held.seen.exchanges_refused, held.stored(key)) == (1, None)


def test_a_pair_that_another_process_saved_meanwhile_is_used_and_not_revoked(
    held: HeldRig,
) -> None:
    key = held.new_session()
    others: list[str] = []

    def another_process_is_quicker() -> None:
        held.services.store.delete(f"held-tokens:{key}")
        other = HeldTokens(foundation_of(held.services), codes=held.services.broker, doors=doors)
        others.append(other._get_alone(key, None))

    doors = held.doors
    assert interrupted(held, another_process_is_quicker).jwt_for(key) == others[0]
    assert (held.seen.exchanges, held.seen.revocations) == (2, 0)
