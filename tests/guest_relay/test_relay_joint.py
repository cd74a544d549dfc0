"""What the relay hands on, between a page that knows its rules and a Genesys that knows others."""

from datetime import timedelta

import pytest
from frame_page import text_message
from relay_rig import RelayRig

from bff.guests.frame_errors import FrameCode, GuestEnd
from bff.guests.guest_tasks import (
    EndGuest,
    ExtendGuest,
    FetchHistory,
    FetchJwt,
    GuestExtended,
    GuestForgotten,
    GuestGone,
    GuestNotOpened,
    GuestNotOwned,
    GuestOwned,
    GuestStillThere,
    JwtHere,
    LookAgain,
    NobodyKnows,
    NoJwt,
    OwnGuest,
)
from bff.guests.upstream_policy import UpstreamPolicy

PERSON = {"person": "amira", "session_key": "key-1"}


def signed_in(rig: RelayRig, **more: object) -> RelayRig:
    until = rig.clock.now() + timedelta(minutes=30)
    return rig.open(**PERSON, owner="amira", signed_in_until=until, **more)


def test_a_page_that_never_says_who_it_is_is_let_go_after_fifteen_seconds() -> None:
    rig = RelayRig()
    rig.pass_time(14)
    assert rig.page_is_here
    rig.pass_time(1)
    assert rig.closed == (1008, "init_expected")
    assert rig.relay.over


def test_who_was_told_to_come_later_has_that_time_and_fifteen_seconds_more() -> None:
    rig = RelayRig()
    rig.init()
    wait = timedelta(seconds=40)
    rig.relay.answered(GuestNotOpened(code=FrameCode.RATE_LIMITED, retry_after=wait))
    assert (rig.told[-1]["code"], rig.told[-1]["retryAfter"]) == ("rate_limited", 40)
    rig.pass_time(50)
    assert rig.page_is_here
    rig.init()
    rig.relay.answered(rig.opened())
    assert rig.kinds[-1] == "session_created"


def test_an_answer_that_comes_after_the_page_has_gone_opens_nothing() -> None:
    rig = RelayRig()
    rig.init()
    rig.relay.page_gone()
    assert not rig.relay.over, "the desk is still at work"
    rig.relay.answered(rig.opened())
    assert (rig.relay.over, rig.dials) == (True, [])


def test_a_message_is_told_accepted_before_anything_is_told_of_its_fate() -> None:
    rig = RelayRig(plan={"upstream": UpstreamPolicy(max_waiting=1)}).open()
    rig.say("fits")
    rig.say("does not fit")
    assert [(f["type"], f.get("seq")) for f in rig.told[1:]] == [
        ("message_accepted", 1),
        ("message_accepted", 2),
        ("error", 2),
    ]
    assert rig.told[-1]["code"] == "message_refused"


def test_who_comes_again_after_exactly_the_time_that_was_told_is_let_in() -> None:
    rig = RelayRig().open()
    for number in range(5):
        rig.say(f"quick {number}")
        rig.clock.advance(timedelta(microseconds=20_120))
    rig.say("a moment too early")
    refused = rig.told[-1]
    # 0.8994 s are left: rounded to the nearest millisecond they would be too few.
    assert (refused["code"], refused["retryAfter"]) == ("rate_limited", 0.9)
    rig.clock.advance(timedelta(seconds=refused["retryAfter"]))
    rig.relay.page_sent(rig.page.message(text_message("a moment too early"), seq=6))
    assert rig.told[-1] == {"type": "message_accepted", "seq": 6}


def test_genesys_being_away_at_first_is_told_as_a_pause() -> None:
    rig = RelayRig().open()
    rig.relay.genesys_closed()
    rig.relay.genesys_opened()
    rig.answer_configure()
    assert rig.kinds == ["session_created", "session_paused", "session_resumed"]


def test_when_genesys_stays_away_nothing_is_told_failed_and_the_page_comes_back_later() -> None:
    rig = RelayRig().open()
    rig.say("kept by the page")
    for _ in range(100):
        rig.pass_time(10)
        rig.relay.genesys_closed()
    assert rig.closed == (1013, "try_again_later")
    assert "error" not in rig.kinds
    assert not any(isinstance(task, EndGuest) for task in rig.tasks)
    assert rig.relay.over


