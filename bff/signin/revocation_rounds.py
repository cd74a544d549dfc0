"""Goes round, now and then, to tell providers what they could not be told at a sign-out."""

from datetime import timedelta
from typing import Final

from bff.background.jobs import Job
from bff.background.runner import BackgroundRunner
from bff.errors import BffError
from bff.ports import Store
from bff.signin.sign_out import SignOut

LEASE: Final = "revocation-round"
PAUSE: Final = timedelta(seconds=30)
PATIENCE: Final = timedelta(minutes=30)
"""A round with many tokens, at a provider that takes its time, is long and not stalled."""

JOB: Final = "revocations"


class RevocationRounds:
    """One round every `every` among all processes, as long as one of them runs.

    Not on a request's back: a provider that is down would make somebody wait for it.
    """

    def __init__(
        self,
        sign_out: SignOut,
        *,
        store: Store,
        every: timedelta = PAUSE,
        runner: BackgroundRunner | None = None,
    ) -> None:
        self._sign_out = sign_out
        self._store = store
        self._every = every
        self._runner = runner or BackgroundRunner()

    def start(self) -> None:
        """Begin, as a job of this process."""
        self._runner.start(
            Job(
                name=JOB,
                once=self.once,
                every=self._every,
                expected=(BffError,),
                patience=PATIENCE,
            )
        )

    def stop(self) -> None:
        """End after the round that is under way. Does not wait for it."""
        self._runner.stop(JOB, limit=timedelta(0))

    def once(self) -> int:
        """Do one round, unless some process did in the last `every`; return how many were told."""
        # Never given back: that it runs out is what keeps the rounds apart.
        if self._store.acquire_lease(LEASE, ttl=self._every) is None:
            return 0
        return self._sign_out.retry_revocations()
