"""Opening the session: the upgrade, the configure, the JWT, the step-up."""

from datetime import timedelta

import pytest
from tiny_genesys import GOOD_JWT, TOKEN
from upstream_world import DEPLOYMENT, UpstreamWorld

from bff.guests.upstream_news import (
    AskJwt,
    Connect,
    Disconnect,
    Ended,
    EndReason,
    Event,
    Ready,
    SteppedUp,
    StepUpFailed,
)
from bff.guests.upstream_policy import UpstreamPolicy
from bff.guests.upstream_state import Stage

ZERO = timedelta(0)


@pytest.fixture
def world() -> UpstreamWorld:
    return UpstreamWorld()


def test_the_path_names_the_deployment_and_the_application(world: UpstreamWorld) -> None:
    (connect,) = world.do(world.upstream.start())

    path = f"/v1?deploymentId={DEPLOYMENT}&application=messenger-bff"
    assert connect == Connect(after=ZERO, path=path)


def test_nothing_is_said_before_the_session_is_open(world: UpstreamWorld) -> None:
    world.do(world.upstream.start())
    world.send("hello", "t-1")
    world.dial()

    (configure,) = world.written
    world.carry_up()
    world.carry_down()

    assert configure["action"] == "configureSession"
    assert configure["token"] == TOKEN
    assert configure["startNew"] is False
    (message,) = world.written
    assert (message["action"], message["tracingId"]) == ("onMessage", "t-1")
    assert world.told(Ready) == [Ready(new_session=True, authenticated=False)]


def test_a_person_is_configured_with_the_jwt() -> None:
    world = UpstreamWorld(authenticated=True)
    world.do(world.upstream.start())

    assert world.dial() == [AskJwt(refresh=False)]
    world.answer_jwt()

    (configure,) = world.written
    assert configure["action"] == "configureAuthenticatedSession"
    assert configure["data"] == {"code": GOOD_JWT}
    assert GOOD_JWT not in repr(world.log)


def test_an_expired_jwt_is_renewed_three_times_and_not_a_fourth() -> None:
    world = UpstreamWorld(authenticated=True)
    world.do(world.upstream.start())
    world.dial()
    asked = []
    for _ in range(4):
        world.answer_jwt("stale")
        world.carry_up()
        asked.append(world.carry_down())

    assert asked[:3] == [[AskJwt(refresh=True)]] * 3
    assert world.last_word is EndReason.SIGN_IN_REFUSED


@pytest.mark.parametrize("text", ["Session authentication failed", "Try to authenticate again"])
def test_a_refused_sign_in_is_tried_once_more(text: str) -> None:
    world = UpstreamWorld(authenticated=True)
    world.do(world.upstream.start())
    world.dial()
    world.answer_jwt()

    assert world.refuse(403, text) == [AskJwt(refresh=True)]
    world.answer_jwt()
    world.refuse(403, text)

    assert world.last_word is EndReason.SIGN_IN_REFUSED


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (4017, EndReason.CANNOT_DOWNGRADE),
        (4006, EndReason.EXPIRED),
        (4007, EndReason.NOT_FOUND),
        (400, EndReason.REFUSED),
        (401, EndReason.REFUSED),
        (403, EndReason.REFUSED),
    ],
)
def test_a_configure_that_is_refused_for_good(
    world: UpstreamWorld, code: int, reason: EndReason
) -> None:
    world.do(world.upstream.start())
    world.dial()

    told = world.refuse(code)

    assert told == [Disconnect(code=1000), Ended(reason=reason)]
    assert world.upstream.stage is Stage.OVER


@pytest.mark.parametrize("code", [429, 500, 503, 5000])
def test_a_configure_that_is_refused_for_now(world: UpstreamWorld, code: int) -> None:
    world.do(world.upstream.start())
    world.dial()

    world.refuse(code)

    assert world.last_word is None
    world.settle()
    assert world.told(Ready)


def test_too_many_configures_wait_as_long_as_they_are_told(world: UpstreamWorld) -> None:
    world.do(world.upstream.start())
    world.dial()
    tracing_id = world.written[-1]["tracingId"]

    body = {"retryAfter": 42, "errorCode": 4029}
    told = world.push("TooManyRequestsErrorMessage", body, code=429, tracingId=tracing_id)

    assert told[1].after >= timedelta(seconds=42)


