"""How much wrong a connection may send before it is closed."""

from dataclasses import dataclass
from typing import Final

from bff.guests.frame_errors import FrameCode, FrameRefusedError

# What an honest page meets as well.
_NO_FAULT: Final = frozenset(
    {FrameCode.SESSION_EXPIRED, FrameCode.TEXT_TOO_LONG, FrameCode.ATTRIBUTES_TOO_LARGE}
)
_FORGERIES: Final = frozenset({FrameCode.SIGNATURE_WRONG, FrameCode.SESSION_FOREIGN})


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultLimits:
    """So many wrong signatures, or so many faults of any kind, close the connection."""

    forgeries: int = 20
    all: int = 100


class FaultCount:
    """Counts the faults of one connection."""

    __slots__ = ("_all", "_forgeries", "_limits")

    def __init__(self, limits: FaultLimits) -> None:
        self._limits = limits
        self._forgeries = 0
        self._all = 0

    def one_too_many(self, refused: FrameRefusedError, *, behind_a_retry: bool) -> bool:
        """Count a refusal, and say whether it was one too many.

        Behind a frame that must be sent again, those that were on their way are gaps by no fault.
        """
        excused = refused.code is FrameCode.SEQUENCE_GAP and behind_a_retry
        if refused.code in _NO_FAULT or refused.retry_after is not None or excused:
            return False
        self._all += 1
        self._forgeries += refused.code in _FORGERIES
        return self._forgeries >= self._limits.forgeries or self._all >= self._limits.all
