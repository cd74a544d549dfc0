"""A conversation with its page, a clock that stands still, and limits that a test sets."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from frame_page import FramePage
from hand_clock import HandClock

from bff.adapters.system import SystemEntropy
from bff.errors import StoreDownError
from bff.guests.conversation import Conversation
from bff.guests.conversation_acts import (
    Act,
    Intent,
    News,
    Opened,
    OpenSession,
    SendUpstream,
)
from bff.guests.conversation_stages import ConversationPolicy
from bff.guests.frame_keys import PageKeys
from bff.guests.frame_schemes import Scheme
from bff.guests.frames import ServerFrame
from bff.guests.session_pace import FrameKind

LIFETIME: Final = timedelta(hours=1)
SEALED_ID: Final = "c2VhbGVkLXNlc3Npb24taWQ"


class OpenGate:
    """Keeps `Pace`: lets everything through until it is told to hold back, or to be away."""

    def __init__(self) -> None:
        self.wait: timedelta | None = None
        self.away = False
        self.asked: list[FrameKind] = []

    def admit(self, kind: FrameKind, *, now: datetime) -> timedelta | None:
        del now
        self.asked.append(kind)
        if self.away:
            raise StoreDownError("away")
        return self.wait


@dataclass
class ConversationRig:
    """Both ends of one connection. What was said and wanted is kept apart."""

    clock: HandClock
    pace: OpenGate
    talk: Conversation
    page: FramePage = field(default_factory=FramePage)
    upstream: list[SendUpstream] = field(default_factory=list)

    def receive(self, raw: bytes) -> list[dict[str, Any]]:
        """Hand a frame in; return the frames that come back."""
        return self.told(self.talk.receive(raw))

    def hear(self, news: News) -> list[dict[str, Any]]:
        return self.told(self.talk.hear(news))

    def wants(self, acts: tuple[Act, ...]) -> list[Intent]:
        return [act for act in acts if isinstance(act, Intent)]

    def told(self, acts: tuple[Act, ...]) -> list[dict[str, Any]]:
        self.upstream += [act for act in acts if isinstance(act, SendUpstream)]
        return [json.loads(act.spell()) for act in acts if isinstance(act, ServerFrame)]

    @property
    def sent(self) -> list[Any]:
        """What reached Genesys."""
        return [json.loads(sending.payload) for sending in self.upstream]

    def opened(self, *, person: str | None = None, resumed: bool = False) -> Opened:
        return Opened(
            guest_id="guest-1",
            encrypted_session_id=SEALED_ID,
            expires_at=self.clock.now() + LIFETIME,
            resumed=resumed,
            pace=self.pace,
            person=person,
        )

    def open(self, *, person: str | None = None) -> dict[str, Any]:
        """Go through the opening; return `session_created`."""
        (asked,) = self.talk.receive(self.page.init())
        assert isinstance(asked, OpenSession)
        (created,) = self.hear(self.opened(person=person))
        if "publicKey" in created:
            self.page.learn(created)
        return created


def conversation_rig(
    *, policy: ConversationPolicy | None = None, scheme: Scheme | None = None
) -> ConversationRig:
    clock = HandClock()
    entropy = SystemEntropy()
    talk = Conversation(
        clock=clock, entropy=entropy, scheme=scheme or PageKeys(entropy), policy=policy
    )
    return ConversationRig(clock=clock, pace=OpenGate(), talk=talk)
