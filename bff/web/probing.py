"""How often somebody may try a door for which they have no token."""

from datetime import timedelta
from typing import Final

from flask import request

from bff.errors import RateLimitedError
from bff.signin.fingerprints import hashed
from bff.signin.households import household
from bff.web.doorway import services

WINDOW: Final = timedelta(minutes=1)


def limit_probes(what: str, *, of_household: int, of_all: int) -> None:
    """Count one try. Raises RateLimitedError for one too many.

    To be called after the right token was told from wrong ones: who has it is never counted.
    """
    store = services().store
    whose = hashed(household(request.remote_addr or ""))
    own = store.count(f"{what}:{whose}", window=WINDOW)
    if own.value > of_household:
        raise RateLimitedError(f"{what} of one household", retry_after=own.resets_in)
    every = store.count(what, window=WINDOW)
    if every.value > of_all:
        raise RateLimitedError(f"{what} of all", retry_after=every.resets_in)
