"""The JWT of a session: exchanged once, refreshed when it must be, kept when nobody answers."""

from dataclasses import replace
from datetime import timedelta

import pytest
from black_holes import nobody_listens
from held_rig import LONG_AGO, HeldRig, doors_at, foundation_of, tokens_of

from bff.errors import (
    GenesysAnswerError,
    GenesysDownError,
    GenesysSilentError,
    SignInRequiredError,
)
from bff.guests.held_tokens import HeldTokens
from bff.ports import AuthCode, PlatformAnswer
from bff.signin.records import EndReason, SessionKey
from bff.simulator.genesys_faults import Door, Fault
from bff.simulator.genesys_settings import EarlyRefresh

SECOND = timedelta(seconds=1)


class Scripted:
    """Doors that answer every exchange and refresh as they were told."""

    def __init__(self, answer: PlatformAnswer) -> None:
        self.answer = answer
        self.refreshes = 0

    def exchange(self, code: AuthCode, *, limit: timedelta) -> PlatformAnswer:
        assert code.code
        assert limit
        return self.answer

    def refresh(self, refresh_token: str, *, limit: timedelta) -> PlatformAnswer:
        assert refresh_token
        assert limit
        self.refreshes += 1
        return self.answer

    def revoke(self, jwt: str, *, limit: timedelta) -> PlatformAnswer:
        raise AssertionError((len(jwt), limit))

    def history(self, jwt: str, *, page: int, limit: timedelta) -> PlatformAnswer:
        raise AssertionError((len(jwt), page, limit))


def life_of_first(held: HeldRig, key: str) -> timedelta:
    """Get the first JWT and return how long Genesys lets it live."""
    held.tokens.jwt_for(key)
    grant = held.stage.genesys.desk._all()[0]
    return timedelta(seconds=grant.jwt_ends_at - held.clock.now().timestamp())


def test_a_fresh_code_of_ours_becomes_a_jwt_for_the_person(held: HeldRig) -> None:
    jwt = held.tokens.jwt_for(held.new_session())

    identity = held.stage.genesys.desk.identity_of(jwt)
    assert (identity.subject, identity.email) == ("pairwise-of-amira", "amira@example.com")
    assert held.seen.exchanges == 1


def test_the_jwt_is_handed_out_again_while_it_lives(held: HeldRig) -> None:
    key = held.new_session()
    life = life_of_first(held, key)
    first = held.tokens.jwt_for(key)
    held.clock.advance(life - 6 * SECOND)

    assert held.tokens.jwt_for(key) == first
    assert (held.seen.exchanges, held.seen.refreshes) == (1, 0)


def test_another_process_uses_the_same_jwt(held: HeldRig) -> None:
    key = held.new_session()
    other = tokens_of(held.services, held.stage.genesys_url)

    assert held.tokens.jwt_for(key) == other.jwt_for(key)
    assert held.seen.exchanges == 1


def test_an_expired_jwt_is_refreshed_with_the_token_that_stays(held: HeldRig) -> None:
    key = held.new_session()
    jwts = {held.tokens.jwt_for(key)}
    for _ in range(3):
        held.clock.advance(LONG_AGO)
        jwts.add(held.tokens.jwt_for(key))

    assert len(jwts) == 4
    assert (held.seen.exchanges, held.seen.renewed) == (1, 3)
    held.stage.genesys.desk.identity_of(held.tokens.jwt_for(key))


def test_a_refresh_that_comes_too_early_brings_the_same_jwt_and_is_not_repeated(
    held: HeldRig,
) -> None:
    key = held.new_session()
    life = life_of_first(held, key)
    first = held.tokens.jwt_for(key)
    held.clock.advance(life - 3 * SECOND)

    assert [held.tokens.jwt_for(key) for _ in range(3)] == [first] * 3
    assert (held.seen.exchanges, held.seen.same_jwt) == (1, 1)
    held.clock.advance(3 * SECOND)
    assert held.tokens.jwt_for(key) != first
    assert held.seen.renewed == 1


def test_where_an_early_refresh_is_refused_a_fresh_code_helps(held: HeldRig) -> None:
    key = held.new_session()
    life = life_of_first(held, key)
    held.stage.genesys.behaviour.early_refresh = EarlyRefresh.REJECT_400
    held.clock.advance(life - 3 * SECOND)

    held.stage.genesys.desk.identity_of(held.tokens.jwt_for(key))
    assert held.seen.exchanges == 2


def test_a_refused_refresh_is_followed_by_one_fresh_exchange(held: HeldRig) -> None:
    key = held.new_session()
    held.tokens.jwt_for(key)
    held.stage.genesys.desk.kill("pairwise-of-amira")
    held.clock.advance(LONG_AGO)

    held.stage.genesys.desk.identity_of(held.tokens.jwt_for(key))
    assert (held.seen.refreshes_refused, held.seen.exchanges) == (1, 2)


def test_a_jwt_that_genesys_did_not_take_is_not_given_again(held: HeldRig) -> None:
    key = held.new_session()
    first = held.tokens.jwt_for(key)
    held.stage.genesys.desk.kill("pairwise-of-amira")

    second = held.tokens.jwt_for(key, refused=first)
    assert second != first
    assert held.tokens.jwt_for(key, refused=first) == second
    assert held.seen.exchanges == 2


