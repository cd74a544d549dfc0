"""A small world for an upstream: a Genesys of few lines, a wire that breaks, a clock by hand."""

import hashlib
import json
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from hand_clock import HandClock
from tiny_genesys import GOOD_JWT, TOKEN, TinyGenesys

from bff.guests.upstream import Upstream
from bff.guests.upstream_news import (
    Action,
    AskHistory,
    AskJwt,
    Connect,
    Delivered,
    Disconnect,
    Ended,
    Event,
    Failed,
    Left,
    Write,
)
from bff.guests.upstream_policy import UpstreamPolicy
from bff.guests.upstream_state import Stage

DEPLOYMENT: Final = "7c4e1f0a-52d8-4d53-9a57-0d3f6f1b2c88"


class RepeatableEntropy:
    """Keeps `ports.Entropy`; the same in every run."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed
        self._drawn = 0

    def bytes(self, count: int) -> bytes:
        self._drawn += 1
        stream = hashlib.shake_128(f"{self._seed}/{self._drawn}".encode())
        return stream.digest(count)

    def token(self, count: int = 32) -> str:
        return self.bytes(count).hex()


@dataclass(slots=True, kw_only=True)
class UpstreamWorld:
    """An upstream, its wire and its owner, moved step by step."""

    authenticated: bool = False
    keeps_metadata: bool = True
    policy: UpstreamPolicy = field(default_factory=UpstreamPolicy)
    clock: HandClock = field(default_factory=HandClock)
    genesys: TinyGenesys = field(init=False)
    upstream: Upstream = field(init=False)
    log: list[Action] = field(default_factory=list)
    dial_at: datetime | None = None
    socket: bool = False
    up: deque[tuple[datetime, bytes]] = field(default_factory=deque)
    down: deque[dict[str, Any]] = field(default_factory=deque)
    late: deque[tuple[datetime, bytes]] = field(default_factory=deque)
    late_at: datetime | None = None
    jwt_wanted: AskJwt | None = None
    history_wanted: AskHistory | None = None
    accepted: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.genesys = TinyGenesys(keeps_metadata=self.keeps_metadata)
        self.upstream = self.another()

    def another(self) -> Upstream:
        return Upstream(
            token=TOKEN,
            deployment_id=DEPLOYMENT,
            application="messenger-bff",
            clock=self.clock,
            entropy=RepeatableEntropy(),
            authenticated=self.authenticated,
            policy=self.policy,
        )

    # The owner

    def do(self, actions: list[Action]) -> list[Any]:
        self.log += actions
        for action in actions:
            match action:
                case Connect(after=after):
                    assert not self.socket, "dials while a socket is open"
                    self.dial_at = self.clock.now() + after
                case Write(text=text):
                    assert self.socket, "writes without a socket"
                    self.up.append((self.clock.now(), text))
                case Disconnect():
                    self._hang_up()
                case AskJwt():
                    self.jwt_wanted = action
                case AskHistory():
                    self.history_wanted = action
                case _:
                    pass
        return actions

    def _hang_up(self) -> None:
        """A goodbye comes after what was written: Genesys hears it all, the answers are lost."""
        self.dial_at = None
        if self.socket:
            self._break(heard=len(self.up), late=0)

    def _break(self, *, heard: int, late: int) -> None:
        self._hear(heard)
        self.late.extend([self.up.popleft() for _ in range(min(late, len(self.up)))])
        self.late_at = self.clock.now() + timedelta(milliseconds=900)
        self.up.clear()
        self.down.clear()
        self.socket = False

    # The wire

    def dial(self) -> list[Any]:
        if self.dial_at is None or self.clock.now() < self.dial_at:
            return []
        self.dial_at, self.socket = None, True
        self.genesys.connect()
        return self.do(self.upstream.opened())

    def fail_to_dial(self, status: int | None) -> list[Any]:
        if self.dial_at is None or self.clock.now() < self.dial_at:
            return []
        self.dial_at = None
        if status is None:
            return self.do(self.upstream.closed(None, "no route"))
        return self.do(self.upstream.refused(status))

    def _hear(self, count: int) -> None:
        for _ in range(min(count, len(self.up))):
            at, text = self.up.popleft()
            self.down.extend(self.genesys.hear(text, at=at, arrives=self.clock.now()))

    def carry_up(self, count: int = 1_000) -> None:
        self._hear(count)

    def carry_down(self, count: int = 1_000) -> list[Any]:
        actions = []
        for _ in range(count):
            if not self.down or not self.socket:
                break
            actions += self.do(self.upstream.received(json.dumps(self.down.popleft())))
        return actions

    def cut(self, *, heard: int = 0, late: int = 0) -> list[Any]:
        """Break the wire; of what was written some is heard, some a moment later, some never."""
        if not self.socket:
            return []
        self._break(heard=heard, late=late)
        return self.do(self.upstream.closed(1006, ""))

    def wait(self, duration: timedelta) -> list[Any]:
        """Let time pass; the owner ticks whenever the upstream wants it."""
        until = self.clock.now() + duration
        actions = []
        while (wake := self.upstream.wake_at) is not None and wake <= until:
            self._pass_until(max(wake, self.clock.now()))
            actions += self.do(self.upstream.tick())
        self._pass_until(until)
        return actions

    def _pass_until(self, moment: datetime) -> None:
        if self.late_at is not None and moment >= self.late_at:
            while self.late:
                at, text = self.late.popleft()
                echoes = self.genesys.hear(text, at=at, late=True)
                if self.socket and self.genesys.configured:
                    self.down.extend(echoes)
        self.clock.advance(moment - self.clock.now())

    def answer_jwt(self, jwt: str = GOOD_JWT) -> list[Any]:
        if self.jwt_wanted is None:
            return []
        self.jwt_wanted = None
        return self.do(self.upstream.jwt_ready(jwt))

    def answer_history(self, *, found: bool = True) -> list[Any]:
        wanted, self.history_wanted = self.history_wanted, None
        if wanted is None:
            return []
        if not found:
            return self.do(self.upstream.history_failed())
        return self.do(self.upstream.history(self.genesys.page(wanted.page)))

    @property
    def written(self) -> list[dict[str, Any]]:
        """Return what is on its way to Genesys."""
        return [json.loads(text) for _, text in self.up]

    def push(self, name: str, body: Any = None, **rest: Any) -> list[Any]:
        """Let Genesys say something it would not say by itself."""
        frame = {"type": "message", "class": name, "code": 200, "body": body or {}, **rest}
        return self.do(self.upstream.received(json.dumps(frame)))

    def refuse(self, code: int, text: str = "no", tracing_id: str = "") -> list[Any]:
        """Let Genesys refuse what was written last, or what is named."""
        named = tracing_id or self.written[-1]["tracingId"]
        return self.push("string", text, code=code, type="response", tracingId=named)

    def agent_says(self, text: str) -> None:
        frame = self.genesys.say(text)
        if self.socket and self.genesys.configured:
            self.down.append(frame)

    # The page

    def send(self, text: str, tracing_id: str, **message: Any) -> list[Any]:
        self.accepted.append(tracing_id)
        payload = {"type": "Text", "text": text, **message}
        return self.do(self.upstream.send(payload, tracing_id))

    # Both

    def quiet(self) -> None:
        """Carry everything and answer everything until nothing moves."""
        while self.dial_at or self.up or self.down or self.jwt_wanted or self.history_wanted:
            if self.dial_at is not None and self.dial_at > self.clock.now():
                self.wait(self.dial_at - self.clock.now())
            self.dial()
            self.carry_up()
            self.carry_down()
            self.answer_jwt()
            self.answer_history()

    def settle(self) -> None:
        """Let the world be kind until every message has its fate."""
        for _ in range(400):
            self.quiet()
            state = self.upstream._state
            at_rest = state.stage is Stage.LIVE and not self.upstream.waiting
            if state.stage is Stage.OVER or (at_rest and state.recovery is None):
                break
            wake = self.upstream.wake_at
            assert wake is not None, "nothing will ever happen"
            self.wait(max(wake - self.clock.now(), timedelta(0)))
        else:
            raise AssertionError("never comes to rest")
        self.quiet()

    def live(self) -> "UpstreamWorld":
        """Come to a configured session."""
        self.do(self.upstream.start())
        self.settle()
        return self

    # What was told

    def told(self, kind: type[Any]) -> list[Any]:
        return [action for action in self.log if isinstance(action, kind)]

    @property
    def delivered(self) -> list[str]:
        return [action.tracing_id for action in self.told(Delivered)]

    @property
    def failed(self) -> dict[str, Failed]:
        return {action.tracing_id: action for action in self.told(Failed)}

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(event.body) for event in self.told(Event)]

    @property
    def last_word(self) -> str | None:
        words = [*self.told(Ended), *self.told(Left)]
        assert len(words) <= 1
        return words[0].reason if words else None

    @property
    def heard_twice(self) -> list[str]:
        return [name for name, times in Counter(self.genesys.heard).items() if times > 1]
