"""How long a conversation lives, what Genesys says in it, and whose it is."""

from datetime import timedelta
from typing import Any

import pytest
from conversation_rig import LIFETIME, ConversationRig, conversation_rig
from frame_page import FramePage, text_message
from msgspec import Raw

from bff.guests.conversation_acts import (
    Delivered,
    Ended,
    EndSession,
    EventCame,
    Extended,
    ExtendSession,
    NotDelivered,
    Paused,
    PersonSignedIn,
    Resumed,
    SteppedUp,
    StepUp,
    StepUpFailed,
)
from bff.guests.conversation_stages import Stage
from bff.guests.frame_errors import GuestEnd

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


# The end


def test_the_page_ends_the_session(open_rig: ConversationRig) -> None:
    acts = open_rig.talk.receive(open_rig.page.end())

    assert open_rig.told(acts) == [{"type": "session_ended", "reason": "ended"}]
    assert open_rig.wants(acts) == [EndSession(reason=GuestEnd.ENDED)]


def test_an_end_must_be_signed_as_one(open_rig: ConversationRig) -> None:
    as_message = open_rig.page.sign(1, "")

    told = open_rig.receive(open_rig.page.end(seq=1, signature=as_message))

    assert codes(told) == ["signature_wrong"]
    assert open_rig.talk.stage is Stage.OPEN


def test_an_end_has_its_place_in_the_order(open_rig: ConversationRig) -> None:
    assert codes(open_rig.receive(open_rig.page.end(seq=2))) == ["sequence_gap"]
    assert codes(open_rig.receive(open_rig.page.end(seq=1))) == ["session_ended"]


def test_after_the_end_everything_has_one_answer(open_rig: ConversationRig) -> None:
    open_rig.receive(open_rig.page.end())

    told = [
        *open_rig.receive(open_rig.page.message()),
        *open_rig.receive(open_rig.page.end()),
        *open_rig.receive(FramePage().init()),
    ]

    assert codes(told) == ["session_over"] * 3
    assert [frame.get("seq") for frame in told] == [2, 3, None]
    assert open_rig.hear(EventCame(body=Raw(b"{}"))) == []
    assert open_rig.sent == []


def test_a_late_frame_is_told_so_and_ends_the_session(open_rig: ConversationRig) -> None:
    open_rig.clock.advance(LIFETIME)

    acts = open_rig.talk.receive(open_rig.page.message())

    assert codes(open_rig.told(acts)) == ["session_expired", "session_ended"]
    assert open_rig.wants(acts) == [EndSession(reason=GuestEnd.EXPIRED)]
    assert codes(open_rig.receive(open_rig.page.message())) == ["session_over"]


def test_a_frame_just_before_the_end_is_taken(open_rig: ConversationRig) -> None:
    open_rig.clock.advance(LIFETIME - timedelta(microseconds=1))

    assert codes(open_rig.receive(open_rig.page.message())) == ["message_accepted"]


def test_a_silent_session_ends_by_the_clock(open_rig: ConversationRig) -> None:
    assert open_rig.talk.look_at_clock() == ()
    open_rig.clock.advance(LIFETIME)

    told = open_rig.told(open_rig.talk.look_at_clock())

    assert told == [{"type": "session_ended", "reason": "expired"}]
    assert open_rig.talk.look_at_clock() == ()


@pytest.mark.parametrize("reason", list(GuestEnd))
def test_the_page_is_told_why_the_session_ended(
    open_rig: ConversationRig, reason: GuestEnd
) -> None:
    (told,) = open_rig.hear(Ended(reason=reason))

    assert told == {"type": "session_ended", "reason": reason.value}


# A life that goes on


def test_a_session_in_use_lives_on_with_few_writes(open_rig: ConversationRig) -> None:
    extensions = 0
    for _ in range(120):  # an hour and a half, a message every 45 seconds
        open_rig.clock.advance(timedelta(seconds=45))
        acts = open_rig.talk.receive(open_rig.page.message())
        assert codes(open_rig.told(acts)) == ["message_accepted"]
        open_rig.hear(Delivered(tracing_id=open_rig.upstream[-1].tracing_id))
        if any(isinstance(act, ExtendSession) for act in acts):
            extensions += 1
            until = open_rig.clock.now() + LIFETIME
            open_rig.hear(Extended(encrypted_session_id="fresh", expires_at=until))

    assert extensions == 5400 // 315  # every seventh message is the first after five minutes


def test_the_page_gets_a_fresh_id_to_come_back_with(open_rig: ConversationRig) -> None:
    until = open_rig.clock.now() + 2 * LIFETIME

    (told,) = open_rig.hear(Extended(encrypted_session_id="fresh", expires_at=until))

    assert told == {
        "type": "session_renewed",
        "encryptedSessionId": "fresh",
        "expiresAt": until.isoformat(),
    }


def test_a_rotation_of_keys_does_not_disturb_a_conversation(open_rig: ConversationRig) -> None:
    """Frames of a connection keep the id that it began with, whatever seals a new one."""
    until = open_rig.clock.now() + LIFETIME
    open_rig.hear(Extended(encrypted_session_id="sealed by the next key", expires_at=until))

    assert codes(open_rig.receive(open_rig.page.message())) == ["message_accepted"]


def test_what_the_agent_says_keeps_the_session_alive_as_well(open_rig: ConversationRig) -> None:
    open_rig.clock.advance(LIFETIME / 2)

    acts = open_rig.talk.hear(EventCame(body=Raw(b'{"text":"hi"}')))

    assert open_rig.wants(acts) == [ExtendSession()]