def test_a_jwt_that_was_refused_and_comes_again_is_replaced_by_an_exchange(held: HeldRig) -> None:
    key = held.new_session()
    first = held.tokens.jwt_for(key)

    assert held.tokens.jwt_for(key, refused=first) != first
    assert (held.seen.same_jwt, held.seen.exchanges) == (1, 2)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_exchange_means_signing_in_and_leaves_nothing(held: HeldRig, status: int) -> None:
    key = held.new_session()
    held.stage.genesys.faults.order(Door.EXCHANGE, Fault(status=status))

    with pytest.raises(SignInRequiredError, match=f"exchange: {status}"):
        held.tokens.jwt_for(key)
    assert held.stored(key) is None


def test_a_wrong_integration_secret_is_a_refusal_of_one_exchange(held: HeldRig) -> None:
    genesys = held.stage.genesys
    genesys.integrate(replace(genesys.settings.integration, client_secret="wrong"))

    with pytest.raises(SignInRequiredError):
        held.tokens.jwt_for(held.new_session())
    assert (held.seen.exchanges, held.seen.exchanges_refused) == (1, 1)


def test_a_dead_session_gets_no_jwt_although_it_would_still_live(held: HeldRig) -> None:
    key = held.new_session()
    held.tokens.jwt_for(key)
    held.services.book.end(SessionKey(key), EndReason.PROVIDER_LOGOUT)

    with pytest.raises(SignInRequiredError):
        held.tokens.jwt_for(key)
    assert held.stored(key) is None
    assert held.seen.revocations == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_genesys_that_is_away_takes_nothing_with_it(held: HeldRig, status: int) -> None:
    key = held.new_session()
    held.tokens.jwt_for(key)
    held.clock.advance(LONG_AGO)
    held.stage.genesys.faults.order(Door.REFRESH, Fault(status=status), times=2)

    with pytest.raises(GenesysDownError) as told:
        held.tokens.jwt_for(key)
    assert told.value.retry_after
    assert held.stored(key) is not None
    held.clock.advance(told.value.retry_after)
    held.stage.genesys.desk.identity_of(held.tokens.jwt_for(key))
    assert (held.seen.exchanges, held.seen.renewed) == (1, 1)


def test_one_lost_answer_to_a_refresh_is_asked_for_again(held: HeldRig) -> None:
    key = held.new_session()
    held.tokens.jwt_for(key)
    held.clock.advance(LONG_AGO)
    held.stage.genesys.faults.order(Door.REFRESH, Fault(status=502))

    held.tokens.jwt_for(key)
    assert held.seen.renewed == 1


def test_while_genesys_is_away_a_jwt_in_its_last_seconds_is_given(held: HeldRig) -> None:
    key = held.new_session()
    life = life_of_first(held, key)
    first = held.tokens.jwt_for(key)
    held.clock.advance(life - 4 * SECOND)
    gone = Scripted(PlatformAnswer(status=503, body={}))
    tokens = HeldTokens(foundation_of(held.services), codes=held.services.broker, doors=gone)

    assert tokens.jwt_for(key) == first
    assert gone.refreshes == 2
    assert tokens.jwt_for(key) == first
    assert gone.refreshes == 2


def test_an_exchange_without_answer_is_not_repeated_with_the_same_code(held: HeldRig) -> None:
    key = held.new_session()
    held.stage.genesys.faults.order(Door.EXCHANGE, Fault(status=500))

    with pytest.raises(GenesysSilentError):
        held.tokens.jwt_for(key)
    with pytest.raises(GenesysDownError, match="resting"):
        held.tokens.jwt_for(key)
    assert held.stage.genesys.faults.pending() == {}
    held.clock.advance(3 * SECOND)
    held.stage.genesys.desk.identity_of(held.tokens.jwt_for(key))


def test_nobody_at_the_address_is_unreachable_and_not_refused(held: HeldRig) -> None:
    with nobody_listens() as port:
        doors = doors_at(f"http://127.0.0.1:{port}", clock=held.clock)
        tokens = HeldTokens(foundation_of(held.services), codes=held.services.broker, doors=doors)
        with pytest.raises(GenesysDownError):
            tokens.jwt_for(held.new_session())


@pytest.mark.parametrize("body", [{}, {"jwt": 7}, {"jwt": ""}, {"jwt": "a\nb"}, {"jwt": "é"}])
def test_an_answer_without_a_jwt_is_not_believed(held: HeldRig, body: dict[str, object]) -> None:
    doors = Scripted(PlatformAnswer(status=200, body=body))
    tokens = HeldTokens(foundation_of(held.services), codes=held.services.broker, doors=doors)

    with pytest.raises(GenesysAnswerError):
        tokens.jwt_for(held.new_session())


@pytest.mark.parametrize("status", [302, 408])
def test_a_gateway_in_the_place_of_genesys_refuses_nobody(held: HeldRig, status: int) -> None:
    doors = Scripted(PlatformAnswer(status=status, body={}))
    tokens = HeldTokens(foundation_of(held.services), codes=held.services.broker, doors=doors)

    with pytest.raises(GenesysSilentError):
        tokens.jwt_for(held.new_session())


def test_without_a_refresh_token_each_jwt_needs_a_fresh_code(held: HeldRig) -> None:
    doors = Scripted(PlatformAnswer(status=200, body={"jwt": "opaque"}))
    tokens = HeldTokens(foundation_of(held.services), codes=held.services.broker, doors=doors)
    key = held.new_session()

    assert tokens.jwt_for(key) == "opaque"
    doors.answer = PlatformAnswer(status=200, body={"jwt": "another"})
    assert tokens.jwt_for(key) == "opaque"
    held.clock.advance(timedelta(minutes=1))
    assert tokens.jwt_for(key) == "another"
    assert doors.refreshes == 0
