"""What reaches Genesys and what the page is told: a test for each rule and each old fault."""

import json
from datetime import timedelta
from typing import Any

import pytest
from conversation_rig import LIFETIME, SEALED_ID, ConversationRig, conversation_rig
from frame_page import text_message, typing
from msgspec import Raw

from bff.guests.conversation_acts import (
    CloseConnection,
    Delivered,
    Ended,
    EventCame,
    OpeningRefused,
    OpenSession,
)
from bff.guests.conversation_stages import ConversationPolicy, Stage
from bff.guests.frame_errors import SENTENCES, FrameCode, GuestEnd
from bff.guests.frame_faults import FaultLimits
from bff.guests.session_pace import FrameKind

SECOND = timedelta(seconds=1)


@pytest.fixture
def rig() -> ConversationRig:
    return conversation_rig()


@pytest.fixture
def open_rig(rig: ConversationRig) -> ConversationRig:
    rig.open()
    return rig


def codes(frames: list[dict[str, Any]]) -> list[str]:
    return [frame.get("code", frame["type"]) for frame in frames]


# Opening


def test_an_init_asks_for_a_session_and_answers_when_it_is_there(rig: ConversationRig) -> None:
    (asked,) = rig.talk.receive(rig.page.init(deviceId="d", profile={"plan": "gold"}))
    assert isinstance(asked, OpenSession)
    assert (asked.device_id, asked.profile) == ("d", {"plan": "gold"})

    (created,) = rig.hear(rig.opened(resumed=True))

    assert created["type"] == "session_created"
    assert created["guestId"] == "guest-1"
    assert created["encryptedSessionId"] == SEALED_ID
    assert created["resumed"] is True
    assert created["expiresAt"] == (rig.clock.now() + LIFETIME).isoformat()
    assert {"connection", "publicKey", "salt"} < created.keys()
    assert "token" not in created


def test_a_session_to_continue_is_handed_on_and_never_opened_here(rig: ConversationRig) -> None:
    (asked,) = rig.talk.receive(rig.page.init(encryptedSessionId="sealed"))

    assert isinstance(asked, OpenSession)
    assert asked.encrypted_session_id == "sealed"


def test_a_bad_public_key_asks_for_nothing(rig: ConversationRig) -> None:
    raw = json.dumps({"type": "init", "payload": {"publicKey": "A" * 87}}).encode()

    assert codes(rig.receive(raw)) == ["public_key_refused"]
    assert rig.talk.stage is Stage.NEW


def test_a_second_init_is_refused_while_opening_and_after(rig: ConversationRig) -> None:
    rig.receive(rig.page.init())
    while_opening = rig.receive(rig.page.init())
    rig.hear(rig.opened())

    after = rig.receive(rig.page.init())

    assert codes(while_opening) == codes(after) == ["already_started"]


def test_a_session_that_cannot_be_had_leaves_the_connection_for_another_try(
    rig: ConversationRig,
) -> None:
    rig.receive(rig.page.init(encryptedSessionId="stolen"))

    (told,) = rig.hear(OpeningRefused(code=FrameCode.SESSION_UNKNOWN))

    assert told["code"] == "session_unknown"
    assert rig.open()["type"] == "session_created"


def test_a_refusal_to_open_says_when_to_come_back(rig: ConversationRig) -> None:
    rig.receive(rig.page.init())

    (told,) = rig.hear(OpeningRefused(code=FrameCode.RATE_LIMITED, retry_after=6 * SECOND))

    assert (told["code"], told["retryAfter"]) == ("rate_limited", 6)


@pytest.mark.parametrize("opening", [False, True])
def test_nothing_is_said_before_there_is_a_session(rig: ConversationRig, opening: bool) -> None:
    if opening:
        rig.receive(rig.page.init())

    (told,) = rig.receive(rig.page.message())

    assert (told["code"], told["seq"]) == ("not_started", 1)
    assert rig.sent == []


# M6, M7: what was wrong with the published middleware


def test_a_valid_frame_is_taken(open_rig: ConversationRig) -> None:
    """The inverted comparison refused every valid frame."""
    (told,) = open_rig.receive(open_rig.page.message(text_message("hello")))

    assert told == {"type": "message_accepted", "seq": 1}
    assert open_rig.sent == [{"type": "Text", "text": "hello"}]


