"""What an upstream knows of itself between two calls, and the few words for changing it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from bff.guests.upstream_frames import Requests
from bff.guests.upstream_memory import UpstreamMemory
from bff.guests.upstream_news import Action
from bff.guests.upstream_outbox import Item, Outbox, WritePace
from bff.guests.upstream_policy import Redial, UpstreamPolicy
from bff.guests.upstream_recovery import Recovery
from bff.guests.upstream_sign_on import SignOn
from bff.guests.upstream_timers import Timers


class Stage(StrEnum):
    """How far the connection has come."""

    IDLE = "idle"
    DIALLING = "dialling"
    AWAITING_JWT = "awaiting_jwt"
    CONFIGURING = "configuring"
    LIVE = "live"
    OVER = "over"


# A member of an enum is looked up slowly (Python 3.11), and these are asked for with each message.
LIVE: Final = Stage.LIVE
OVER: Final = Stage.OVER
DEAF: Final = frozenset({Stage.IDLE, Stage.DIALLING, Stage.OVER})


@dataclass(slots=True, kw_only=True)
class UpstreamState:
    """One guest session at Genesys."""

    policy: UpstreamPolicy
    path: str
    requests: Requests
    redial: Redial
    outbox: Outbox
    pace: WritePace
    authenticated: bool
    memory: UpstreamMemory = field(default_factory=UpstreamMemory)
    timers: Timers = field(default_factory=Timers)
    told: list[Action] = field(default_factory=list)

    stage: Stage = Stage.IDLE
    # This socket has had a SessionResponse; some socket has had one.
    configured: bool = False
    was_ready: bool = False
    stepping_up: bool = False
    jwt_awaited: bool = False
    paused: bool = False
    ending: bool = False
    draining: bool = False
    finishing: bool = False

    lost_at: datetime | None = None
    connected_at: datetime | None = None
    last_heard: datetime | None = None
    echo_awaited_since: datetime | None = None
    sign_on: SignOn = field(default_factory=lambda: SignOn(authenticated=False))
    recovery: Recovery | None = None
    # What had been told when the connection was lost, until the history has closed the gap.
    gap_after: int | None = None
    configure_id: str = ""
    close_id: str = ""
    close_not_before: datetime | None = None
    # Events have no echo: what of them may still be refused. Nothing is kept of typing.
    recent_events: dict[str, Item | None] = field(default_factory=dict)
