"""Every misbehaviour of the stand-in provider can be seen, and ends when it should."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from provider_visitor import CLIENT, ProviderRig, Visitor, query_of, running_provider, second_key

from bff.simulator.provider_faults import DOOR_FAULTS, Fault
from bff.simulator.provider_settings import ACR_PASSWORD, ACR_STRONG

Claims = dict[str, Any]


@pytest.fixture
def rig() -> Iterator[ProviderRig]:
    with running_provider() as running:
        yield running


CLAIM_FAULTS: dict[Fault, Callable[[Claims], bool]] = {
    Fault.ISSUER_WRONG: lambda c: "other" in c["iss"],
    Fault.AUDIENCE_FOREIGN: lambda c: (c["aud"], c["azp"]) == ("another-client", "brand"),
    Fault.AUDIENCE_LIST_FOREIGN: lambda c: (c["aud"], c["azp"]) == (["another-client"], "brand"),
    Fault.AUDIENCE_LIST: lambda c: (c["aud"], c["azp"]) == (["brand", "another-client"], "brand"),
    Fault.AZP_WRONG: lambda c: (c["aud"], c["azp"]) == ("brand", "another-client"),
    Fault.SUBJECT_MISSING: lambda c: "sub" not in c,
    Fault.NONCE_WRONG: lambda c: c["nonce"] != "the-nonce",
    Fault.NONCE_MISSING: lambda c: "nonce" not in c,
    Fault.AUTH_TIME_OLD: lambda c: c["iat"] - c["auth_time"] == 86400,
    Fault.AUTH_TIME_MISSING: lambda c: "auth_time" not in c,
    Fault.ACR_LOWER: lambda c: c["acr"] == ACR_PASSWORD,
    Fault.ACR_MISSING: lambda c: "acr" not in c,
}


@pytest.mark.parametrize("fault", CLAIM_FAULTS)
def test_an_id_token_is_wrong_in_the_claim_asked_for_and_then_right_again(
    rig: ProviderRig, fault: Fault
) -> None:
    is_wrong = CLAIM_FAULTS[fault]
    rig.provider.faults.plant(fault, times=1)

    wrong = rig.provider.keys.read(rig.tokens(acr_values=ACR_STRONG)["id_token"])
    right = rig.provider.keys.read(rig.tokens(acr_values=ACR_STRONG)["id_token"])

    assert wrong is not None
    assert right is not None
    assert is_wrong(wrong)
    assert not _is(is_wrong, right)


def _is(check: Callable[[Claims], bool], claims: Claims) -> bool:
    try:
        return check(claims)
    except KeyError:  # a right token has no azp at all
        return False


@pytest.mark.parametrize(
    ("fault", "claim", "value", "shift"),
    [
        (Fault.EXPIRED, "exp", None, -3600),
        (Fault.EXPIRED, "exp", 60, -60),
        (Fault.ISSUED_IN_FUTURE, "iat", None, 600),
        (Fault.ISSUED_IN_FUTURE, "iat", 90, 90),
    ],
)
def test_an_id_token_is_from_the_wrong_time(
    rig: ProviderRig, fault: Fault, claim: str, value: int | None, shift: int
) -> None:
    rig.provider.faults.plant(fault, value=value)

    claims = rig.provider.keys.read(rig.tokens()["id_token"])

    assert claims is not None
    assert claims[claim] == int(rig.clock.now().timestamp()) + shift


def test_the_id_token_is_missing(rig: ProviderRig) -> None:
    rig.provider.faults.plant(Fault.ID_TOKEN_MISSING)

    assert "id_token" not in rig.tokens()


def test_the_signature_is_bad(rig: ProviderRig) -> None:
    rig.provider.faults.plant(Fault.SIGNATURE_BAD)
    keys = KeySet.import_key_set(rig.get("/jwks").json())

    with pytest.raises(JoseError):
        jwt.decode(rig.tokens()["id_token"], keys, algorithms=["RS256"])


def test_the_algorithm_is_none(rig: ProviderRig) -> None:
    rig.provider.faults.plant(Fault.ALGORITHM_NONE)

    token = rig.tokens()["id_token"]

    assert jws.extract_compact(token.encode()).headers()["alg"] == "none"
    assert token.endswith(".")


def test_the_token_is_signed_with_the_client_secret(rig: ProviderRig) -> None:
    rig.provider.faults.plant(Fault.ALGORITHM_HS256)

    token = rig.tokens()["id_token"]

    secret = OctKey.import_key(CLIENT.client_secret)
    assert jwt.decode(token, secret, algorithms=["HS256"]).claims["aud"] == "brand"


def test_the_key_id_is_unknown(rig: ProviderRig) -> None:
    rig.provider.faults.plant(Fault.KID_UNKNOWN)

    token = rig.tokens()["id_token"]

    published = {key["kid"] for key in rig.get("/jwks").json()["keys"]}
    assert jws.extract_compact(token.encode()).headers()["kid"] not in published


@pytest.mark.parametrize(("with_kid", "keep_old"), [(True, False), (True, True), (False, False)])
def test_a_rotated_key_signs_what_the_new_key_set_verifies(
    rig: ProviderRig, *, with_kid: bool, keep_old: bool
) -> None:
    before = rig.get("/jwks").json()
    rig.provider.keys.rotate(with_kid=with_kid, keep_old=keep_old, new=second_key())

    token = rig.tokens()["id_token"]

    after = rig.get("/jwks").json()
    assert jwt.decode(token, KeySet.import_key_set(after), algorithms=["RS256"]).claims["sub"]
    with pytest.raises(JoseError):
        jwt.decode(token, KeySet.import_key_set(before), algorithms=["RS256"])
    assert ("kid" in jws.extract_compact(token.encode()).headers()) is with_kid
    assert (before["keys"][0] in after["keys"]) is keep_old


def test_userinfo_is_about_somebody_else(rig: ProviderRig) -> None:
    rig.provider.faults.plant(Fault.USERINFO_SUBJECT_OTHER)
    tokens = rig.tokens()

    userinfo = rig.get("/userinfo", Authorization=f"Bearer {tokens['access_token']}").json()

    assert userinfo["sub"] == "c-somebody-else"


@pytest.mark.parametrize(
    ("fault", "field", "seen"),
    [
        (Fault.STATE_WRONG, "state", "a-state-nobody-sent"),
        (Fault.STATE_MISSING, "state", None),
        (Fault.RESPONSE_ISSUER_WRONG, "iss", "http://other-provider.localhost"),
        (Fault.RESPONSE_ISSUER_MISSING, "iss", None),
    ],
)
def test_the_authorization_response_is_wrong(
    rig: ProviderRig, fault: Fault, field: str, seen: str | None
) -> None:
    rig.provider.faults.plant(fault)

    answer = rig.sign_in(Visitor())

    assert answer.get(field) == seen
    assert "code" in answer


@pytest.mark.parametrize("code", [None, "server_error", "login_required"])
def test_the_authorization_endpoint_answers_with_an_error(
    rig: ProviderRig, code: str | None
) -> None:
    rig.provider.faults.plant(Fault.AUTHORIZE_ERROR, value=code, times=1)

    assert query_of(Visitor().go(rig.authorize_url()))["error"] == (code or "access_denied")
    assert Visitor().go(rig.authorize_url()).status_code == 200


def test_discovery_names_another_issuer(rig: ProviderRig) -> None:
    rig.provider.faults.plant(Fault.DISCOVERY_ISSUER_WRONG)

    metadata = rig.get("/.well-known/openid-configuration").json()

    assert metadata["issuer"] == "http://other-provider.localhost"
    assert metadata["token_endpoint"] == f"{rig.url}/token"


@pytest.mark.parametrize("base", [None, "http://[::1]:9"])
def test_discovery_points_to_inner_hosts(rig: ProviderRig, base: str | None) -> None:
    rig.provider.faults.plant(Fault.DISCOVERY_INNER_HOSTS, value=base)

    metadata = rig.get("/.well-known/openid-configuration").json()

    expected = base or "http://169.254.169.254"
    dialled = ("token_endpoint", "jwks_uri", "userinfo_endpoint", "revocation_endpoint")
    assert metadata["issuer"] == rig.url
    assert all(metadata[name].startswith(expected + "/") for name in dialled)


PATHS = {
    "discovery": "/.well-known/openid-configuration",
    "jwks": "/jwks",
    "userinfo": "/userinfo",
}


@pytest.mark.parametrize("endpoint", PATHS)
def test_a_door_fails_for_as_often_as_told(rig: ProviderRig, endpoint: str) -> None:
    rig.provider.faults.plant(Fault.SERVER_ERROR, endpoint=endpoint, times=2)

    statuses = [rig.get(PATHS[endpoint]).status_code for _ in range(3)]

    assert statuses[:2] == [500, 500]
    assert statuses[2] in {200, 401}
    assert rig.provider.tally[endpoint] == 3


def test_the_token_door_is_unavailable_and_says_when_to_return(rig: ProviderRig) -> None:
    refresh_token = rig.tokens()["refresh_token"]
    rig.provider.faults.plant(Fault.UNAVAILABLE, value=7, times=1)

    busy = rig.refresh(refresh_token)

    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "7")
    assert rig.refresh(refresh_token).status_code == 200


def test_invalid_grant_on_command_spends_nothing(rig: ProviderRig) -> None:
    refresh_token = rig.tokens()["refresh_token"]
    rig.provider.faults.plant(Fault.INVALID_GRANT, times=1)

    assert rig.refresh(refresh_token).json()["error"] == "invalid_grant"
    assert rig.refresh(refresh_token).status_code == 200


def test_a_door_redirects(rig: ProviderRig) -> None:
    rig.provider.faults.plant(
        Fault.REDIRECT, endpoint="revocation", value="http://169.254.169.254/"
    )

    answer = rig.post("/revoke", token="x")

    assert (answer.status_code, answer.headers["Location"]) == (307, "http://169.254.169.254/")


def test_a_lost_answer_has_rotated_the_token_all_the_same(rig: ProviderRig) -> None:
    refresh_token = rig.tokens()["refresh_token"]
    rig.provider.faults.plant(Fault.ANSWER_LOST, times=1)

    with pytest.raises(requests.ConnectionError):
        rig.refresh(refresh_token)

    assert rig.provider.tally["refreshes_redeemed"] == 1
    assert rig.refresh(refresh_token).json()["error"] == "invalid_grant"


def test_a_cut_connection_has_done_nothing(rig: ProviderRig) -> None:
    refresh_token = rig.tokens()["refresh_token"]
    rig.provider.faults.plant(Fault.CUT, times=1)

    with pytest.raises(requests.ConnectionError):
        rig.refresh(refresh_token)

    assert rig.refresh(refresh_token).status_code == 200


def test_a_slow_answer_has_worked_at_once_and_comes_when_released(rig: ProviderRig) -> None:
    refresh_token = rig.tokens()["refresh_token"]
    rig.provider.faults.plant(Fault.SLOW, value=60, times=1)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(rig.refresh, refresh_token)
        assert rig.provider.tally.wait_for("kept_waiting", 1)
        assert rig.provider.tally["refreshes_redeemed"] == 1
        assert not answer.done()
        rig.provider.faults.release()

        assert answer.result(timeout=10).status_code == 200


def test_a_slow_answer_comes_by_itself_after_its_time(rig: ProviderRig) -> None:
    refresh_token = rig.tokens()["refresh_token"]
    rig.provider.faults.plant(Fault.SLOW, value=0.05, times=1)

    answer = rig.refresh(refresh_token)

    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.05


def test_no_answer_means_no_work_either(rig: ProviderRig) -> None:
    refresh_token = rig.tokens()["refresh_token"]
    rig.provider.faults.plant(Fault.NO_ANSWER, times=1)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(rig.refresh, refresh_token)
        assert rig.provider.tally.wait_for("kept_waiting", 1)
        rig.provider.faults.clear()
        with pytest.raises(requests.ConnectionError):
            answer.result(timeout=10)

    assert rig.refresh(refresh_token).status_code == 200


def test_every_fault_has_its_test() -> None:
    elsewhere = {
        Fault.EXPIRED,
        Fault.ISSUED_IN_FUTURE,
        Fault.ID_TOKEN_MISSING,
        Fault.SIGNATURE_BAD,
        Fault.ALGORITHM_NONE,
        Fault.ALGORITHM_HS256,
        Fault.KID_UNKNOWN,
        Fault.USERINFO_SUBJECT_OTHER,
        Fault.STATE_WRONG,
        Fault.STATE_MISSING,
        Fault.RESPONSE_ISSUER_WRONG,
        Fault.RESPONSE_ISSUER_MISSING,
        Fault.AUTHORIZE_ERROR,
        Fault.DISCOVERY_ISSUER_WRONG,
        Fault.DISCOVERY_INNER_HOSTS,
        Fault.INVALID_GRANT,
    }

    assert set(CLAIM_FAULTS) | elsewhere | DOOR_FAULTS == set(Fault)
