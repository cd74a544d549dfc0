"""What several processes do with one platform client, and with one guest, at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Final

from platform_rig import foundation_for, registration_at
from process_crowd import assemble
from store_rigs import StoreAddress

from bff.adapters.genesys_cloud import GenesysCloud
from bff.adapters.system import SystemClock
from bff.errors import BffError, RateLimitedError
from bff.guests.guest_limits import GuestLimits
from bff.guests.platform_client import PlatformClient

THREADS: Final = 40
PATIENT: Final = timedelta(seconds=50)


def tokens_together(address: StoreAddress, url: str) -> list[str]:
    """Ask for a token in 40 threads, as others do; return the tokens, or the codes of failures."""
    clock = SystemClock()
    foundation = foundation_for(address.open(), clock)
    cloud = GenesysCloud(registration_at(url), clock=clock)
    tokens = PlatformClient(foundation, platform=cloud).tokens

    def ask(_: int) -> str:
        try:
            return tokens.current(deadline=clock.now() + PATIENT)
        except BffError as error:
            return error.code

    with ThreadPoolExecutor(THREADS) as pool:
        foundation.store.ping()
        assemble()
        return list(pool.map(ask, range(THREADS)))


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
