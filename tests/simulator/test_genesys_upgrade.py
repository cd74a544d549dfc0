"""How the stand-in refuses a socket: a deployment that it does not know, a fault on command."""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
import websocket
from genesys_rig import DEADLINE_S, GenesysRig, Guest, running_genesys


@pytest.fixture
def rig() -> Iterator[GenesysRig]:
    with running_genesys() as running:
        yield running


def forget_the_deployment(rig: GenesysRig) -> None:
    """Let clients ask for a deployment that is not there any more."""
    rig.state.settings = replace(rig.state.settings, deployment_id=str(uuid.uuid4()))


def refusal_of(rig: GenesysRig) -> websocket.WebSocketBadStatusException:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Guest(rig.url)
    return refused.value


def test_an_unknown_deployment_is_refused_like_a_foreign_page(rig: GenesysRig) -> None:
    forget_the_deployment(rig)

    assert refusal_of(rig).status_code == 403


def test_an_unknown_deployment_may_be_a_bad_request(rig: GenesysRig) -> None:
    forget_the_deployment(rig)
    rig.control("behaviour", unknown_deployment="upgrade400")

    assert refusal_of(rig).status_code == 400


def test_an_unknown_deployment_may_be_noticed_when_the_session_is_configured(
    rig: GenesysRig,
) -> None:
    forget_the_deployment(rig)
    rig.control("behaviour", unknown_deployment="configure")

    answer = rig.guest().configure()

    assert (answer["class"], answer["code"]) == ("string", 400)


def test_an_upgrade_is_refused_on_command_and_then_no_more(rig: GenesysRig) -> None:
    rig.control("faults", door="upgrade", status=503, retry_after_s=2)

    refused = refusal_of(rig)

    assert refused.status_code == 503
    assert refused.resp_headers is not None
    assert refused.resp_headers["retry-after"] == "2"
    assert rig.guest().configure()["code"] == 200


def test_clients_that_come_at_once_are_refused_no_more_often_than_ordered(
    rig: GenesysRig,
) -> None:
    rig.control("faults", door="upgrade", status=503, times=3)
    start = threading.Barrier(8)
    outcomes: list[int] = []

    def come() -> None:
        start.wait(DEADLINE_S)
        try:
            rig.guest()
        except websocket.WebSocketBadStatusException as refused:
            outcomes.append(refused.status_code)
        else:
            outcomes.append(101)

    crowd = [threading.Thread(target=come) for _ in range(8)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join(DEADLINE_S)

    assert sorted(outcomes) == [101] * 5 + [503] * 3
