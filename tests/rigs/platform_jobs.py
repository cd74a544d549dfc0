"""What several processes do with one platform client at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Final

from platform_rig import foundation_for, registration_at
from process_crowd import assemble
from store_rigs import StoreAddress

from bff.adapters.genesys_cloud import GenesysCloud
from bff.adapters.system import SystemClock
from bff.errors import BffError
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
