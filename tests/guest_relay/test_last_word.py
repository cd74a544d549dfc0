"""`session_ended` is the last frame of a page, whatever is still on its way to it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec import Raw
from relay_rig import RelayRig

from bff.guests.conversation_acts import EndSession
from bff.guests.frame_errors import FrameCode, GuestEnd
from bff.guests.frames import EventPushed, SessionEnded, SessionPaused
from bff.guests.guest_tasks import (
    GuestExtended,
    GuestForgotten,
    GuestGone,
    GuestNotOwned,
    GuestStillThere,
)

AGENT = {"type": "Text", "text": "are you there?", "direction": "Outbound", "id": "o-1"}


def genesys_ends(rig: RelayRig) -> None:
    rig.genesys("SessionExpiredEvent", {})


def the_desk_knows_no_session(rig: RelayRig) -> None:
    rig.relay.heard_of_session(None)
    rig.relay.answered(GuestGone(reason=GuestEnd.EXPIRED))


def the_page_ends(rig: RelayRig) -> None:
    rig.relay.page_sent(rig.page.end())


def nobody_uses_it(rig: RelayRig) -> None:
    rig.clock.advance(timedelta(hours=2))
    rig.relay.tick()


def everything_that_may_be_late(rig: RelayRig) -> None:
    expires_at = rig.clock.now() + timedelta(hours=1)
    rig.genesys("StructuredMessage", AGENT)
    said = next(one for one in rig.said if one["action"] == "onMessage")
    echo = {**said["message"], "direction": "Inbound", "id": "i-1"}
    rig.genesys("StructuredMessage", echo, tracingId=said["tracingId"])
    rig.relay.answered(GuestExtended(encrypted_session_id="c2VhbGVk", expires_at=expires_at))
    rig.relay.answered(GuestNotOwned(retry_after=timedelta(seconds=2)))
    rig.relay.answered(GuestStillThere())
    rig.relay.answered(GuestForgotten())
    rig.relay.answered(rig.opened())
    rig.relay.heard_of_session(GuestEnd.SIGNED_OUT)
    rig.relay.heard_of_session(None)
    rig.relay.page_sent_badly(FrameCode.FRAME_NOT_TEXT)
    rig.say("too late")
    rig.pass_time(60)
    rig.relay.genesys_closed()
    rig.relay.drain()
    rig.relay.page_gone()


@pytest.mark.parametrize(
    "end", [genesys_ends, the_desk_knows_no_session, the_page_ends, nobody_uses_it]
)
def test_nothing_that_comes_late_is_told_after_the_end(end: Callable[[RelayRig], None]) -> None:
    rig = RelayRig().live()
    rig.say("hello")
    rig.genesys("StructuredMessage", {**AGENT, "id": "o-0"})
    end(rig)
    # Nobody says what became of the message; that is told at last.
    rig.pass_time(5)
    told = list(rig.told)
    assert [frame.get("seq") for frame in told[1:-1] if frame["type"] != "event"] == [1, 1]
    assert told[-1]["type"] == "session_ended"
    assert rig.closed == (1000, told[-1]["reason"])
    everything_that_may_be_late(rig)
    assert rig.told == told


def test_the_way_to_the_page_is_shut_by_the_last_word_itself() -> None:
    rig = RelayRig().live()
    ended = SessionEnded(reason=GuestEnd.EXPIRED)
    event = EventPushed(body=Raw(b'{"text":"one more"}'))
    # Not what a conversation says: the relay does not rely on that.
    rig.relay._do((ended, event, SessionPaused(), EndSession(reason=GuestEnd.EXPIRED)))
    assert rig.kinds == ["session_created", "session_ended"]
    assert rig.closed == (1000, "expired")
