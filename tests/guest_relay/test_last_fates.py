"""Whoever ends a session: what became of each accepted message is told before `session_ended`."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relay_rig import RelayRig

from bff.guests.frame_errors import FrameCode, GuestEnd
from bff.guests.guest_tasks import EndGuest, GuestGone

End = Callable[[RelayRig], None]


def the_page(rig: RelayRig) -> None:
    rig.relay.page_sent(rig.page.end())


def the_sign_out(rig: RelayRig) -> None:
    rig.relay.heard_of_session(GuestEnd.SIGNED_OUT)


def the_operator(rig: RelayRig) -> None:
    rig.relay.heard_of_session(GuestEnd.REVOKED)


def another_tab(rig: RelayRig) -> None:
    rig.relay.heard_of_session(GuestEnd.ENDED)


def the_desk(rig: RelayRig) -> None:
    rig.relay.heard_of_session(None)
    rig.relay.answered(GuestGone(reason=GuestEnd.EXPIRED))


def the_clock(rig: RelayRig) -> None:
    # Messages that were said a moment before their session's last one.
    rig.clock.advance(rig.relay._conversation.expires_at - rig.clock.now())
    rig.relay.page_sent(rig.page.message(seq=99))


def genesys(rig: RelayRig) -> None:
    rig.genesys("SessionExpiredEvent", {})


def genesys_closes_the_conversation(rig: RelayRig) -> None:
    event = {"eventType": "Presence", "presence": {"type": "Disconnect"}}
    body = {"type": "Event", "direction": "Outbound", "id": "i", "events": [event]}
    rig.genesys("StructuredMessage", {**body, "metadata": {"readOnly": "true"}})


OURS = [the_page, the_sign_out, the_operator, another_tab, the_desk, the_clock]
THEIRS = [genesys, genesys_closes_the_conversation]


def talking(messages: int) -> RelayRig:
    rig = RelayRig().live()
    for number in range(messages):
        rig.say(f"line {number}")
    return rig


def echo(rig: RelayRig) -> bool:
    """Let Genesys hear what was said last, if it was not heard yet."""
    said = [one for one in rig.said if one["action"] == "onMessage"]
    heard = sum(kind == "message_delivered" for kind in rig.kinds)
    if len(said) == heard:
        return False
    body = {**said[-1]["message"], "direction": "Inbound", "id": f"i-{len(said)}"}
    rig.genesys("StructuredMessage", body, tracingId=said[-1]["tracingId"])
    return True


def fates(rig: RelayRig) -> list[tuple[str, int]]:
    told = [frame for frame in rig.told if frame["type"] in {"message_delivered", "error"}]
    return [(f.get("code", f["type"]), f["seq"]) for f in told if f.get("seq") != 99]


@pytest.mark.parametrize("end", OURS)
def test_what_is_heard_after_the_end_is_told_before_the_last_word(end: End) -> None:
    rig = talking(3)
    end(rig)
    assert rig.page_is_here
    assert rig.wanted(EndGuest), "the session itself ends at once"

    while echo(rig):
        pass

    assert fates(rig) == [("message_delivered", seq) for seq in (1, 2, 3)]
    assert rig.kinds[-2:] == ["message_delivered", "session_ended"]
    assert rig.closed == (1000, rig.told[-1]["reason"])
    # Genesys ends it for all tabs: who has not ended it leaves the others their time.
    if end not in {the_page, the_clock}:
        assert rig.said[-1]["action"] == "onMessage"
        rig.pass_time(5)
    assert rig.said[-1]["action"] == "closeSession"


def test_a_drain_leaves_no_time_for_other_tabs() -> None:
    rig = RelayRig().live()
    the_sign_out(rig)
    assert rig.said[-1]["action"] != "closeSession"
    rig.relay.drain()
    assert rig.said[-1]["action"] == "closeSession"


@pytest.mark.parametrize("end", OURS)
def test_what_nobody_knows_after_five_seconds_is_told_so(end: End) -> None:
    rig = talking(3)
    end(rig)
    echo(rig)
    rig.pass_time(4.9)
    assert rig.page_is_here
    rig.pass_time(0.1)

    unknown = [("delivery_unknown", 2), ("delivery_unknown", 3)]
    assert fates(rig) == [("message_delivered", 1), *unknown]
    assert rig.kinds[-1] == "session_ended"
    assert rig.closed == (1000, rig.told[-1]["reason"])


@pytest.mark.parametrize("end", THEIRS)
def test_where_genesys_ends_it_each_fate_is_told_at_once(end: End) -> None:
    rig = talking(3)
    echo(rig)
    end(rig)

    # The second was under way, the third had never left.
    refused = [("delivery_unknown", 2), ("message_refused", 3)]
    assert fates(rig) == [("message_delivered", 1), *refused]
    assert rig.kinds[-1] == "session_ended"


@pytest.mark.parametrize("end", OURS)
@pytest.mark.parametrize("then", [*THEIRS, "displaced", "drain"])
def test_what_comes_while_it_ends_is_the_end_of_waiting(end: End, then: End | str) -> None:
    rig = talking(2)
    end(rig)
    if then == "displaced":
        rig.genesys("ConnectionClosedEvent", {"reason": "signedIn"})
    elif then == "drain":
        rig.relay.drain()
        rig.pass_time(5)
    elif callable(then):
        then(rig)

    assert [seq for _, seq in fates(rig)] == [1, 2]
    assert rig.kinds[-1] == "session_ended"
    assert rig.closed == (1000, rig.told[-1]["reason"])


@pytest.mark.parametrize("end", OURS)
def test_nothing_else_is_told_or_taken_while_it_ends(end: End) -> None:
    rig = talking(1)
    end(rig)
    told, said = len(rig.told), len(rig.said)
    late = {"type": "Text", "text": "too late", "direction": "Outbound", "id": "o-9"}
    rig.genesys("StructuredMessage", late)
    rig.say("and I")
    rig.init()
    rig.relay.heard_of_session(GuestEnd.REVOKED)

    assert [frame["code"] for frame in rig.told[told:]] == ["session_over"] * 2
    assert len(rig.said) == said
    rig.wanted(EndGuest)


def test_a_page_that_leaves_while_it_ends_leaves_the_end_to_us() -> None:
    rig = talking(2)
    the_page(rig)
    rig.relay.page_gone()
    told = len(rig.told)
    while echo_unseen(rig):
        pass

    assert len(rig.told) == told
    assert rig.said[-1]["action"] == "closeSession"


def echo_unseen(rig: RelayRig) -> bool:
    last = rig.said[-1]
    if last["action"] != "onMessage":
        return False
    body = {**last["message"], "direction": "Inbound", "id": last["tracingId"]}
    rig.genesys("StructuredMessage", body, tracingId=last["tracingId"])
    return True


@given(
    messages=st.integers(1, 5),
    before=st.integers(0, 5),
    after=st.integers(0, 5),
    end=st.sampled_from([*OURS, *THEIRS]),
    paused=st.booleans(),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_every_accepted_message_has_one_fate_before_the_last_word(
    messages: int, before: int, after: int, end: End, *, paused: bool
) -> None:
    rig = talking(messages)
    for _ in range(before):
        echo(rig)
    end(rig)
    if paused and rig.page_is_here:
        rig.relay.genesys_closed()
    for _ in range(after):
        if rig.page_is_here and not paused:
            echo(rig)
    rig.pass_time(5)

    accepted = [frame["seq"] for frame in rig.told if frame["type"] == "message_accepted"]
    assert [seq for _, seq in fates(rig)] == accepted == list(range(1, messages + 1))
    assert rig.kinds.count("session_ended") == 1
    assert rig.kinds[-1] == "session_ended"


def test_an_end_with_nothing_under_way_waits_for_nothing() -> None:
    rig = RelayRig().live()
    rig.relay.page_sent_badly(FrameCode.FRAME_NOT_TEXT)
    the_page(rig)

    assert rig.closed == (1000, "ended")
    assert rig.relay.wake_at is not None
    assert rig.relay.wake_at - rig.clock.now() > timedelta(seconds=0)
