"""A relay with hands that only write down, a desk that a test plays, and a Genesys of few words."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from frame_page import FramePage, text_message
from hand_clock import HandClock

from bff.adapters.system import SystemEntropy
from bff.guests.frame_keys import PageKeys
from bff.guests.guest_binding import GuestSessionId
from bff.guests.guest_tasks import GuestOpened, GuestStillThere, LookAgain, Task
from bff.guests.relay import GuestRelay
from bff.guests.relay_hands import Visitor
from bff.guests.relay_plan import RelayPlan

DEPLOYMENT: Final = "c0ffee00-1111-4222-8333-444455556666"
VISITOR: Final = Visitor(
    origin="http://www.brand.localhost", address="192.0.2.1", browser_secret="b" * 43
)


@dataclass
class RelayRig:
    """Keeps `relay_hands.Hands`: what was wanted, in the order in which it was wanted."""

    plan: dict[str, Any] = field(default_factory=dict)
    clock: HandClock = field(default_factory=HandClock)
    page: FramePage = field(default_factory=FramePage)
    told: list[dict[str, Any]] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    dials: list[timedelta] = field(default_factory=list)
    watched: list[str] = field(default_factory=list)
    closed: tuple[int, str] | None = None
    hung_up: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        entropy = SystemEntropy()
        plan = RelayPlan(
            clock=self.clock,
            entropy=entropy,
            scheme=PageKeys(entropy),
            deployment_id=DEPLOYMENT,
            application="test",
            **self.plan,
        )
        self.relay = GuestRelay(plan, self, VISITOR)
        self.relay.start()

    def to_page(self, text: bytes) -> None:
        assert self.closed is None, "a frame behind the close"
        self.told.append(json.loads(text))

    def close_page(self, code: int, reason: str) -> None:
        assert self.closed is None, "closed twice"
        self.closed = code, reason

    def dial(self, path: str, *, after: timedelta) -> None:
        assert DEPLOYMENT in path
        self.dials.append(after)

    def to_genesys(self, text: bytes) -> None:
        self.said.append(json.loads(text))

    def hang_up(self, code: int) -> None:
        self.hung_up.append(code)

    def ask(self, task: Task) -> None:
        self.tasks.append(task)

    def watch(self, session_key: str) -> None:
        self.watched.append(session_key)

    # What a test plays

    def init(self) -> None:
        self.relay.page_sent(self.page.init())

    def open(self, **more: Any) -> "RelayRig":
        """Let the page have its session."""
        self.init()
        self.tasks.clear()
        self.relay.answered(self.opened(**more))
        self.page.learn(self.told[-1] if "publicKey" in self.told[-1] else self.told[0])
        if "session_key" not in more:
            # It looks whether it was erased meanwhile.
            self.tasks.remove(self.wanted(LookAgain))
            self.relay.answered(GuestStillThere())
        return self

    def opened(self, **more: Any) -> GuestOpened:
        chosen: dict[str, Any] = {
            "session_id": GuestSessionId("session-1"),
            "encrypted_session_id": "c2VhbGVk",
            "guest_id": "guest-1",
            "genesys_token": "3f0e3c52-9a53-4d32-8ea7-6a2b21f0a1aa",
            "expires_at": self.clock.now() + timedelta(hours=1),
            "resumed": False,
        }
        return GuestOpened(**{**chosen, **more})

    def live(self, **more: Any) -> "RelayRig":
        """Let Genesys have the session as well."""
        self.open(**more)
        self.relay.genesys_opened()
        self.answer_configure()
        return self

    def answer_configure(self) -> None:
        asked = self.said[-1]
        assert asked["action"].startswith("configure"), asked
        body = {"connected": True, "newSession": True, "readOnly": False}
        self.genesys("SessionResponse", body, type="response", tracingId=asked["tracingId"])

    def genesys(self, name: str, body: Any, **rest: Any) -> None:
        frame = {"type": "message", "class": name, "code": 200, "body": body, **rest}
        self.relay.genesys_sent(json.dumps(frame).encode())

    def say(self, text: str = "hello") -> None:
        self.relay.page_sent(self.page.message(text_message(text)))

    def pass_time(self, seconds: float) -> None:
        """Turn the clock, and wake the relay if it wants to be."""
        self.clock.advance(timedelta(seconds=seconds))
        wake = self.relay.wake_at
        if wake is not None and wake <= self.clock.now():
            self.relay.tick()

    @property
    def page_is_here(self) -> bool:
        return self.closed is None

    @property
    def kinds(self) -> list[str]:
        return [frame["type"] for frame in self.told]

    def wanted(self, kind: type[Any]) -> Any:
        """Return the one task of this kind."""
        found = [task for task in self.tasks if isinstance(task, kind)]
        assert len(found) == 1, self.tasks
        return found[0]
