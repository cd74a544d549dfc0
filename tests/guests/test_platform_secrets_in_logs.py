"""No secret of the platform client, no token of it and none of a guest reaches a log or a repr."""

import base64
import logging
import traceback
from datetime import timedelta

import pytest
from black_holes import nobody_listens
from platform_rig import (
    GET_THINGS,
    GUEST_ANSWER,
    PLATFORM,
    POST_THINGS,
    THINGS,
    TOKEN_PATH,
    NotingClock,
    PlatformRig,
    Scripted,
    client_at,
)

from bff.errors import BffError
from bff.guests.platform_client import PlatformClient
from bff.guests.platform_token import TokenSlot
from bff.guests.provisioning import GUESTS_PATH, HttpProvisioning
from bff.ports import PlatformAnswer, PlatformRequest


def told_by(client: PlatformClient, request: PlatformRequest) -> str:
    """Return the whole story of a failure, as a log would print it."""
    with pytest.raises(BffError) as told:
        client.call(request)
    return "".join(traceback.format_exception(told.value))


def stories(platform: PlatformRig) -> list[str]:
    """Fail in every way there is."""
    echo = {"code": "x", "message": PLATFORM.client_secret, "error_description": "canary"}
    found = []
    for status in (400, 401, 401, 403, 404, 500):
        platform.watched.script(THINGS, Scripted(status=status, body=echo))
    found += [told_by(platform.client, POST_THINGS) for _ in range(5)]
    platform.watched.script(THINGS, *[Scripted(status=429, body=echo)] * 4)
    found.append(told_by(platform.client, GET_THINGS))
    platform.watched.script(GUESTS_PATH, Scripted(body={**GUEST_ANSWER, "id": None}))
    with pytest.raises(BffError) as malformed:
        HttpProvisioning(platform.client).provide()
    found.append("".join(traceback.format_exception(malformed.value)))
    platform.clock.advance(timedelta(days=2))
    platform.watched.script(TOKEN_PATH, Scripted(status=401, body=echo))
    found.append(told_by(platform.client, GET_THINGS))
    with nobody_listens() as port:
        gone = client_at(f"http://127.0.0.1:{port}", NotingClock())
        found.append(told_by(gone, GET_THINGS))
    return found


def test_no_secret_is_written_down_on_good_days_and_bad(
    platform: PlatformRig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    platform.client.call(GET_THINGS)
    HttpProvisioning(platform.client).provide()
    told = stories(platform)

    pair = f"{PLATFORM.client_id}:{PLATFORM.client_secret}"
    tokens = {token for token in platform.watched.bearers(THINGS) if token}
    secrets = {
        PLATFORM.client_secret,
        base64.b64encode(pair.encode()).decode(),
        GUEST_ANSWER["token"],
        *tokens,
    }
    written = "\n".join([*(record.getMessage() for record in caplog.records), *told])
    assert len(told) == 9
    assert len(tokens) >= 2
    assert "gave up after" in written
    assert [secret for secret in secrets if secret in written] == []


def test_what_holds_a_secret_does_not_show_it(platform: PlatformRig) -> None:
    now = platform.clock.now()
    shown = [
        platform.registration,
        platform.client,
        TokenSlot(token="canary", fresh_until=now, ends_at=now),
        PlatformAnswer(status=200, body={"access_token": "canary"}),
        PlatformRequest(method="POST", path="/", body={"token": "canary"}),
        HttpProvisioning(platform.client).provide(),
    ]

    assert "canary" not in repr(shown)
