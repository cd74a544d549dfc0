"""Tells providers at once what sign-outs of this process have put off."""

import logging
import threading
from datetime import timedelta
from typing import Final

from bff.background.jobs import Job
from bff.background.runner import BackgroundRunner
from bff.errors import BffError
from bff.signin.session_end import SessionEnder

log = logging.getLogger(__name__)

PAUSE: Final = timedelta(seconds=30)
PATIENCE: Final = timedelta(minutes=30)
"""A round with many ends, at a provider that takes its time, is long and not stalled."""

JOB: Final = "session-ends"


class SessionRounds:
    """Works whenever an end of a session leaves something to the background.

    What fails here waits in the store for `RevocationRounds`, which one of all processes does.
    """

    def __init__(
        self,
        ends: SessionEnder,
        *,
        every: timedelta = PAUSE,
        runner: BackgroundRunner | None = None,
    ) -> None:
        self._ends = ends
        self._every = every
        self._runner = runner or BackgroundRunner()

    @property
    def wake(self) -> threading.Event:
        """Is set when something could be done at once."""
        return self._ends.revocations.waiting

    def start(self) -> None:
        """Begin, as a job of this process."""
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

    def stop(self) -> None:
        """End after the round that is under way. Does not wait for it."""
        self._runner.stop(JOB, limit=timedelta(0))

    def once(self) -> int:
        """Tell what this process has put off; return how many were told."""
        self.wake.clear()
        return self._ends.revocations.tell_fresh()
