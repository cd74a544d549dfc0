"""A guest comes from us, or from a gateway that was asked properly and answered properly."""

import uuid
from typing import Any

import pytest
from platform_rig import GUEST_ANSWER, PlatformRig, Scripted

from bff.adapters.system import SystemEntropy
from bff.errors import GenesysAnswerError, GenesysDownError, SettingsError
from bff.guests.provisioning import GUESTS_PATH, HttpProvisioning, LocalProvisioning


def test_m2_a_guest_needs_no_call_that_genesys_does_not_have(platform: PlatformRig) -> None:
    guests = [LocalProvisioning(platform.foundation.entropy).provide() for _ in range(50)]

    tokens = {uuid.UUID(guest.token) for guest in guests}
    assert len(tokens | {uuid.UUID(guest.guest_id) for guest in guests}) == 100
    assert {token.version for token in tokens} == {4}
    assert {token.variant for token in tokens} == {uuid.RFC_4122}
    assert {guest.channel_type for guest in guests} == {"webchat"}
    assert platform.watched.seen == []


def test_a_gateway_is_asked_with_the_platform_token(platform: PlatformRig) -> None:
    guest = HttpProvisioning(platform.client).provide()

    asked = platform.watched.seen[-1]
    assert (asked.method, asked.path) == ("POST", GUESTS_PATH)
    assert asked.json == {"channelType": "webchat"}
    assert asked.authorization.startswith("Bearer ")
    assert guest.guest_id == GUEST_ANSWER["id"]
    assert guest.token == GUEST_ANSWER["token"]
    assert guest.channel_type == GUEST_ANSWER["channelType"]
    assert guest.self_uri == GUEST_ANSWER["selfUri"]


def test_the_path_of_the_gateway_is_a_setting(platform: PlatformRig) -> None:
    platform.watched.script("/gateway/v1/guests", Scripted(status=201, body=GUEST_ANSWER))

    guest = HttpProvisioning(platform.client, path="/gateway/v1/guests").provide()

    assert guest.guest_id == "guest-1"


@pytest.mark.parametrize(
    "path",
    ["", "guests", "@evil.example/", "//evil.example/", "/a/../b", "/a?b=c", "/a#b", "/a b", "/é"],
)
def test_a_path_that_is_none_is_refused_at_the_start(platform: PlatformRig, path: str) -> None:
    with pytest.raises(SettingsError, match="not a path"):
        HttpProvisioning(platform.client, path=path)


def test_m2_after_the_last_429_there_is_an_error_and_not_nothing(platform: PlatformRig) -> None:
    platform.watched.script(GUESTS_PATH, *[Scripted(status=429)] * 9)

    with pytest.raises(GenesysDownError, match="429; gave up after 3 tries"):
        HttpProvisioning(platform.client).provide()

    assert platform.watched.count(GUESTS_PATH) == 3


def test_m1_a_guest_is_made_although_the_kept_token_was_revoked(platform: PlatformRig) -> None:
    guests = HttpProvisioning(platform.client)
    guests.provide()
    platform.watched.revoke_all()

    assert guests.provide().guest_id == "guest-1"
    assert platform.token_requests == 2


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"id": None}, "id"),
        ({"id": "two words"}, "id"),
        ({"id": 7}, "id"),
        ({"token": None}, "token"),
        ({"token": ""}, "token"),
        ({"token": "short"}, "token"),
        ({"token": "x" * 5_000}, "token"),
        ({"token": "line\r\nbreak"}, "token"),
        ({"token": ["canary-of-the-guest"]}, "token"),
        ({"channelType": "email"}, "channelType"),
        ({"channelType": None}, "channelType"),
        ({"selfUri": None}, "selfUri"),
    ],
)
def test_a_malformed_answer_is_a_clear_error(
    platform: PlatformRig, changes: dict[str, Any], named: str
) -> None:
    platform.watched.script(GUESTS_PATH, Scripted(body={**GUEST_ANSWER, **changes}))

    with pytest.raises(GenesysAnswerError, match=named) as told:
        HttpProvisioning(platform.client).provide()

    assert GUEST_ANSWER["token"] not in str(told.value)
    assert platform.watched.count(GUESTS_PATH) == 1


@pytest.mark.parametrize("body", ["", "<html>", "[]", "null", '"text"'])
def test_an_answer_that_is_no_object_is_a_clear_error(platform: PlatformRig, body: str) -> None:
    platform.watched.script(GUESTS_PATH, Scripted(body=body))

    with pytest.raises(GenesysAnswerError):
        HttpProvisioning(platform.client).provide()


def test_the_token_of_a_guest_is_not_shown() -> None:
    guest = LocalProvisioning(SystemEntropy()).provide()

    assert guest.token not in repr(guest)
    assert guest.guest_id in repr(guest)