@pytest.mark.parametrize("signature", ["", "A" * 43, "A" * 8, "A" * 86, "ü" * 43, "A" * 60_000])
def test_a_forged_frame_is_refused(open_rig: ConversationRig, signature: str) -> None:
    """The inverted comparison took every forged frame, and threw on another length."""
    (told,) = open_rig.receive(open_rig.page.message(signature=signature))

    assert (told["code"], told["seq"]) == ("signature_wrong", 1)
    assert open_rig.sent == []


def test_a_frame_whose_body_was_changed_is_refused(open_rig: ConversationRig) -> None:
    """The signature covered `token + sessionId`, and no body."""
    told = open_rig.receive(open_rig.page.message(payload=text_message("send the money to Eve")))
    assert codes(told) == ["message_accepted"]
    signed = json.loads(open_rig.page.message(text_message("send the money to Amira")))

    signed["payload"] = text_message("send the money to Mallory")
    told = open_rig.receive(json.dumps(signed).encode())

    assert codes(told) == ["signature_wrong"]
    assert len(open_rig.sent) == 1


def test_a_frame_that_comes_again_is_refused(open_rig: ConversationRig) -> None:
    """Whatever was recorded could be sent again, for ever."""
    frame = open_rig.page.message()
    open_rig.receive(frame)

    (told,) = open_rig.receive(frame)

    assert (told["code"], told["seq"], told["expected"]) == ("sequence_replayed", 1, 2)
    assert len(open_rig.sent) == 1


def test_a_frame_of_another_connection_is_refused() -> None:
    recorded, other = conversation_rig(), conversation_rig()
    recorded.open()
    other.open()

    told = other.receive(recorded.page.message())

    assert codes(told) == ["signature_wrong"]
    assert other.sent == []


def test_a_frame_of_another_session_is_refused(open_rig: ConversationRig) -> None:
    (told,) = open_rig.receive(open_rig.page.message(sessionId="c29tZWJvZHktZWxzZQ"))

    assert (told["code"], told["seq"]) == ("session_foreign", 1)
    assert open_rig.sent == []


def test_the_words_of_an_exception_never_reach_the_page(open_rig: ConversationRig) -> None:
    """The published server sent `error.message` of whatever was thrown."""
    open_rig.pace.away = True
    junk = [b"\xff", b"{", b"{}", open_rig.page.message(seq=0), open_rig.page.message()]

    told = [frame for raw in junk for frame in open_rig.receive(raw)]

    assert len(told) == 5
    for frame in told:
        assert frame["message"] == SENTENCES[FrameCode(frame["code"])]


# Order


def test_a_gap_is_told_with_the_number_that_should_have_come(open_rig: ConversationRig) -> None:
    (told,) = open_rig.receive(open_rig.page.message(seq=3))

    assert (told["code"], told["seq"], told["expected"]) == ("sequence_gap", 3, 1)
    assert open_rig.sent == []


def test_frames_that_change_places_are_not_put_right_in_silence(open_rig: ConversationRig) -> None:
    first, second = open_rig.page.message(), open_rig.page.message()

    told = open_rig.receive(second) + open_rig.receive(first) + open_rig.receive(second)

    assert codes(told) == ["sequence_gap", "message_accepted", "message_accepted"]


def test_a_forged_frame_costs_the_page_no_number(open_rig: ConversationRig) -> None:
    open_rig.receive(open_rig.page.message(seq=1, signature="A" * 43))

    assert codes(open_rig.receive(open_rig.page.message(seq=1))) == ["message_accepted"]


def test_a_message_that_is_wrong_for_ever_has_had_its_turn(open_rig: ConversationRig) -> None:
    wrong = open_rig.receive(open_rig.page.message(text_message("x" * 4097)))

    after = open_rig.receive(open_rig.page.message())

    assert codes(wrong) == ["text_too_long"]
    assert wrong[0]["seq"] == 1
    assert after == [{"type": "message_accepted", "seq": 2}]


# Limits


def test_what_the_limits_refuse_is_named_and_welcome_later(open_rig: ConversationRig) -> None:
    frames = [open_rig.page.message(text_message(str(number))) for number in range(3)]
    open_rig.pace.wait = timedelta(milliseconds=1500)
    refused, *behind = [told for frame in frames for told in open_rig.receive(frame)]

    open_rig.pace.wait = None
    again = [told for frame in frames for told in open_rig.receive(frame)]

    assert (refused["code"], refused["seq"], refused["retryAfter"]) == ("rate_limited", 1, 1.5)
    assert codes(behind) == ["sequence_gap"] * 2
    assert [frame["expected"] for frame in behind] == [1, 1]
    assert codes(again) == ["message_accepted"] * 3
    assert [message["text"] for message in open_rig.sent] == ["0", "1", "2"]