@pytest.mark.parametrize(
    ("name", "body", "closed"),
    [
        ("ConnectionClosedEvent", {}, (4009, "displaced")),
        ("ConnectionClosedEvent", {"reason": "signedIn"}, (4001, "come_back")),
    ],
)
def test_a_connection_that_ends_alone_leaves_its_session(
    name: str, body: dict[str, str], closed: tuple[int, str]
) -> None:
    rig = RelayRig().live()
    rig.genesys(name, body)
    assert rig.closed == closed
    assert "session_ended" not in rig.kinds
    assert not any(isinstance(task, EndGuest) for task in rig.tasks)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SessionExpiredEvent", "expired"),
        ("SessionClearedEvent", "cleared"),
        ("LogoutEvent", "logged_out"),
    ],
)
def test_a_session_that_genesys_ends_is_told_and_its_binding_goes(name: str, reason: str) -> None:
    rig = RelayRig().live()
    rig.genesys(name, {})
    assert rig.told[-1] == {"type": "session_ended", "reason": reason}
    assert rig.closed == (1000, reason)
    assert rig.wanted(EndGuest).reason == GuestEnd(reason)
    rig.relay.answered(GuestForgotten())
    assert rig.relay.over


def test_the_end_closes_the_session_at_genesys_behind_what_was_accepted() -> None:
    rig = RelayRig().live()
    rig.say("last words")
    rig.relay.page_sent(rig.page.end())
    assert rig.page_is_here
    assert [one["action"] for one in rig.said][-1] == "onMessage"
    said = rig.said[-1]
    body = {**said["message"], "direction": "Inbound", "id": "i-1"}
    rig.genesys("StructuredMessage", body, tracingId=said["tracingId"])
    assert [one["action"] for one in rig.said][-1] == "closeSession"
    assert rig.kinds[-2:] == ["message_delivered", "session_ended"]
    assert rig.closed == (1000, "ended")
    rig.relay.page_gone()
    assert [one["action"] for one in rig.said][-1] == "closeSession"


def test_a_drain_before_there_is_a_session_sends_the_page_elsewhere_at_once() -> None:
    rig = RelayRig()
    rig.init()
    rig.relay.drain()
    assert rig.closed == (1012, "restart")


def test_a_drain_reads_no_more_and_finishes_what_was_accepted() -> None:
    rig = RelayRig().live()
    rig.say("accepted")
    rig.relay.drain()
    assert not rig.relay.reading
    rig.say("not read")
    assert rig.page_is_here
    said = rig.said[-1]
    body = {**said["message"], "direction": "Inbound", "id": "i-1"}
    rig.genesys("StructuredMessage", body, tracingId=said["tracingId"])
    assert rig.kinds == ["session_created", "message_accepted", "message_delivered"]
    assert rig.closed == (1012, "restart")


def test_a_session_in_use_is_extended_and_one_that_is_gone_is_told() -> None:
    rig = RelayRig().live()
    rig.clock.advance(timedelta(minutes=6))
    rig.say()
    assert rig.wanted(ExtendGuest).session_id == "session-1"
    later = rig.clock.now() + timedelta(hours=1)
    rig.relay.answered(GuestExtended(encrypted_session_id="bmV3", expires_at=later))
    assert rig.told[-1]["encryptedSessionId"] == "bmV3"
    rig.relay.heard_of_session(None)
    rig.relay.answered(GuestGone(reason=GuestEnd.EXPIRED))
    rig.pass_time(5)
    assert rig.closed == (1000, "expired")


def test_a_signed_in_page_is_watched_and_looked_at_again_after_the_watch_began() -> None:
    rig = signed_in(RelayRig())
    assert rig.watched == ["guest:guest-1", "key-1"]
    assert rig.wanted(LookAgain).session_key == "key-1"


def test_a_guest_who_is_erased_is_told_and_the_page_is_let_go() -> None:
    rig = RelayRig().live()
    assert rig.watched == ["guest:guest-1"]
    rig.relay.heard_of_session(GuestEnd.REVOKED)
    assert rig.told[-1]["type"] == "session_ended"
    assert rig.closed == (1000, "revoked")
    assert rig.wanted(EndGuest).reason is GuestEnd.REVOKED


def test_who_was_erased_before_the_watch_began_is_found_by_looking() -> None:
    rig = RelayRig()
    rig.init()
    rig.tasks.clear()
    rig.relay.answered(rig.opened())
    assert rig.wanted(LookAgain).session_key is None
    rig.relay.answered(GuestGone(reason=GuestEnd.EXPIRED))
    assert rig.closed == (1000, "expired")


def test_a_sign_in_that_runs_out_is_looked_for_when_it_should_have() -> None:
    rig = signed_in(RelayRig())
    rig.tasks.clear()
    soon = rig.clock.now() + timedelta(minutes=10)
    rig.relay.answered(GuestStillThere(signed_in_until=soon))
    rig.pass_time(599)
    assert not any(isinstance(task, LookAgain) for task in rig.tasks)
    rig.pass_time(1)
    look = rig.wanted(LookAgain)
    rig.tasks.clear()
    rig.relay.answered(NobodyKnows(task=look, retry_after=timedelta(seconds=1)))
    rig.pass_time(5)
    assert rig.wanted(LookAgain) == look, "an outage of the store ends nobody's chat"


