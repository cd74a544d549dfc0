"""What goes on behind sign-outs: ends that were cut short, providers to be told, what ran out."""

import logging
import threading
from datetime import timedelta
from typing import Final

from bff.errors import BffError
from bff.ports import Store
from bff.signin.session_end import SessionEnder
from bff.signin.session_expiry import ExpirySweep

log = logging.getLogger(__name__)

LEASE: Final = "session-round"
PAUSE: Final = timedelta(seconds=30)


class SessionRounds:
    """One round every `every` among all processes; what this process has put off, at once.

    Providers that were away are asked again by `RevocationRounds`.
    """

    def __init__(
        self, ends: SessionEnder, sweep: ExpirySweep, *, store: Store, every: timedelta = PAUSE
    ) -> None:
        self._ends = ends
        self._sweep = sweep
        self._store = store
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_round, name="session-ends", daemon=True)

    @property
    def wake(self) -> threading.Event:
        """Is set when something could be done at once."""
        return self._ends.revocations.waiting

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round that is under way. Does not wait for it."""
        self._over.set()
        self.wake.set()

    def once(self) -> None:
        """Tell what this process has put off; do a round, unless somebody did in the last `every`.

        Each part is done even if another fails. Raises what failed last.
        """
        self.wake.clear()
        parts = [self._ends.revocations.tell_fresh]
        # Never given back: that it runs out is what keeps the rounds apart.
        if self._store.acquire_lease(LEASE, ttl=self._every) is not None:
            parts = [self._sweep.once, self._ends.finish, *parts, self._ends.tell_genesys]
        failed: BffError | None = None
        for part in parts:
            try:
                part()
            except BffError as error:
                log.warning("sessions: a round is not complete: %s", error.detail)
                failed = error
        if failed is not None:
            raise failed

    def _go_round(self) -> None:
        while not self._over.is_set():
            self.wake.wait(self._every.total_seconds())
            try:
                if not self._over.is_set():
                    self.once()
            except BffError as error:
                log.warning("ends of sessions wait for the next round: %s", error.detail)
            except Exception:
                # Whatever it was, sign-outs must not wait for a restart.
                log.exception("sessions: a round failed")
                self._over.wait(self._every.total_seconds())
