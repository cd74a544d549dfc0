"""The control API: for this machine, for JSON, and for nobody else."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from genesys_rig import GenesysRig, running_genesys

from bff.adapters.system import SystemClock
from bff.simulator.genesys_settings import DEMO_DEPLOYMENT


@pytest.fixture
def rig() -> Iterator[GenesysRig]:
    with running_genesys() as running:
        yield running


def test_a_name_that_dns_points_here_is_refused(rig: GenesysRig) -> None:
    answer = rig.call("GET", "/control/state", headers={"Host": "evil.example"})

    assert answer.status_code == 403


def test_another_machine_is_refused(rig: GenesysRig) -> None:
    client = rig.app.test_client()

    answer = client.get("/control/state", environ_base={"REMOTE_ADDR": "192.0.2.7"})

    assert answer.status_code == 403


def test_a_form_of_another_site_turns_nothing(rig: GenesysRig) -> None:
    answer = rig.call("POST", "/control/behaviour", data={"exchange_refusal_status": "400"})

    assert answer.status_code == 400
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_clock_turns_for_everybody_who_shares_it() -> None:
    clock = SystemClock()
    with running_genesys(clock=clock) as rig:
        rig.control("clock", advance_s=900)

    assert clock.shift == timedelta(minutes=15)


def test_a_clock_that_cannot_be_turned_says_so(rig: GenesysRig) -> None:
    answer = rig.call("POST", "/control/clock", json={"advance_s": 1})

    assert answer.status_code == 409


def test_lifetimes_hold_for_what_comes(rig: GenesysRig) -> None:
    rig.control("lifetimes", jwt_cap_s=10, refresh_token_life_s=60)
    pair = rig.tokens()
    rig.clock.advance(timedelta(seconds=10))
    assert rig.refresh(pair["refreshToken"]).json()["jwt"] != pair["jwt"]

    rig.clock.advance(timedelta(seconds=50))

    assert rig.refresh(pair["refreshToken"]).status_code == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("behaviour", {"unknown": 1}),
        ("behaviour", {"early_refresh": "sometimes"}),
        ("behaviour", {"popup_grace_ms": "soon"}),
        ("faults", {"door": "window"}),
        ("clock", {"advance_s": "an hour"}),
        ("lifetimes", {"jwt_cap_s": True}),
    ],
)
def test_a_dial_that_does_not_exist_is_refused(
    rig: GenesysRig, path: str, body: dict[str, object]
) -> None:
    if path == "clock":
        rig.state.clock = SystemClock()
    assert rig.call("POST", f"/control/{path}", json=body).status_code == 400


def test_a_reset_forgets_faults_dials_and_counters(rig: GenesysRig) -> None:
    rig.control("faults", door="exchange", status=500, times=3)
    rig.control("behaviour", reauthenticate_resolve_is_ignored=True, early_refresh="reject400")
    rig.control("lifetimes", jwt_cap_s=10)
    assert rig.exchange({"code": "x", "redirectUri": "y"}).status_code == 500
    assert rig.exchange({}).status_code == 500

    rig.control("reset")

    report = rig.report()
    assert report["faults"] == {}
    assert report["behaviour"]["early_refresh"] == "same"
    assert report["behaviour"]["reauthenticate_resolve_is_ignored"] is False
    assert report["lifetimes"]["jwt_cap_s"] == 900
    assert report["counters"]["exchanges"] == 0


def test_the_report_shows_who_is_connected_and_no_token(rig: GenesysRig) -> None:
    pair = rig.tokens()
    guest = rig.guest()
    guest.configure(pair["jwt"])

    answer = rig.call("GET", "/control/state")

    counters = answer.json()["counters"]
    assert counters["sockets"] == 1
    assert counters["configured_authenticated"] == 1
    assert answer.json()["sessions"][0]["identity"]["given_name"] == "Amira"
    for secret in (pair["jwt"], pair["refreshToken"], guest.token):
        assert secret not in answer.text


def test_the_deployment_documents_are_the_vendors(rig: GenesysRig) -> None:
    base = f"/webdeployments/v1/deployments/{DEMO_DEPLOYMENT}"
    config = rig.call("GET", f"{base}/config.json").json()
    domains = rig.call("GET", f"{base}/domains.json").json()

    assert config["auth"] == {"enabled": True, "allowSessionUpgrade": False}
    endpoint = config["messenger"]["apps"]["conversations"]["messagingEndpoint"]
    assert endpoint == rig.url.replace("http", "ws")
    assert domains == {"allowAllDomains": False, "allowedDomains": ["brand.localhost"]}
    assert rig.call("GET", "/webdeployments/v1/deployments/x/config.json").status_code == 404
