"""How far a conversation has come, and how much it bears."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto

from bff.guests.frame_faults import FaultLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationPolicy:
    """How many faults are borne, how many messages may wait for their echo, and how long at last.

    `last_fates` is for those that wait when the session ends: then it is said that nobody knows.
    """

    faults: FaultLimits = field(default_factory=FaultLimits)
    max_in_flight: int = 64
    last_fates: timedelta = timedelta(seconds=5)


class Stage(Enum):
    """How far a connection has come. OVER answers still; CLOSED does not.

    ENDING: the session is over, and what was accepted in it has not all had its fate told.
    """

    NEW = auto()
    OPENING = auto()
    OPEN = auto()
    ENDING = auto()
    OVER = auto()
    CLOSED = auto()
