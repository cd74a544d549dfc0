"""The stand-in provider's control doors: what QA turns from outside, and who may not."""

import queue
from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests
from flask import Flask, request
from provider_visitor import CLIENT, ProviderRig, Visitor, plain_session, query_of, running_provider

from bff.adapters.system import SystemClock
from bff.simulator.serving import Served


@pytest.fixture
def rig() -> Iterator[ProviderRig]:
    with running_provider(clock=SystemClock()) as running:
        yield running


def control(rig: ProviderRig, path: str, body: object, method: str = "POST") -> requests.Response:
    with plain_session() as http:
        return http.request(method, f"{rig.url}/control/{path}", json=body)


def test_a_fault_is_planted_seen_and_cleared(rig: ProviderRig) -> None:
    planted = control(rig, "faults", {"fault": "server_error", "endpoint": "jwks", "times": 5})
    broken = rig.get("/jwks").status_code
    cleared = control(rig, "faults", None, "DELETE")

    assert planted.json() == {"faults": [{"fault": "server_error", "endpoint": "jwks", "times": 5}]}
    assert (broken, cleared.status_code, rig.get("/jwks").status_code) == (500, 204, 200)


@pytest.mark.parametrize(
    "body", [{"fault": "unheard_of"}, {}, {"fault": "cut", "colour": "red"}, [1]]
)
def test_an_unknown_fault_is_named_as_such(rig: ProviderRig, body: object) -> None:
    answer = control(rig, "faults", body)

    assert answer.status_code == 400
    assert answer.json()["message"]


def test_the_state_counts_what_happened(rig: ProviderRig) -> None:
    tokens = rig.tokens()
    rig.refresh(tokens["refresh_token"])
    rig.post("/revoke", token=tokens["refresh_token"])

    answer = rig.get("/control/state")

    state = answer.json()
    assert state["counts"]["token"] == 2
    assert state["counts"]["refreshes_redeemed"] == 1
    assert state["counts"]["tokens_revoked"] == 1
    assert [one["username"] for one in state["sign_ons"]] == ["amira"]
    assert not any(value in answer.text for value in tokens.values() if len(str(value)) > 20)


def test_time_moves_by_command(rig: ProviderRig) -> None:
    access_token = rig.tokens()["access_token"]

    control(rig, "clock", {"advance_s": 901})

    assert rig.get("/userinfo", Authorization=f"Bearer {access_token}").status_code == 401


def test_a_clock_that_is_turned_elsewhere_says_so() -> None:
    with running_provider() as rig:
        assert control(rig, "clock", {"advance_s": 1}).status_code == 409


def test_keys_rotate_by_command(rig: ProviderRig) -> None:
    before = rig.get("/jwks").json()["keys"]

    control(rig, "keys", {"keep_old": True})

    after = rig.get("/jwks").json()["keys"]
    assert len(after) == 2
    assert after[1:] == before


def test_a_broken_logout_token_is_sent_by_command() -> None:
    heard: queue.Queue[str] = queue.Queue()
    receiver = Flask("receiver")

    @receiver.post("/backchannel")
    def listen() -> tuple[str, int]:
        heard.put(request.form["logout_token"])
        return "no", 400

    with (
        Served(receiver, host="auth.brand.localhost") as served,
        running_provider(
            client=replace(CLIENT, backchannel_logout_uri=f"{served.url}/backchannel")
        ) as rig,
    ):
        answer = control(
            rig, "logout", {"client_id": "brand", "sid": "s-1", "defects": ["nonce_present"]}
        )
        claims = rig.provider.keys.read(heard.get(timeout=5))

    assert answer.json()["status"] == 400
    assert claims is not None
    assert claims["nonce"]
    assert claims["sid"] == "s-1"


@pytest.mark.parametrize(
    "body",
    [{}, {"client_id": "nobody"}, {"client_id": "brand"}, {"client_id": "brand", "defects": ["x"]}],
)
def test_a_logout_token_that_cannot_be_sent_is_refused(
    rig: ProviderRig, body: dict[str, object]
) -> None:
    assert control(rig, "logout", body).status_code == 400


def test_a_person_is_signed_out_everywhere_by_command(rig: ProviderRig) -> None:
    visitor = Visitor()
    rig.sign_in(visitor)

    assert control(rig, "sign-out", {"username": "amira"}).json() == {"ended": 1}
    assert control(rig, "sign-out", {"username": "nobody"}).status_code == 404
    assert query_of(visitor.go(rig.authorize_url(prompt="none")))["error"] == "login_required"


def test_refresh_tokens_are_refused_by_command(rig: ProviderRig) -> None:
    refresh_token = rig.tokens()["refresh_token"]

    control(rig, "refresh-tokens", None, "DELETE")

    assert rig.refresh(refresh_token).json()["error"] == "invalid_grant"


def test_a_page_of_another_origin_cannot_send_a_simple_request(rig: ProviderRig) -> None:
    with plain_session() as http:
        answer = http.post(
            f"{rig.url}/control/faults",
            data='{"fault": "cut"}',
            headers={"Content-Type": "text/plain"},
        )

    assert answer.status_code == 415
    assert rig.provider.faults.listed() == []


def test_a_rebound_name_is_turned_away(rig: ProviderRig) -> None:
    assert rig.get("/control/state", Host="rebound.example").status_code == 403


def test_a_peer_that_is_not_this_machine_is_turned_away(rig: ProviderRig) -> None:
    app = rig.app

    with app.test_client() as client:
        answer = client.get("/control/state", environ_base={"REMOTE_ADDR": "192.0.2.7"})

    assert answer.status_code == 403