def test_the_binding_is_given_to_the_person_before_genesys_is_told() -> None:
    rig = RelayRig().live(**PERSON)
    assert rig.wanted(OwnGuest).person == "amira"
    assert not any(isinstance(task, FetchJwt) for task in rig.tasks)
    rig.relay.answered(GuestOwned(person="amira"))
    assert rig.wanted(FetchJwt).session_key == "key-1"
    rig.relay.answered(JwtHere(jwt="jwt-1"))
    assert rig.said[-1]["action"] == "configureAuthenticatedSession"
    assert rig.said[-1]["data"] == {"code": "jwt-1"}
    rig.answer_configure()
    assert rig.kinds[-1] == "session_authenticated"


def test_a_session_that_could_not_be_given_to_the_person_goes_on() -> None:
    rig = RelayRig().live(**PERSON)
    rig.relay.answered(GuestNotOwned(retry_after=timedelta(seconds=2)))
    assert (rig.told[-1]["code"], rig.told[-1]["retryAfter"]) == ("step_up_failed", 2)
    rig.say("still here")
    assert rig.said[-1]["action"] == "onMessage"


def test_a_jwt_that_genesys_refused_is_named_when_the_next_is_asked_for() -> None:
    rig = signed_in(RelayRig())
    rig.relay.genesys_opened()
    assert rig.wanted(FetchJwt).refused is None
    rig.tasks.clear()
    rig.relay.answered(JwtHere(jwt="old"))
    unauthorized = {"type": "response", "code": 401, "tracingId": rig.said[-1]["tracingId"]}
    rig.genesys("string", "User is unauthorized", **unauthorized)
    assert rig.wanted(FetchJwt).refused == "old"
    rig.relay.answered(NoJwt(refused=True))
    assert rig.closed == (1000, "signed_out")


def test_the_tokens_of_somebody_who_signed_out_are_forgotten_with_the_session() -> None:
    rig = signed_in(RelayRig())
    rig.relay.heard_of_session(GuestEnd.SIGNED_OUT)
    ended = rig.wanted(EndGuest)
    assert (ended.session_key, ended.reason) == ("key-1", GuestEnd.SIGNED_OUT)


def test_another_sign_in_in_the_same_browser_sends_the_page_back_and_ends_nothing() -> None:
    rig = signed_in(RelayRig())
    rig.relay.heard_of_session(GuestEnd.SOMEBODY_ELSE)
    assert rig.closed == (4001, "come_back")
    assert not any(isinstance(task, EndGuest) for task in rig.tasks)


def test_history_is_asked_for_where_the_session_is_not_new() -> None:
    rig = RelayRig().open(resumed=True)
    rig.relay.genesys_opened()
    asked = rig.said[-1]
    body = {"connected": True, "newSession": False, "readOnly": False}
    rig.genesys("SessionResponse", body, type="response", tracingId=asked["tracingId"])
    assert rig.said[-1]["action"] == "getJwt"
    jwt = {"jwt": "for-history", "exp": 60}
    rig.genesys("JwtResponse", jwt, type="response", tracingId=rig.said[-1]["tracingId"])
    assert rig.wanted(FetchHistory).jwt == "for-history"


def test_an_end_that_nobody_could_do_is_tried_until_it_is_done() -> None:
    rig = RelayRig().live()
    rig.relay.page_sent(rig.page.end())
    end = rig.wanted(EndGuest)
    assert end.guest_id == "guest-1"
    rig.genesys("SessionClearedEvent", {})
    rig.relay.page_gone()
    for _ in range(3):
        rig.tasks.clear()
        rig.relay.answered(NobodyKnows(task=end, retry_after=timedelta(seconds=2)))
        assert not rig.relay.over, "it would be forgotten with the relay"
        rig.pass_time(6)
        assert rig.wanted(EndGuest) == end
    rig.relay.answered(GuestForgotten())
    assert rig.relay.over


def test_a_process_that_leaves_tries_an_end_once_more_and_does_not_wait_for_ever() -> None:
    rig = RelayRig().live()
    rig.relay.page_sent(rig.page.end())
    end = rig.wanted(EndGuest)
    rig.genesys("SessionClearedEvent", {})
    rig.relay.page_gone()
    rig.relay.answered(NobodyKnows(task=end, retry_after=timedelta(seconds=2)))
    rig.tasks.clear()
    rig.relay.drain()
    assert rig.wanted(EndGuest) == end
    rig.relay.answered(NobodyKnows(task=end, retry_after=timedelta(seconds=2)))
    assert rig.relay.over