def test_a_store_that_is_away_is_not_stormed_with_extensions(open_rig: ConversationRig) -> None:
    open_rig.clock.advance(LIFETIME / 2)
    asked = [open_rig.wants(open_rig.talk.receive(open_rig.page.message())) for _ in range(50)]

    assert sum(isinstance(act, ExtendSession) for acts in asked for act in acts) == 1


# From Genesys


def test_an_echo_says_delivered_once(open_rig: ConversationRig) -> None:
    open_rig.receive(open_rig.page.message())
    echo = Delivered(tracing_id=open_rig.upstream[0].tracing_id, body=Raw(b'{"id":"m"}'))

    (told,) = open_rig.hear(echo)

    assert told == {"type": "message_delivered", "seq": 1, "body": {"id": "m"}}
    assert open_rig.talk.in_flight == 0


def test_an_echo_of_another_tab_is_shown(open_rig: ConversationRig) -> None:
    told = open_rig.hear(Delivered(tracing_id="another.1", body=Raw(b'{"text":"hi"}')))

    assert told == [{"type": "event", "body": {"text": "hi"}}]
    assert open_rig.hear(Delivered(tracing_id="another.2")) == []


def test_tracing_ids_are_of_one_connection_only() -> None:
    rigs = [conversation_rig() for _ in range(2)]
    for rig in rigs:
        rig.open()
        rig.receive(rig.page.message())

    assert rigs[0].upstream[0].tracing_id != rigs[1].upstream[0].tracing_id


def test_the_id_that_the_page_gave_its_message_goes_along(open_rig: ConversationRig) -> None:
    open_rig.receive(open_rig.page.message(text_message(metadata={"id": "m-1"})))

    assert open_rig.upstream[0].message_id == "m-1"


def test_what_genesys_refuses_is_named_by_its_number(open_rig: ConversationRig) -> None:
    open_rig.receive(open_rig.page.message())
    tracing_id = open_rig.upstream[0].tracing_id

    (told,) = open_rig.hear(NotDelivered(tracing_id=tracing_id))

    assert (told["code"], told["seq"]) == ("message_refused", 1)
    assert open_rig.hear(NotDelivered(tracing_id=tracing_id)) == []


def test_an_event_passes_as_genesys_spelled_it(open_rig: ConversationRig) -> None:
    body = '{"text": "caf\u00e9", "n": 1.0}'
    (act,) = open_rig.talk.hear(EventCame(body=Raw(body.encode())))

    spelled = act.spell()  # type: ignore[union-attr]  # a frame, as the next line says

    assert spelled == b'{"type":"event","body":' + body.encode() + b"}"


def test_the_page_sees_a_pause_and_not_a_loss(open_rig: ConversationRig) -> None:
    told = open_rig.hear(Paused()) + open_rig.hear(Paused())
    told += open_rig.receive(open_rig.page.message())

    told += open_rig.hear(Resumed()) + open_rig.hear(Resumed())

    assert codes(told) == ["session_paused", "message_accepted", "session_resumed"]


# Somebody signs in, or is somebody else


def test_an_anonymous_guest_steps_up_without_losing_a_line(open_rig: ConversationRig) -> None:
    open_rig.receive(open_rig.page.message())
    wanted = open_rig.wants(open_rig.talk.hear(PersonSignedIn(person="amira")))
    told = open_rig.receive(open_rig.page.message())

    told += open_rig.hear(SteppedUp(person="amira"))
    told += open_rig.receive(open_rig.page.message())

    assert wanted == [StepUp(person="amira")]
    assert codes(told) == ["message_accepted", "session_authenticated", "message_accepted"]


def test_news_of_the_same_person_changes_nothing(open_rig: ConversationRig) -> None:
    open_rig.hear(PersonSignedIn(person="amira"))

    assert open_rig.talk.hear(PersonSignedIn(person="amira")) == ()


def test_a_step_that_failed_can_be_taken_again(open_rig: ConversationRig) -> None:
    open_rig.hear(PersonSignedIn(person="amira"))
    (told,) = open_rig.hear(StepUpFailed(retry_after=SECOND))

    again = open_rig.wants(open_rig.talk.hear(PersonSignedIn(person="amira")))

    assert (told["code"], told["retryAfter"]) == ("step_up_failed", 1)
    assert again == [StepUp(person="amira")]


@pytest.mark.parametrize("stepped", [False, True])
def test_a_conversation_is_never_carried_over_to_somebody_else(
    rig: ConversationRig, stepped: bool
) -> None:
    rig.open(person=None if stepped else "amira")
    if stepped:
        rig.hear(PersonSignedIn(person="amira"))

    acts = rig.talk.hear(PersonSignedIn(person="ben"))

    assert rig.told(acts) == [{"type": "session_ended", "reason": "somebody_else"}]
    assert rig.wants(acts) == [EndSession(reason=GuestEnd.SOMEBODY_ELSE)]


def test_signing_out_ends_the_session(open_rig: ConversationRig) -> None:
    acts = open_rig.talk.hear(Ended(reason=GuestEnd.SIGNED_OUT))

    assert open_rig.told(acts) == [{"type": "session_ended", "reason": "signed_out"}]
    assert codes(open_rig.receive(open_rig.page.message())) == ["session_over"]


def test_who_signs_out_while_a_session_is_opened_gets_none(rig: ConversationRig) -> None:
    rig.receive(rig.page.init())
    told = rig.hear(Ended(reason=GuestEnd.SIGNED_OUT))

    late = rig.hear(rig.opened())

    assert told == [{"type": "session_ended", "reason": "signed_out"}]
    assert late == []
    assert codes(rig.receive(rig.page.message())) == ["session_over"]
