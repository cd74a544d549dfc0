"""What several processes do to one limit at the same moment."""

from contextlib import suppress

from process_crowd import assemble
from store_rigs import StoreAddress

from bff.adapters.system import SystemClock
from bff.errors import RateLimitedError
from bff.guests.guest_limits import GuestLimits


def sessions_together(address: StoreAddress, times: int) -> int:
    """Ask for new sessions of one address; return how many were admitted."""
    store = address.open()
    limits = GuestLimits(store, clock=SystemClock())
    store.ping()
    assemble()
    admitted = 0
    for _ in range(times):
        with suppress(RateLimitedError):
            limits.admit_session(address="192.0.2.7", device=None)
            admitted += 1
    return admitted
