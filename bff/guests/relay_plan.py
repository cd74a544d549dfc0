"""What is the same for every relay of a process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from bff.guests.conversation_stages import ConversationPolicy
from bff.guests.frame_schemes import Scheme
from bff.guests.session_pace import Pace, SessionPace
from bff.guests.upstream_policy import UpstreamPolicy
from bff.ports import Clock, Entropy

INIT_PATIENCE: Final = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPlan:
    """The rules and the sources of time and chance that relays are made with."""

    clock: Clock
    entropy: Entropy
    scheme: Scheme
    deployment_id: str
    application: str
    pace: Callable[[], Pace] = SessionPace
    conversation: ConversationPolicy = field(default_factory=ConversationPolicy)
    upstream: UpstreamPolicy = field(default_factory=UpstreamPolicy)
    init_patience: timedelta = INIT_PATIENCE
