"""How far a conversation has come, and how much it bears."""

from dataclasses import dataclass, field
from enum import Enum, auto

from bff.guests.frame_faults import FaultLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationPolicy:
    """How many faults are borne, and how many messages may wait for their echo."""

    faults: FaultLimits = field(default_factory=FaultLimits)
    max_in_flight: int = 64


class Stage(Enum):
    """How far a connection has come. OVER answers still; CLOSED does not."""

    NEW = auto()
    OPENING = auto()
    OPEN = auto()
    OVER = auto()
    CLOSED = auto()
