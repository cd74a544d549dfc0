"""Why a sign-in ended, in the words of a guest session."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bff.guests.frame_errors import GuestEnd
from bff.signin.records import EndReason

GUEST_END_OF: Final[Mapping[EndReason, GuestEnd | None]] = MappingProxyType(
    {
        EndReason.SIGNED_OUT: GuestEnd.SIGNED_OUT,
        EndReason.REVOKED: GuestEnd.REVOKED,
        EndReason.PROVIDER_LOGOUT: GuestEnd.REVOKED,
        EndReason.REFUSED: GuestEnd.REVOKED,
        EndReason.EXPIRED: GuestEnd.SIGNED_OUT,
        EndReason.REPLACED: None,
    }
)
"""What `GuestRelay.heard_of_session` is told. None: look how things stand."""