def test_typing_is_counted_apart(open_rig: ConversationRig) -> None:
    open_rig.receive(open_rig.page.message(typing()))
    open_rig.receive(open_rig.page.message())

    assert open_rig.pace.asked == [FrameKind.TYPING, FrameKind.MESSAGE]


def test_refused_frames_are_not_counted(open_rig: ConversationRig) -> None:
    open_rig.receive(open_rig.page.message(seq=1, signature="A" * 43))
    open_rig.receive(open_rig.page.message(seq=2))
    open_rig.receive(open_rig.page.message("{}", seq=1))

    assert open_rig.pace.asked == []


def test_a_store_that_is_away_loses_nothing(open_rig: ConversationRig) -> None:
    frame = open_rig.page.message()
    open_rig.pace.away = True
    (told,) = open_rig.receive(frame)

    open_rig.pace.away = False

    assert (told["code"], told["seq"], told["retryAfter"]) == ("service_unavailable", 1, 1)
    assert codes(open_rig.receive(frame)) == ["message_accepted"]


def test_messages_without_an_echo_are_bounded() -> None:
    rig = conversation_rig(policy=ConversationPolicy(max_in_flight=2))
    rig.open()
    for _ in range(2):
        rig.receive(rig.page.message())

    frame = rig.page.message()
    (told,) = rig.receive(frame)
    rig.hear(Delivered(tracing_id=rig.upstream[0].tracing_id))

    assert (told["code"], told["seq"], told["retryAfter"]) == ("too_many_in_flight", 3, 1)
    assert codes(rig.receive(frame)) == ["message_accepted"]
    assert rig.talk.in_flight == 2


def test_signs_of_typing_wait_for_no_echo(open_rig: ConversationRig) -> None:
    open_rig.receive(open_rig.page.message(typing()))

    assert open_rig.talk.in_flight == 0
    assert open_rig.upstream[0].tracked is False


# Faults


def test_twenty_wrong_signatures_close_the_connection_and_not_the_session(
    open_rig: ConversationRig,
) -> None:
    frame = open_rig.page.message(signature="A" * 43)
    for _ in range(19):
        assert codes(open_rig.receive(frame)) == ["signature_wrong"]

    acts = open_rig.talk.receive(frame)

    assert codes(open_rig.told(acts)) == ["signature_wrong", "too_many_faults"]
    assert open_rig.wants(acts) == [CloseConnection(code=1008, reason="too_many_faults")]
    assert open_rig.talk.stage is Stage.CLOSED


def test_a_closed_connection_says_and_sends_nothing_more() -> None:
    rig = conversation_rig(policy=ConversationPolicy(faults=FaultLimits(all=1)))
    rig.open()
    rig.receive(b"junk")

    acts = (
        rig.talk.receive(rig.page.message()),
        rig.talk.refuse(FrameCode.FRAME_NOT_TEXT),
        rig.talk.hear(EventCame(body=Raw(b"{}"))),
        rig.talk.hear(Ended(reason=GuestEnd.SIGNED_OUT)),
        rig.talk.look_at_clock(),
    )

    assert acts == ((), (), (), (), ())


def test_a_hundred_faults_of_any_kind_close_the_connection(rig: ConversationRig) -> None:
    told = [frame for _ in range(100) for frame in rig.receive(b"junk")]

    assert codes(told) == ["frame_malformed"] * 100 + ["too_many_faults"]


def test_what_an_honest_page_meets_is_no_fault() -> None:
    rig = conversation_rig(policy=ConversationPolicy(faults=FaultLimits(forgeries=1, all=1)))
    rig.open()
    long = text_message("x" * 4097)
    assert codes(rig.receive(rig.page.message(long))) == ["text_too_long"]
    rig.pace.wait = SECOND
    assert codes(rig.receive(rig.page.message())) == ["rate_limited"]
    assert codes(rig.receive(rig.page.message())) == ["sequence_gap"]

    assert rig.talk.stage is Stage.OPEN


def test_the_shell_can_refuse_what_it_did_not_even_read(open_rig: ConversationRig) -> None:
    told = open_rig.told(open_rig.talk.refuse(FrameCode.FRAME_TOO_LARGE))

    assert codes(told) == ["frame_too_large"]
