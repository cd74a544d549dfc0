"""The platform's token and the guests' door: who gets one, who is refused, and how it is said."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
import requests
from genesys_rig import PLATFORM, GenesysRig, running_genesys

from bff.simulator.genesys_gateway import GUESTS

TOKEN = "/oauth/token"
GRANT = {"grant_type": "client_credentials"}
BASIC = (PLATFORM.client_id, PLATFORM.client_secret)
IN_BODY = {**GRANT, "client_id": PLATFORM.client_id, "client_secret": PLATFORM.client_secret}


@pytest.fixture
def rig() -> Iterator[GenesysRig]:
    with running_genesys() as running:
        running.state.behaviour.gateway_makes_guests = True
        yield running


def token_of(rig: GenesysRig) -> str:
    answer = rig.call("POST", TOKEN, data=GRANT, auth=BASIC)
    token: str = answer.json()["access_token"]
    return token


def ask_for_guest(
    rig: GenesysRig, token: str = "", *, channel: str = "webchat"
) -> requests.Response:
    headers = {"Authorization": f"Bearer {token or token_of(rig)}"}
    return rig.call("POST", GUESTS, json={"channelType": channel}, headers=headers)


def test_each_token_is_another_and_is_counted(rig: GenesysRig) -> None:
    assert token_of(rig) != token_of(rig)
    assert rig.report()["counters"]["platform_tokens_given"] == 2


def test_a_token_says_how_long_it_lives_and_is_refused_afterwards(rig: GenesysRig) -> None:
    answer = rig.call("POST", TOKEN, data=GRANT, auth=BASIC).json()
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 86399)
    assert ask_for_guest(rig, answer["access_token"]).ok

    rig.clock.advance(timedelta(days=1))

    assert ask_for_guest(rig, answer["access_token"]).status_code == 401


@pytest.mark.parametrize(
    "wrong", [(PLATFORM.client_id, "guessed"), ("nobody", PLATFORM.client_secret)]
)
def test_wrong_credentials_are_refused_and_counted(rig: GenesysRig, wrong: tuple[str, str]) -> None:
    answer = rig.call("POST", TOKEN, data=GRANT, auth=wrong)

    assert (answer.status_code, answer.json()["code"]) == (401, "bad.credentials")
    assert rig.report()["counters"]["platform_clients_refused"] == 1


def test_credentials_in_the_body_are_taken_only_where_that_is_a_way(rig: GenesysRig) -> None:
    before = rig.call("POST", TOKEN, data=IN_BODY)
    rig.control("behaviour", credentials_in_body=True)
    after = rig.call("POST", TOKEN, data=IN_BODY)
    wrong = rig.call("POST", TOKEN, data={**IN_BODY, "client_secret": "guessed"})

    assert [one.status_code for one in (before, after, wrong)] == [401, 200, 401]


@pytest.mark.parametrize("door", ["token", "guests"])
def test_too_many_requests_say_when_to_come_back(rig: GenesysRig, door: str) -> None:
    rig.control("faults", door=door, status=429, retry_after_s=3)

    refused = (
        rig.call("POST", TOKEN, data=GRANT, auth=BASIC) if door == "token" else ask_for_guest(rig)
    )

    assert (refused.status_code, refused.json()["code"]) == (429, "too.many.requests")
    assert refused.headers["Retry-After"] == "3"


def test_a_guest_has_an_id_and_a_token_that_opens_a_session(rig: GenesysRig) -> None:
    made = ask_for_guest(rig).json()

    assert set(made) == {"id", "token", "channelType", "selfUri"}
    assert (made["channelType"], made["selfUri"]) == ("webchat", f"{GUESTS}/{made['id']}")
    assert UUID(made["id"]) != UUID(made["token"])
    assert rig.guest(made["token"]).configure()["body"]["newSession"] is True
    assert rig.report()["counters"]["guests_made"] == 1


def test_genesys_itself_has_no_such_door(rig: GenesysRig) -> None:
    rig.control("behaviour", gateway_makes_guests=False)

    answer = ask_for_guest(rig)

    assert (answer.status_code, answer.json()["code"]) == (404, "not.found")


def test_the_door_wants_a_good_token(rig: GenesysRig) -> None:
    good = token_of(rig)
    rig.state.platform_tokens.revoke_all()

    without = rig.call("POST", GUESTS, json={"channelType": "webchat"})

    assert (without.status_code, without.json()["code"]) == (401, "authentication.required")
    assert ask_for_guest(rig, "guessed").status_code == 401
    assert ask_for_guest(rig, good).status_code == 401
    assert ask_for_guest(rig).ok


def test_a_missing_permission_is_named(rig: GenesysRig) -> None:
    rig.control("behaviour", missing_permission="conversation:webchat:create")

    answer = ask_for_guest(rig)

    body = answer.json()
    assert (answer.status_code, body["code"]) == (403, "missing.any.permissions")
    assert body["messageParams"] == {"permissions": "conversation:webchat:create"}
    assert body["message"].endswith("permission(s): conversation:webchat:create")
    assert body["messageWithParams"].endswith("{permissions}")


def test_another_channel_makes_no_guest(rig: GenesysRig) -> None:
    answer = ask_for_guest(rig, channel="fax")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid.value")
    assert rig.report()["counters"]["guests_made"] == 0


def test_a_token_is_good_for_three_hundred_requests_a_minute(rig: GenesysRig) -> None:
    token = token_of(rig)
    for _ in range(300):
        rig.state.platform_tokens.check(token)

    refused = ask_for_guest(rig, token)

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert "[300] requests within [60] seconds" in refused.json()["message"]
    assert ask_for_guest(rig).ok
    rig.clock.advance(timedelta(seconds=60))
    assert ask_for_guest(rig, token).ok


def test_a_reset_counts_from_nought_and_leaves_the_tokens(rig: GenesysRig) -> None:
    token = token_of(rig)

    rig.control("reset")

    assert rig.report()["counters"]["platform_tokens_given"] == 0
    rig.control("behaviour", gateway_makes_guests=True)
    assert ask_for_guest(rig, token).ok
