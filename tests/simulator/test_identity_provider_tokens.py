"""The stand-in provider's token door: every code once, every refresh token once, and revocation."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote_plus

import pytest
from provider_visitor import CLIENT, ProviderRig, Visitor, plain_session, running_provider


@pytest.fixture
def rig() -> Iterator[ProviderRig]:
    with running_provider() as running:
        yield running


def userinfo_status(rig: ProviderRig, access_token: str) -> int:
    return rig.get("/userinfo", Authorization=f"Bearer {access_token}").status_code


def test_a_code_is_redeemed_once_and_its_replay_ends_what_it_gave(rig: ProviderRig) -> None:
    code = rig.sign_in(Visitor())["code"]
    first = rig.redeem(code).json()

    replay = rig.redeem(code)

    assert replay.status_code == 400
    assert replay.json()["error"] == "invalid_grant"
    assert userinfo_status(rig, first["access_token"]) == 401
    assert rig.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"


def test_of_many_who_bring_one_code_one_gets_tokens(rig: ProviderRig) -> None:
    code = rig.sign_in(Visitor())["code"]
    start = threading.Barrier(16)

    def redeem(_: int) -> int:
        start.wait(timeout=10)
        return rig.redeem(code).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = sorted(pool.map(redeem, range(16)))

    assert statuses == [200] + [400] * 15


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "another-verifier-of-the-length-that-is-asked-for"},
        {"redirect_uri": "http://auth.brand.localhost/other"},
    ],
)
def test_a_failed_redemption_burns_the_code(rig: ProviderRig, changes: dict[str, str]) -> None:
    code = rig.sign_in(Visitor())["code"]

    assert rig.redeem(code, **changes).json()["error"] == "invalid_grant"
    assert rig.redeem(code).json()["error"] == "invalid_grant"


def test_a_code_expires(rig: ProviderRig) -> None:
    code = rig.sign_in(Visitor())["code"]
    rig.clock.advance(timedelta(minutes=1))

    assert rig.redeem(code).json()["error"] == "invalid_grant"


def test_another_client_cannot_redeem_the_code(rig: ProviderRig) -> None:
    other = replace(CLIENT, client_id="other")
    rig.provider.register(other)
    code = rig.sign_in(Visitor())["code"]

    answer = rig.redeem(code, client_id="other")

    assert answer.json()["error"] == "invalid_grant"


def test_a_refresh_rotates_the_token_and_keeps_the_sign_in(rig: ProviderRig) -> None:
    first = rig.tokens()
    before = rig.provider.keys.read(first["id_token"])
    rig.clock.advance(timedelta(minutes=14))

    second = rig.refresh(first["refresh_token"]).json()

    after = rig.provider.keys.read(second["id_token"])
    assert before is not None
    assert after is not None
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert [after[name] for name in ("sub", "sid", "auth_time", "aud")] == [
        before[name] for name in ("sub", "sid", "auth_time", "aud")
    ]
    assert after["iat"] == before["iat"] + 14 * 60


def test_the_second_use_of_a_refresh_token_ends_its_family(rig: ProviderRig) -> None:
    first = rig.tokens()
    second = rig.refresh(first["refresh_token"]).json()

    reuse = rig.refresh(first["refresh_token"])

    assert reuse.json()["error"] == "invalid_grant"
    assert rig.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    assert userinfo_status(rig, second["access_token"]) == 401
    assert rig.provider.tally["refreshes_refused"] == 2


def test_a_grace_lets_a_lost_answer_be_asked_for_again() -> None:
    with running_provider(refresh_grace=timedelta(seconds=30)) as rig:
        first = rig.tokens()
        rig.refresh(first["refresh_token"])
        rig.clock.advance(timedelta(seconds=29))

        again = rig.refresh(first["refresh_token"])
        rig.clock.advance(timedelta(seconds=1))
        too_late = rig.refresh(first["refresh_token"])

    assert again.status_code == 200
    assert too_late.json()["error"] == "invalid_grant"


def test_of_many_who_bring_one_refresh_token_one_is_served(rig: ProviderRig) -> None:
    refresh_token = rig.tokens()["refresh_token"]
    start = threading.Barrier(8)

    def refresh(_: int) -> int:
        start.wait(timeout=10)
        return rig.refresh(refresh_token).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(refresh, range(8)))

    assert statuses == [200] + [400] * 7
    assert rig.provider.tally["refreshes_redeemed"] == 1


def test_a_refresh_cannot_widen_the_scope(rig: ProviderRig) -> None:
    refresh_token = rig.tokens(scope="openid email")["refresh_token"]

    wider = rig.refresh(refresh_token, scope="openid profile")
    narrower = rig.refresh(refresh_token, scope="openid")

    assert wider.json()["error"] == "invalid_scope"
    assert narrower.json()["scope"] == "openid"


def test_tokens_expire_by_the_clock(rig: ProviderRig) -> None:
    tokens = rig.tokens()

    rig.clock.advance(timedelta(minutes=15))
    access_status = userinfo_status(rig, tokens["access_token"])
    rig.clock.advance(timedelta(days=30))

    assert access_status == 401
    assert rig.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_revoked_refresh_token_takes_its_access_tokens_along(rig: ProviderRig) -> None:
    tokens = rig.tokens()

    answer = rig.post("/revoke", token=tokens["refresh_token"])

    assert answer.status_code == 200
    assert userinfo_status(rig, tokens["access_token"]) == 401
    assert rig.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert rig.provider.tally["tokens_revoked"] == 1


def test_revoking_an_access_token_spares_the_refresh_token(rig: ProviderRig) -> None:
    tokens = rig.tokens()

    rig.post("/revoke", token=tokens["access_token"])

    assert userinfo_status(rig, tokens["access_token"]) == 401
    assert rig.refresh(tokens["refresh_token"]).status_code == 200


def test_an_unknown_or_foreign_token_is_as_good_as_revoked(rig: ProviderRig) -> None:
    rig.provider.register(replace(CLIENT, client_id="other"))
    tokens = rig.tokens()

    foreign = rig.post("/revoke", token=tokens["refresh_token"], client_id="other")
    unknown = rig.post("/revoke", token="nothing")

    assert (foreign.status_code, unknown.status_code) == (200, 200)
    assert rig.refresh(tokens["refresh_token"]).status_code == 200


def test_a_client_may_go_without_refresh_tokens() -> None:
    with running_provider(client=replace(CLIENT, gets_refresh_tokens=False)) as rig:
        assert "refresh_token" not in rig.tokens()


def test_basic_credentials_are_form_encoded() -> None:
    odd = replace(CLIENT, client_secret="a+b c%2F:d")
    with running_provider(client=odd) as rig, plain_session() as http:
        encoded = http.post(
            rig.url + "/revoke", data={"token": "x"}, auth=("brand", quote_plus(odd.client_secret))
        )
        raw = http.post(rig.url + "/revoke", data={"token": "x"}, auth=("brand", odd.client_secret))

    assert encoded.status_code == 200
    # RFC 6749 2.3.1: sent as it is, it reads as another secret.
    assert raw.status_code == 401


def test_a_wrong_secret_is_refused_in_the_protocols_way(rig: ProviderRig) -> None:
    answer = rig.post("/token", grant_type="refresh_token", client_secret="wrong")

    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_two_ways_of_authentication_at_once_are_refused(rig: ProviderRig) -> None:
    with plain_session() as http:
        answer = http.post(
            rig.url + "/token",
            data={"client_secret": CLIENT.client_secret},
            auth=("brand", CLIENT.client_secret),
        )

    assert answer.json()["error"] == "invalid_request"


def test_an_unknown_grant_type_has_its_own_word(rig: ProviderRig) -> None:
    assert rig.post("/token", grant_type="password").json()["error"] == "unsupported_grant_type"


def test_token_answers_are_not_to_be_stored(rig: ProviderRig) -> None:
    answer = rig.redeem(rig.sign_in(Visitor())["code"])

    assert answer.headers["Cache-Control"] == "no-store"
