"""Whatever breaks, whenever: each accepted message is heard once, or its page is told."""

import string
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tiny_genesys import GOOD_JWT, Whim
from upstream_world import UpstreamWorld

from bff.guests.upstream_memory import MAX_KEYS, MAX_MARKS, MAX_RIDDLES
from bff.guests.upstream_news import Delivered, Failed, FailureCode
from bff.guests.upstream_policy import UpstreamPolicy
from bff.guests.upstream_state import Stage

POLICY = UpstreamPolicy(max_waiting=12, max_waiting_bytes=8_000, max_in_flight=6)
MOMENTS = st.sampled_from([0.05, 0.3, 1.0, 4.0, 31.0, 130.0])
JUNK = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60),
    st.sampled_from(
        [
            "[]",
            "{}",
            '{"class":1}',
            '{"class":"StructuredMessage","body":7}',
            '{"class":"StructuredMessage","body":{"channel":[]}}',
            '{"class":"string","code":418,"body":{}}',
            '{"class":"TooManyRequestsErrorMessage","code":429,"body":{"retryAfter":1e99}}',
            '{"class":"SessionResponse","body":"x"}',
            '{"class":"JwtResponse","body":{"jwt":7}}',
            '{"class":"GenerateUrlError","type":"response","code":400,"body":"no"}',
            '{"class":"GenerateUrlError","type":"message","code":200,"body":{"errorCode":4001}}',
            '{"class":"Tomorrow","code":200,"body":{}}',
            "[" * 5_000,
        ]
    ),
)


class AnyCut(RuleBasedStateMachine):
    """Steps in any order; the checks at the end are the promise."""

    # Several under way at once: more for the history to find out.
    policy = POLICY

    def __init__(self) -> None:
        super().__init__()
        self.world = UpstreamWorld(policy=self.policy).live()
        self.count = 0
        self.agent_said: list[str] = []

    @initialize(
        authenticated=st.booleans(), keeps_metadata=st.booleans(), live=st.sampled_from([1, 1, 0])
    )
    def begin(self, *, authenticated: bool, keeps_metadata: bool, live: bool) -> None:
        self.world = UpstreamWorld(
            authenticated=authenticated, keeps_metadata=keeps_metadata, policy=self.policy
        )
        self.world.do(self.world.upstream.start())
        if live:
            self.world.quiet()

    @rule(text=st.text(string.ascii_lowercase, min_size=1, max_size=1), long=st.booleans())
    def send(self, *, text: str, long: bool) -> None:
        self.count += 1
        self.world.send(text * (900 if long else 1), f"t-{self.count}")

    @rule(typing=st.sampled_from(["On", "Off"]))
    def type(self, *, typing: str) -> None:
        event = {"eventType": "Typing", "typing": {"type": typing}}
        payload = {"type": "Event", "events": [event]}
        self.world.do(self.world.upstream.send(payload, "typing"))

    @rule(count=st.integers(1, 8))
    def carry_up(self, *, count: int) -> None:
        self.world.carry_up(count)

    @rule(count=st.integers(1, 8))
    def carry_down(self, *, count: int) -> None:
        self.world.carry_down(count)

    @rule(heard=st.integers(0, 6), late=st.integers(0, 3))
    def cut(self, *, heard: int, late: int) -> None:
        self.world.cut(heard=heard, late=late)

    @rule()
    def dial(self) -> None:
        self.world.dial()

    @rule(status=st.sampled_from([None, 429, 502, 503]))
    def fail_to_dial(self, *, status: int | None) -> None:
        self.world.fail_to_dial(status)

    @rule(seconds=MOMENTS)
    def wait(self, *, seconds: float) -> None:
        self.world.wait(timedelta(seconds=seconds))

    @rule(jwt=st.sampled_from([GOOD_JWT, GOOD_JWT, "stale"]))
    def answer_jwt(self, *, jwt: str) -> None:
        self.world.answer_jwt(jwt)

    @rule(found=st.sampled_from([True, True, True, False]))
    def answer_history(self, *, found: bool) -> None:
        self.world.answer_history(found=found)

    @rule()
    def agent(self) -> None:
        if self.world.genesys.began:
            text = f"agent {len(self.agent_said)}"
            self.agent_said.append(text)
            self.world.agent_says(text)

    @rule(junk=JUNK)
    def junk(self, *, junk: str | bytes) -> None:
        self.world.do(self.world.upstream.received(junk))

    @rule()
    def step_up(self) -> None:
        self.world.do(self.world.upstream.step_up())

    @rule()
    def quiet(self) -> None:
        self.world.quiet()

    @invariant()
    def nothing_is_heard_twice(self) -> None:
        assert self.world.heard_twice == []
        assert self.world.genesys.complaints == []

    @invariant()
    def nothing_is_told_twice(self) -> None:
        fates = self.world.delivered + [f.tracing_id for f in self.world.told(Failed)]
        assert max(Counter(f for f in fates if f != "typing").values(), default=0) <= 1
        assert max(Counter(e["id"] for e in self.world.events).values(), default=0) <= 1

    @invariant()
    def memory_is_bounded(self) -> None:
        state = self.world.upstream._state
        assert len(state.outbox) <= self.policy.max_waiting
        assert 0 <= state.outbox.waiting_bytes <= self.policy.max_waiting_bytes
        assert 0 <= state.outbox.in_flight <= self.policy.max_in_flight
        assert len(state.memory) <= MAX_KEYS + MAX_MARKS + MAX_RIDDLES
        assert state.told == []

    def teardown(self) -> None:
        self.world.settle()
        fates = {**dict.fromkeys(self.world.delivered, "delivered")}
        fates |= {name: failed.code for name, failed in self.world.failed.items()}
        heard = set(self.world.genesys.heard)
        for tracing_id in self.world.accepted:
            match fates[tracing_id]:
                case "delivered":
                    assert tracing_id in heard
                case FailureCode.OUTCOME_UNKNOWN:
                    pass
                case _:
                    assert tracing_id not in heard
        assert len(self.world.told(Delivered)) == len(set(self.world.delivered))
        self.nothing_is_heard_twice()
        self.nothing_is_told_twice()
        state = self.world.upstream._state
        if state.stage is Stage.LIVE and state.gap_after is None:
            assert set(self.agent_said) <= {event["text"] for event in self.world.events}


class AnyCutAndPace(AnyCut):
    """As it is: one under way, by a Genesys that may say of any message that it is too early."""

    policy = replace(POLICY, max_in_flight=1)

    @rule(retry_after=st.sampled_from([None, 2, 40]), names_it=st.booleans())
    def too_early(self, *, retry_after: float | None, names_it: bool) -> None:
        self.world.genesys.whims.append(Whim(retry_after=retry_after, names_it=names_it))

    @invariant()
    def genesys_reads_in_order(self) -> None:
        numbers = [int(name.removeprefix("t-")) for name in self.world.genesys.heard]
        assert numbers == sorted(numbers)


TestAnyCutAndPace = AnyCutAndPace.TestCase
TestAnyCut = AnyCut.TestCase
TestAnyCut.settings = TestAnyCutAndPace.settings = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
