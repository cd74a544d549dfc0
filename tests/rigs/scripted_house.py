"""A house whose relays do what a test tells them, and write down what they hear."""

import queue
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from memory_store import MemoryStore

from bff.adapters.system import SystemClock, SystemEntropy
from bff.guests.frame_errors import FrameCode, GuestEnd
from bff.guests.frame_keys import PageKeys
from bff.guests.guest_desk import GuestDesk
from bff.guests.guest_house import GuestHouse, SocketRules
from bff.guests.guest_tasks import Answer, GuestForgotten, Task
from bff.guests.relay import GuestRelay
from bff.guests.relay_hands import Hands, Visitor
from bff.guests.relay_plan import RelayPlan
from bff.signin.session_news import NewsDesk

PAGE = "https://www.brand.example"
LIMIT_S = 15


class ScriptedRelay:
    """Has the shape of `GuestRelay`. `on` names what it does when it hears something."""

    def __init__(self, house: "Script", hands: Hands, visitor: Visitor) -> None:
        self.hands = hands
        self.visitor = visitor
        self.wake_at: datetime | None = None
        self.reading = True
        self.page_here = True
        self.busy = False
        self.heard: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._on = house.on
        self._house = house

    @property
    def over(self) -> bool:
        return not self.page_here and not self.busy

    def _hears(self, what: str, value: Any = None) -> None:
        self.heard.put((what, value))
        if what in self._on:
            self._on[what](self, value)

    def until(self, what: str) -> Any:
        """Skip what is heard until it is `what`; return what came with it."""
        while True:
            heard, value = self.heard.get(timeout=LIMIT_S)
            if heard == what:
                return value

    def start(self) -> None:
        self._hears("start")
        self._house.relays.put(self)

    def page_sent(self, raw: bytes) -> None:
        self._hears("page_sent", bytes(raw))

    def page_sent_badly(self, code: FrameCode) -> None:
        self._hears("page_sent_badly", code)

    def page_gone(self) -> None:
        self.page_here = False
        self._hears("page_gone")

    def genesys_opened(self) -> None:
        self._hears("genesys_opened")

    def genesys_refused(self, status: int) -> None:
        self._hears("genesys_refused", status)

    def genesys_sent(self, text: bytes) -> None:
        self._hears("genesys_sent", bytes(text))

    def genesys_closed(self, code: int | None = None, reason: str = "") -> None:
        self._hears("genesys_closed", (code, reason))

    def answered(self, answer: Answer) -> None:
        self._hears("answered", answer)

    def heard_of_session(self, reason: GuestEnd | None) -> None:
        self._hears("heard_of_session", reason)

    def tick(self) -> None:
        self.wake_at = None
        self._hears("tick")

    def drain(self) -> None:
        self.reading = False
        self._hears("drain")


@dataclass(kw_only=True)
class Script:
    """What relays do, who they are, and what the desk does."""

    on: dict[str, Callable[[ScriptedRelay, Any], None]] = field(default_factory=dict)
    relays: "queue.SimpleQueue[ScriptedRelay]" = field(default_factory=queue.SimpleQueue)
    perform: Callable[[Task], Answer] = lambda _: GuestForgotten()
    clock: SystemClock = field(default_factory=SystemClock)
    store: MemoryStore = field(default_factory=MemoryStore)

    def relay(self) -> ScriptedRelay:
        """Return the next relay that has started."""
        return self.relays.get(timeout=LIMIT_S)

    def news(self) -> NewsDesk:
        return NewsDesk(self.store, clock=SystemClock())


@dataclass(frozen=True, kw_only=True)
class ScriptedHouse(GuestHouse):
    """A house of scripted relays."""

    script: Script

    def relay(self, hands: Hands, visitor: Visitor) -> GuestRelay:
        return cast("GuestRelay", ScriptedRelay(self.script, hands, visitor))


@dataclass(frozen=True)
class _Desk:
    script: Script

    def perform(self, task: Task) -> Answer:
        return self.script.perform(task)


def scripted_house(
    script: Script,
    *,
    rules: SocketRules | None = None,
    messaging_url: str = "ws://127.0.0.1:9",
) -> ScriptedHouse:
    plan = RelayPlan(
        clock=script.clock,
        entropy=SystemEntropy(),
        scheme=PageKeys(SystemEntropy()),
        deployment_id="d",
        application="tests",
    )
    return ScriptedHouse(
        desk=cast("GuestDesk", _Desk(script)),
        plan=plan,
        messaging_url=messaging_url,
        rules=rules or SocketRules(),
        script=script,
    )
