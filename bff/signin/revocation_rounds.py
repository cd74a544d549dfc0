"""Goes round, now and then, to tell providers what they could not be told at a sign-out."""

import logging
import threading
from datetime import timedelta
from typing import Final

from bff.errors import BffError
from bff.ports import Store
from bff.signin.sign_out import SignOut

log = logging.getLogger(__name__)

LEASE: Final = "revocation-round"
PAUSE: Final = timedelta(seconds=30)


class RevocationRounds:
    """One round every `every` among all processes, as long as one of them runs.

    Not on a request's back: a provider that is down would make somebody wait for it.
    """

    def __init__(self, sign_out: SignOut, *, store: Store, every: timedelta = PAUSE) -> None:
        self._sign_out = sign_out
        self._store = store
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_round, name="revocations", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round that is under way. Does not wait for it."""
        self._over.set()

    def once(self) -> int:
        """Do one round, unless some process did in the last `every`; return how many were told."""
        # Never given back: that it runs out is what keeps the rounds apart.
        if self._store.acquire_lease(LEASE, ttl=self._every) is None:
            return 0
        return self._sign_out.retry_revocations()

    def _go_round(self) -> None:
        while not self._over.wait(self._every.total_seconds()):
            try:
                self.once()
            except BffError as error:
                log.warning("revocations wait for the next round: %s", error.detail)
