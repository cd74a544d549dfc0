"""What goes on behind sign-outs: ends that were cut short, providers to be told, what ran out."""

import logging
import threading
from datetime import timedelta
from typing import Final

from bff.background.jobs import Job
from bff.background.runner import BackgroundRunner
from bff.errors import BffError
from bff.ports import Store
from bff.signin.session_end import SessionEnder
from bff.signin.session_expiry import ExpirySweep

log = logging.getLogger(__name__)

LEASE: Final = "session-round"
PAUSE: Final = timedelta(seconds=30)
PATIENCE: Final = timedelta(minutes=30)
"""A round with many ends, at a provider that takes its time, is long and not stalled."""

JOB: Final = "session-ends"


class SessionRounds:
    """One round every `every` among all processes; what this process has put off, at once.

    Providers that were away are asked again by `RevocationRounds`.
    """

    def __init__(
        self,
        ends: SessionEnder,
        sweep: ExpirySweep,
        *,
        store: Store,
        every: timedelta = PAUSE,
        runner: BackgroundRunner | None = None,
    ) -> None:
        self._ends = ends
        self._sweep = sweep
        self._store = store
        self._every = every
        self._runner = runner or BackgroundRunner()

    @property
    def wake(self) -> threading.Event:
        """Is set when something could be done at once."""
        return self._ends.revocations.waiting

    def start(self) -> None:
        """Begin, as a job of this process; whoever stops its jobs stops this one."""
        self._runner.start(
            Job(
                name=JOB,
                once=self.once,
                every=self._every,
                wake=self.wake,
                expected=(BffError,),
                patience=PATIENCE,
            )
        )

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
