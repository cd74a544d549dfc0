"""Why a sign-in ended, in the words of the guest socket."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bff.guests.frame_errors import GuestEnd
from bff.signin.records import EndReason
from bff.signin.session_news import SessionEnded

_ENDS: Final[Mapping[EndReason, GuestEnd]] = MappingProxyType(
    {
        EndReason.SIGNED_OUT: GuestEnd.SIGNED_OUT,
        EndReason.REVOKED: GuestEnd.REVOKED,
        EndReason.PROVIDER_LOGOUT: GuestEnd.REVOKED,
        EndReason.REFUSED: GuestEnd.SIGNED_OUT,
        EndReason.EXPIRED: GuestEnd.SIGNED_OUT,
        # Perhaps the same person: the page comes back with its new cookie and is told.
        EndReason.REPLACED: GuestEnd.SOMEBODY_ELSE,
        EndReason.CONVERSATION_ENDED: GuestEnd.ENDED,
    }
)


def guest_end(news: SessionEnded | None) -> GuestEnd | None:
    """Return what `GuestRelay.heard_of_session` is told; None: news may have been missed."""
    return None if news is None else _ENDS[news.reason]
