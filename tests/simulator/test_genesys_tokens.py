"""The REST half: a code becomes a JWT, a JWT grows old, a person logs out."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from genesys_rig import MINUTES_16, GenesysRig, integration_with, running_genesys
from joserfc.jws import extract_compact

from bff.simulator.genesys_settings import Behaviour, ClientAuthentication, EarlyRefresh, JwtLife
from bff.simulator.provider_settings import Lifetimes


@pytest.fixture
def rig() -> Iterator[GenesysRig]:
    with running_genesys() as running:
        yield running


def claims_of(jwt: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(extract_compact(jwt.encode()).payload)
    return claims


def test_a_code_becomes_a_jwt_that_names_the_person(rig: GenesysRig) -> None:
    pair = rig.tokens()

    claims = claims_of(pair["jwt"])
    assert claims["given_name"] == "Amira"
    assert claims["email"] == "amira@example.com"
    assert claims["exp"] - claims["iat"] == 15 * 60
    assert pair["refreshToken"]


def test_a_code_is_good_for_one_exchange(rig: GenesysRig) -> None:
    oauth = rig.auth_data()
    assert rig.exchange(oauth).status_code == 200

    second = rig.exchange(oauth)

    assert second.status_code == 401
    assert {"message", "code", "status", "contextId", "details", "errors"} <= set(second.json())
    assert second.json()["status"] == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"codeVerifier": "b" * 43},
        {"redirectUri": "http://auth.brand.localhost/callback/"},
        {"iss": "http://other.localhost"},
        {"iss": None},
        {"code": "made-up"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_code_with_something_foreign_is_refused(rig: GenesysRig, changes: dict[str, Any]) -> None:
    assert rig.exchange(rig.auth_data(**changes)).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"codeVerifier": "short"},
        {"redirectUri": None},
        {"code": None},
        {"idToken": "also"},
        {"maxAge": "300"},
        {"nonce": 5},
    ],
)
def test_a_malformed_exchange_is_a_bad_request(rig: GenesysRig, changes: dict[str, Any]) -> None:
    oauth = {"code": "c", "redirectUri": "http://x.localhost/", **changes}
    answer = rig.exchange({name: value for name, value in oauth.items() if value is not None})

    assert answer.status_code == 400
    assert rig.report()["counters"]["exchanges"] == 0


def test_the_refusal_of_an_exchange_can_be_a_400(rig: GenesysRig) -> None:
    rig.control("behaviour", exchange_refusal_status=400)

    assert rig.exchange(rig.auth_data(nonce="another")).status_code == 400


def test_the_client_secret_may_travel_in_the_body() -> None:
    with running_genesys() as rig:
        method = ClientAuthentication.POST
        rig.state.integrate(replace(integration_with(rig.provider), client_authentication=method))

        assert rig.exchange(rig.auth_data()).status_code == 200


def test_the_access_token_bounds_the_jwt() -> None:
    lifetimes = Lifetimes(access_token=timedelta(minutes=5))
    with running_genesys(provider_settings={"lifetimes": lifetimes}) as rig:
        claims = claims_of(rig.tokens()["jwt"])

    assert claims["exp"] - claims["iat"] == 5 * 60


def test_a_jwt_may_be_bound_to_what_is_left_of_the_access_token() -> None:
    with running_genesys(
        provider_settings={"lifetimes": Lifetimes(access_token=timedelta(minutes=20))},
        behaviour=Behaviour(jwt_life=JwtLife.REMAINING),
    ) as rig:
        pair = rig.tokens()
        rig.clock.advance(MINUTES_16)
        claims = claims_of(rig.refresh(pair["refreshToken"]).json()["jwt"])

    assert claims["exp"] - claims["iat"] == 4 * 60


def test_an_early_refresh_gives_the_same_jwt(rig: GenesysRig) -> None:
    pair = rig.tokens()
    rig.clock.advance(timedelta(minutes=14, seconds=59))

    answer = rig.refresh(pair["refreshToken"])

    assert answer.json() == {"jwt": pair["jwt"]}


def test_an_early_refresh_can_be_refused() -> None:
    with running_genesys(behaviour=Behaviour(early_refresh=EarlyRefresh.REJECT_400)) as rig:
        answer = rig.refresh(rig.tokens()["refreshToken"])

    assert answer.status_code == 400


def test_a_refresh_after_expiry_gives_a_new_jwt_and_no_new_refresh_token(rig: GenesysRig) -> None:
    pair = rig.tokens()
    rig.clock.advance(timedelta(minutes=15))

    body = rig.refresh(pair["refreshToken"]).json()

    assert set(body) == {"jwt"}
    assert claims_of(body["jwt"])["exp"] > claims_of(pair["jwt"])["exp"]
    assert rig.refresh(pair["refreshToken"]).json() == body


def test_the_provider_is_asked_only_when_its_own_token_has_ended() -> None:
    lifetimes = Lifetimes(access_token=timedelta(minutes=20))
    with running_genesys(provider_settings={"lifetimes": lifetimes}) as rig:
        pair = rig.tokens()
        asked = []
        for _ in range(2):
            rig.clock.advance(MINUTES_16)
            assert rig.refresh(pair["refreshToken"]).status_code == 200
            asked.append(rig.report()["counters"]["provider_renewals"])

    assert asked == [0, 1]


def test_parallel_refreshes_spend_a_rotating_refresh_token_once(rig: GenesysRig) -> None:
    pair = rig.tokens()
    rig.clock.advance(MINUTES_16)
    answers: list[int] = []
    crowd = [
        threading.Thread(
            target=lambda: answers.append(rig.refresh(pair["refreshToken"]).status_code)
        )
        for _ in range(8)
    ]

    for member in crowd:
        member.start()
    for member in crowd:
        member.join()

    assert answers == [200] * 8
    assert rig.report()["counters"]["provider_renewals"] == 1
    assert rig.report()["counters"]["renewed"] == 1


def test_a_refresh_token_ends_after_a_day(rig: GenesysRig) -> None:
    pair = rig.tokens()
    rig.clock.advance(timedelta(hours=24))

    assert rig.refresh(pair["refreshToken"]).status_code == 401


def test_a_provider_that_says_no_ends_the_refresh_token_for_good(rig: GenesysRig) -> None:
    pair = rig.tokens()
    rig.clock.advance(MINUTES_16)
    friend = integration_with(rig.provider)
    rig.state.integrate(replace(friend, client_secret="wrong"))

    assert rig.refresh(pair["refreshToken"]).status_code == 401

    rig.state.integrate(friend)
    assert rig.refresh(pair["refreshToken"]).status_code == 401


def test_a_provider_that_is_silent_costs_nobody_the_refresh_token(rig: GenesysRig) -> None:
    pair = rig.tokens()
    rig.clock.advance(MINUTES_16)
    friend = integration_with(rig.provider)
    nowhere = "http://127.0.0.1:9/.well-known/openid-configuration"
    rig.state.integrate(replace(friend, discovery_uri=nowhere))
    assert rig.refresh(pair["refreshToken"]).status_code == 503

    rig.state.integrate(friend)

    assert rig.refresh(pair["refreshToken"]).status_code == 200


def test_revoking_needs_a_living_jwt(rig: GenesysRig) -> None:
    pair = rig.tokens()
    rig.clock.advance(MINUTES_16)

    assert rig.revoke(pair["jwt"]).status_code == 401

    fresh = rig.refresh(pair["refreshToken"]).json()["jwt"]
    answer = rig.revoke(fresh)
    assert (answer.status_code, answer.content) == (204, b"")
    assert rig.refresh(pair["refreshToken"]).status_code == 401
    assert rig.revoke(fresh).status_code == 401


def test_a_foreign_jwt_is_not_believed(rig: GenesysRig) -> None:
    assert rig.revoke("a.b.c").status_code == 401
    with running_genesys() as other:
        assert rig.revoke(other.tokens()["jwt"]).status_code == 401


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
def test_faults_strike_as_often_as_they_were_ordered(rig: GenesysRig, status: int) -> None:
    rig.control("faults", door="exchange", status=status, times=2, retry_after_s=7)
    oauth = rig.auth_data()

    answers = [rig.exchange(oauth) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert answers[0].headers["Retry-After"] == "7"


def test_a_slow_door_is_slow_and_then_answers(rig: GenesysRig) -> None:
    rig.control("faults", door="refresh", delay_s=30)
    before = rig.clock.now()

    assert rig.refresh(rig.tokens()["refreshToken"]).status_code == 200
    assert rig.clock.now() - before == timedelta(seconds=30)