def test_a_read_only_session_is_over(world: UpstreamWorld) -> None:
    world.do(world.upstream.start())
    world.dial()
    tracing_id = world.written[-1]["tracingId"]

    world.push("SessionResponse", {"connected": True, "readOnly": True}, tracingId=tracing_id)

    assert world.last_word is EndReason.READ_ONLY


@pytest.mark.parametrize(
    ("refused", "last_word"), [(True, EndReason.SIGN_IN_REFUSED), (False, None)]
)
def test_without_a_jwt_only_a_refusal_ends_the_session(
    refused: bool, last_word: EndReason | None
) -> None:
    world = UpstreamWorld(authenticated=True)
    world.do(world.upstream.start())
    world.dial()

    world.do(world.upstream.jwt_failed(refused=refused))

    assert world.last_word is last_word


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_an_upgrade_that_is_refused_for_good(world: UpstreamWorld, status: int) -> None:
    world.do(world.upstream.start())

    world.fail_to_dial(status)

    assert world.last_word is EndReason.REFUSED


@pytest.mark.parametrize("status", [None, 408, 429, 500, 502, 503])
def test_an_upgrade_that_is_refused_for_now(world: UpstreamWorld, status: int | None) -> None:
    world.do(world.upstream.start())

    told = world.fail_to_dial(status)

    assert isinstance(told[-1], Connect)


def test_whom_genesys_knew_is_not_turned_away_for_good(world: UpstreamWorld) -> None:
    world.live().cut()
    world.wait(timedelta(seconds=5))

    told = world.fail_to_dial(403)

    assert isinstance(told[-1], Connect)


def test_the_guest_becomes_the_person_on_the_same_token() -> None:
    world = UpstreamWorld(policy=UpstreamPolicy(max_in_flight=16))
    world.live().send("anonymous", "t-1")

    assert world.do(world.upstream.step_up()) == [AskJwt(refresh=False)]
    world.send("while the code is exchanged", "t-2")
    meanwhile = len(world.up)
    world.answer_jwt()
    world.send("waits for the answer", "t-3")
    actions = [frame["action"] for frame in world.written]
    world.settle()

    assert meanwhile == 2
    assert actions == ["onMessage", "onMessage", "configureAuthenticatedSession"]
    assert world.told(SteppedUp) == [SteppedUp(cleared_existing=False)]
    assert world.delivered == ["t-1", "t-2", "t-3"]
    assert len(world.told(Connect)) == 1


def test_what_was_cleared_elsewhere_is_told(world: UpstreamWorld) -> None:
    world.live().do(world.upstream.step_up())
    world.answer_jwt()
    tracing_id = world.written[-1]["tracingId"]

    body = {"connected": True, "newSession": False, "clearedExistingSession": True}
    told = world.push("SessionResponse", body, tracingId=tracing_id)
    sign_in = {"eventType": "Presence", "presence": {"type": "SignIn"}}
    event = {"type": "Event", "direction": "Inbound", "id": "x", "events": [sign_in]}
    seen = world.push("StructuredMessage", event)

    assert told == [SteppedUp(cleared_existing=True)]
    assert isinstance(seen[0], Event)


def test_a_step_up_survives_a_cut(world: UpstreamWorld) -> None:
    world.live().do(world.upstream.step_up())
    world.answer_jwt()
    world.cut(heard=1)
    world.settle()

    assert world.told(SteppedUp)
    assert world.genesys.signed_in


def test_a_step_up_before_the_session_is_open_follows_it(world: UpstreamWorld) -> None:
    world.do(world.upstream.start())
    world.dial()

    world.do(world.upstream.step_up())
    world.settle()

    assert world.told(Ready) == [Ready(new_session=True, authenticated=False)]
    assert world.told(SteppedUp)
    assert len(world.told(Connect)) == 1


@pytest.mark.parametrize("refused", [True, False])
def test_a_failed_step_up_leaves_the_guest_where_he_was(
    world: UpstreamWorld, refused: bool
) -> None:
    world.live().do(world.upstream.step_up())

    world.do(world.upstream.jwt_failed(refused=refused))
    world.send("still here", "t-1")
    world.quiet()

    assert world.told(StepUpFailed) == [StepUpFailed(refused=refused)]
    assert world.delivered == ["t-1"]
    assert world.last_word is None


def test_an_exchange_that_never_answers_is_a_failed_step_up(world: UpstreamWorld) -> None:
    world.live().do(world.upstream.step_up())

    world.wait(world.policy.jwt_patience)

    assert world.told(StepUpFailed) == [StepUpFailed(refused=False)]
    assert world.socket
