"""Any sequence of frames, good and bad, against a model that fits on one page."""

import json
from datetime import timedelta

from conversation_rig import LIFETIME, ConversationRig, conversation_rig
from frame_page import text_message, typing
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bff.guests.conversation_acts import Delivered, Intent, SendUpstream
from bff.guests.conversation_stages import ConversationPolicy, Stage
from bff.guests.frame_faults import FaultLimits
from bff.guests.frames import ServerFrame

MAX_IN_FLIGHT = 3
FAULTS = FaultLimits(forgeries=6, all=12)
CUTS = st.integers(min_value=1, max_value=60)


class AnyOrder(RuleBasedStateMachine):
    """`due` is what Genesys must have got so far; `last` is the last number that was spent."""

    def __init__(self) -> None:
        super().__init__()
        self.rig: ConversationRig = conversation_rig(
            policy=ConversationPolicy(max_in_flight=MAX_IN_FLIGHT, faults=FAULTS)
        )
        self.stranger = conversation_rig()
        self.stranger.open()
        self.due: list[str] = []
        self.waiting_for_echo = 0
        self.last = 0
        self.over = False
        self.waits = False
        self.behind_a_retry = False
        self.forgeries = 0
        self.faults = 0

    # What is predicted

    @property
    def stage(self) -> Stage:
        return self.rig.talk.stage

    def stage_code(self) -> str | None:
        if self.over:
            return "session_over"
        return None if self.stage is Stage.OPEN else "not_started"

    def expect(self, raw: bytes, code: str, seq: int | None, *, fault: bool = True) -> None:
        """Hand in a bad frame: exactly one error, and the close after one fault too many."""
        acts = self.rig.talk.receive(raw)
        told = self.rig.told(acts)
        self.faults += fault
        self.forgeries += code in {"signature_wrong", "session_foreign"}
        closes = fault and (self.faults >= FAULTS.all or self.forgeries >= FAULTS.forgeries)
        expected = [code, "too_many_faults"] if closes else [code]
        assert [frame["code"] for frame in told] == expected
        assert told[0].get("seq") == seq
        assert any(isinstance(act, SendUpstream) for act in acts) is False
        if closes:
            assert self.stage is Stage.CLOSED

    def expect_signed(self, raw: bytes, code: str, seq: int, *, fault: bool = True) -> None:
        """The same for a frame that would have a signature: the stage is looked at before."""
        stage = self.stage_code()
        self.expect(raw, stage or code, seq, fault=fault or stage is not None)

    # What may happen

    @precondition(lambda self: self.stage is Stage.NEW)
    @rule()
    def opens(self) -> None:
        self.rig.open()

    @precondition(lambda self: self.stage is not Stage.NEW)
    @rule()
    def opens_again(self) -> None:
        if self.stage is not Stage.CLOSED:
            self.expect(
                self.rig.page.init(), "session_over" if self.over else "already_started", None
            )

    @rule(text=st.text(min_size=1, max_size=20).filter(lambda text: text.strip()))
    def speaks(self, text: str) -> None:
        raw = self.rig.page.message(text_message(text), seq=self.last + 1)
        if self.stage is Stage.CLOSED:
            assert self.rig.talk.receive(raw) == ()
        elif self.stage_code():
            self.expect_signed(raw, "", self.last + 1)
        elif self.waiting_for_echo >= MAX_IN_FLIGHT:
            self.expect(raw, "too_many_in_flight", self.last + 1, fault=False)
            self.behind_a_retry = True
        elif self.waits:
            self.expect(raw, "rate_limited", self.last + 1, fault=False)
            self.behind_a_retry = True
        else:
            self.accepted(raw)
            self.waiting_for_echo += 1
            self.due.append(text)

    @precondition(lambda self: self.stage is Stage.OPEN and not self.waits)
    @rule()
    def types(self) -> None:
        self.accepted(self.rig.page.message(typing(), seq=self.last + 1))
        self.due.append("(typing)")

    def accepted(self, raw: bytes) -> None:
        self.last += 1
        self.behind_a_retry = False
        assert self.rig.receive(raw) == [{"type": "message_accepted", "seq": self.last}]

    @precondition(lambda self: self.stage is not Stage.CLOSED)
    @rule(where=st.integers(min_value=0, max_value=42))
    def forges(self, where: int) -> None:
        frame = json.loads(self.rig.page.message(seq=self.last + 1))
        old = frame["signature"][where]
        new = "A" if old != "A" else "B"
        frame["signature"] = frame["signature"][:where] + new + frame["signature"][where + 1 :]
        self.expect_signed(json.dumps(frame).encode(), "signature_wrong", self.last + 1)

    @precondition(lambda self: self.stage is not Stage.CLOSED)
    @rule()
    def changes_the_body(self) -> None:
        raw = self.rig.page.message(seq=self.last + 1, payload=text_message("one"))
        frame = {**json.loads(raw), "payload": text_message("two")}
        self.expect_signed(json.dumps(frame).encode(), "signature_wrong", self.last + 1)

    @precondition(lambda self: self.stage is not Stage.CLOSED and self.last > 0)
    @rule(data=st.data())
    def replays(self, data: st.DataObject) -> None:
        seq = data.draw(st.integers(min_value=1, max_value=self.last))
        self.expect_signed(self.rig.page.message(seq=seq), "sequence_replayed", seq)

    @precondition(lambda self: self.stage is not Stage.CLOSED)
    @rule(ahead=st.integers(min_value=2, max_value=2**52))
    def leaves_a_gap(self, ahead: int) -> None:
        seq = self.last + ahead
        raw = self.rig.page.message(seq=seq)
        self.expect_signed(raw, "sequence_gap", seq, fault=not self.behind_a_retry)

    @precondition(lambda self: self.stage is not Stage.CLOSED)
    @rule(cut=CUTS)
    def cuts_short(self, cut: int) -> None:
        self.expect(self.rig.page.message(seq=self.last + 1)[:-cut], "frame_malformed", None)

    @precondition(lambda self: self.stage is not Stage.CLOSED)
    @rule()
    def sends_too_much(self) -> None:
        raw = self.rig.page.message(text_message("x" * 65_536), seq=self.last + 1)
        self.expect(raw, "frame_too_large", None)

    @precondition(lambda self: self.stage is not Stage.CLOSED)
    @rule(raw=st.binary(max_size=80))
    def sends_junk(self, raw: bytes) -> None:
        code = "frame_malformed" if is_text(raw) else "frame_not_utf8"
        self.expect(b"!" + raw, code, None)

    @precondition(lambda self: self.stage is not Stage.CLOSED)
    @rule(kind=st.sampled_from(["hello", "Message", "session_created", ""]))
    def sends_what_nobody_knows(self, kind: str) -> None:
        raw = self.rig.page.message(seq=self.last + 1, type=kind)
        self.expect(raw, "frame_type_unknown", self.last + 1)

    @precondition(lambda self: self.stage is not Stage.CLOSED)
    @rule(field=st.sampled_from(["sessionId", "payload", "signature"]))
    def sends_a_wrong_field(self, field: str) -> None:
        frame = {**json.loads(self.rig.page.message(seq=self.last + 1)), field: 7}
        self.expect(json.dumps(frame).encode(), "frame_fields_wrong", self.last + 1)

    @precondition(lambda self: self.stage is not Stage.CLOSED)
    @rule()
    def names_another_session(self) -> None:
        raw = self.rig.page.message(seq=self.last + 1, sessionId="another")
        self.expect_signed(raw, "session_foreign", self.last + 1)

    @precondition(lambda self: self.stage is not Stage.CLOSED)
    @rule()
    def sends_a_frame_of_another_connection(self) -> None:
        raw = self.stranger.page.message(seq=self.last + 1)
        self.expect_signed(raw, "signature_wrong", self.last + 1)

    @precondition(lambda self: self.stage is not Stage.CLOSED)
    @rule(payload=st.sampled_from(["", "{}", "null", '{"type":"Text","text":" "}']))
    def says_nothing_that_can_be_sent(self, payload: str) -> None:
        seq = self.last + 1
        raw = self.rig.page.message(payload, seq=seq)
        if self.stage_code() is None:
            self.last, self.behind_a_retry = seq, False
        self.expect_signed(raw, "message_malformed", seq)

    @rule(waits=st.booleans())
    def limits_change(self, waits: bool) -> None:
        self.waits = waits
        self.rig.pace.wait = timedelta(seconds=1) if waits else None

    @precondition(lambda self: self.waiting_for_echo > 0)
    @rule()
    def genesys_echoes(self) -> None:
        in_flight = self.rig.talk._in_flight
        tracing_id, seq = next(iter(in_flight.items()))
        told = self.rig.hear(Delivered(tracing_id=tracing_id))
        self.waiting_for_echo -= 1
        assert told[0] == {"type": "message_delivered", "seq": seq}
        last = self.over and not self.waiting_for_echo
        assert [frame["type"] for frame in told[1:]] == ["session_ended"] * last

    @precondition(lambda self: self.stage is Stage.OPEN)
    @rule()
    def ends(self) -> None:
        told = self.rig.receive(self.rig.page.end(seq=self.last + 1))
        assert told == [{"type": "session_ended", "reason": "ended"}] * (not self.waiting_for_echo)
        self.over, self.last = True, self.last + 1

    @precondition(lambda self: self.stage is Stage.ENDING)
    @rule()
    def no_echo_comes_in_time(self) -> None:
        self.rig.clock.advance(ConversationPolicy().last_fates)
        told = self.rig.told(self.rig.talk.look_at_clock())
        unknown = [frame["code"] for frame in told[:-1]]
        assert unknown == ["delivery_unknown"] * self.waiting_for_echo
        assert told[-1]["type"] == "session_ended"
        self.waiting_for_echo = 0

    @precondition(lambda self: self.stage is Stage.OPEN)
    @rule()
    def comes_too_late(self) -> None:
        self.rig.clock.advance(LIFETIME)
        told = self.rig.receive(self.rig.page.message(seq=self.last + 1))
        ended = ["session_ended"] * (not self.waiting_for_echo)
        codes = [frame.get("code", frame["type"]) for frame in told]
        assert codes == ["session_expired", *ended]
        assert told[0]["seq"] == self.last + 1
        self.over = True

    # What must always be true

    @invariant()
    def genesys_got_exactly_the_good_frames_in_order(self) -> None:
        texts = [message.get("text", "(typing)") for message in self.rig.sent]
        assert texts == self.due

    @invariant()
    def memory_is_bounded(self) -> None:
        if self.stage is Stage.CLOSED:
            self.waiting_for_echo = 0
        assert self.rig.talk.in_flight == self.waiting_for_echo <= MAX_IN_FLIGHT

    @invariant()
    def every_act_is_a_frame_or_an_intent(self) -> None:
        acts = self.rig.talk.look_at_clock()
        assert all(isinstance(act, ServerFrame | Intent) for act in acts)


def is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
