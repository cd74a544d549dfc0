"""A guest house for benchmarks: everything is checked as always, but the limits have high numbers.

Genesys' five messages a second would stop a closed loop. And for the echo shape, a relay that has
no upstream: the peer's middleware has none either.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, cast

from bff.guests.conversation import Conversation
from bff.guests.conversation_acts import Act, Delivered, Opened, OpenSession, SendUpstream
from bff.guests.conversation_stages import ConversationPolicy, Stage
from bff.guests.frame_errors import FrameCode, GuestEnd
from bff.guests.frames import ServerFrame
from bff.guests.guest_house import GuestHouse
from bff.guests.guest_tasks import Answer, GuestOpened, OpenGuest
from bff.guests.relay import GuestRelay
from bff.guests.relay_hands import Hands, Visitor
from bff.guests.relay_plan import RelayPlan
from bff.guests.session_pace import SessionPace
from bff.guests.upstream_policy import UpstreamPolicy

MANY: Final = 100_000
CONNECTIONS: Final = 20_000
# The generator answers no pings while it signs.
BORE: Final = timedelta(hours=1)


class EchoRelay:
    """Keeps the part of `GuestRelay` that a shell uses; what is accepted goes nowhere."""

    __slots__ = ("_conversation", "_hands", "_page_here", "_plan", "_visitor")

    def __init__(self, plan: RelayPlan, hands: Hands, visitor: Visitor) -> None:
        self._plan = plan
        self._hands = hands
        self._visitor = visitor
        self._page_here = True
        self._conversation = Conversation(
            clock=plan.clock, entropy=plan.entropy, scheme=plan.scheme, policy=plan.conversation
        )

    @property
    def over(self) -> bool:
        """Say whether the page is gone."""
        return not self._page_here

    @property
    def reading(self) -> bool:
        """Say whether frames are wanted."""
        return self._page_here

    @property
    def wake_at(self) -> datetime | None:
        """Return when the session ends."""
        if self._conversation.stage is not Stage.OPEN:
            return None
        return self._conversation.expires_at

    def start(self) -> None:
        """Begin."""

    def page_sent(self, raw: bytes | bytearray | memoryview) -> None:
        """Take a frame: read, checked, counted, answered."""
        self._do(self._conversation.receive(raw))

    def page_sent_badly(self, code: FrameCode) -> None:
        """Refuse it."""
        self._do(self._conversation.refuse(code))

    def page_gone(self) -> None:
        """Nobody is there any more."""
        self._page_here = False

    def answered(self, answer: Answer) -> None:
        """Take the session that the desk has opened."""
        if not isinstance(answer, GuestOpened):
            raise SystemExit(f"no session: {answer}")
        opened = Opened(
            guest_id=answer.guest_id,
            encrypted_session_id=answer.encrypted_session_id,
            expires_at=answer.expires_at,
            resumed=answer.resumed,
            pace=self._plan.pace(),
        )
        self._do(self._conversation.hear(opened))

    def heard_of_session(self, reason: GuestEnd | None) -> None:
        """Nobody signs in here."""

    def tick(self) -> None:
        """Look at the clock."""
        self._do(self._conversation.look_at_clock())

    def drain(self) -> None:
        """Go at once: nothing is in flight."""
        self.page_gone()
        self._hands.close_page(1012, "restart")

    def _do(self, acts: tuple[Act, ...]) -> None:
        for act in acts:
            if isinstance(act, ServerFrame):
                self._hands.to_page(act.spell())
            elif isinstance(act, SendUpstream):
                # As good as delivered; the page is told of it in the proxy shape only.
                self._conversation.hear(Delivered(tracing_id=act.tracing_id))
            elif isinstance(act, OpenSession):
                self._hands.ask(self._opening(act))

    def _opening(self, wanted: OpenSession) -> OpenGuest:
        return OpenGuest(
            address=self._visitor.address,
            browser_secret=self._visitor.browser_secret,
            session_token=self._visitor.session_token,
            device_id=wanted.device_id,
            profile=wanted.profile,
            encrypted_session_id=wanted.encrypted_session_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoHouse(GuestHouse):
    """A house whose relays have no upstream."""

    def relay(self, hands: Hands, visitor: Visitor) -> GuestRelay:
        """Return the relay of a new connection."""
        return cast("GuestRelay", EchoRelay(self.plan, hands, visitor))


def unhurried(plan: RelayPlan) -> RelayPlan:
    """Return the plan with high numbers in the place of Genesys' own."""
    return replace(
        plan,
        pace=partial(SessionPace, per_second=MANY, per_minute=MANY),
        conversation=ConversationPolicy(max_in_flight=MANY),
        upstream=UpstreamPolicy(messages_a_second=MANY, requests_a_minute=MANY),
    )


def under_load(house: GuestHouse | None, *, echo: bool) -> GuestHouse:
    """Return the house of a benchmark, in the proxy shape or in the echo shape."""
    if house is None:
        raise SystemExit("guest sessions are off")
    rules = replace(house.rules, connections=CONNECTIONS, ping_every=BORE)
    changed = replace(house, plan=unhurried(house.plan), rules=rules)
    if not echo:
        return changed
    return EchoHouse(**{field.name: getattr(changed, field.name) for field in fields(changed)})
