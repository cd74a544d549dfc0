"""What Genesys' side calls things, in the words that a page is told; and how a page is left."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from bff.guests.frame_errors import FrameCode, GuestEnd
from bff.guests.upstream_news import EndReason, FailureCode, LeaveReason


class Farewell(Enum):
    """The close codes of a page's socket that are no fault of the page, and their reasons."""

    ENDED = (1000, "")
    INIT_EXPECTED = (1008, "init_expected")
    RESTART = (1012, "restart")
    TRY_AGAIN_LATER = (1013, "try_again_later")
    COME_BACK = (4001, "come_back")
    DISPLACED = (4009, "displaced")


FAILURE_OF: Final[Mapping[FailureCode, FrameCode]] = MappingProxyType(
    {
        FailureCode.MALFORMED: FrameCode.MESSAGE_MALFORMED,
        FailureCode.TEXT_TOO_LONG: FrameCode.TEXT_TOO_LONG,
        FailureCode.ATTRIBUTES_TOO_LARGE: FrameCode.ATTRIBUTES_TOO_LARGE,
        FailureCode.READ_ONLY: FrameCode.MESSAGE_REFUSED,
        FailureCode.RATE_LIMITED: FrameCode.MESSAGE_REFUSED,
        FailureCode.REFUSED: FrameCode.MESSAGE_REFUSED,
        FailureCode.TOO_MANY_WAITING: FrameCode.MESSAGE_REFUSED,
        FailureCode.OUTCOME_UNKNOWN: FrameCode.DELIVERY_UNKNOWN,
        FailureCode.NOT_REACHED: FrameCode.MESSAGE_REFUSED,
        FailureCode.SESSION_OVER: FrameCode.MESSAGE_REFUSED,
    }
)

END_OF: Final[Mapping[EndReason, GuestEnd]] = MappingProxyType(
    {
        EndReason.ENDED: GuestEnd.ENDED,
        EndReason.EXPIRED: GuestEnd.EXPIRED,
        EndReason.NOT_FOUND: GuestEnd.EXPIRED,
        EndReason.CLEARED: GuestEnd.CLEARED,
        EndReason.LOGGED_OUT: GuestEnd.LOGGED_OUT,
        EndReason.CONVERSATION_OVER: GuestEnd.CLOSED,
        EndReason.READ_ONLY: GuestEnd.CLOSED,
        EndReason.CANNOT_DOWNGRADE: GuestEnd.CLOSED,
        EndReason.SIGN_IN_REFUSED: GuestEnd.SIGNED_OUT,
        EndReason.REFUSED: GuestEnd.CLOSED,
    }
)
"""All but SIGNED_IN_ELSEWHERE, which is no end: another connection of the session stepped up."""

FAREWELL_OF: Final[Mapping[LeaveReason, Farewell]] = MappingProxyType(
    {
        LeaveReason.DRAINED: Farewell.RESTART,
        LeaveReason.UNREACHABLE: Farewell.TRY_AGAIN_LATER,
        LeaveReason.DISPLACED: Farewell.DISPLACED,
    }
)
