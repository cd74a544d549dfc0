"""Tells providers at once what sign-outs of this process have put off."""

import logging
import threading
from datetime import timedelta
from typing import Final

from bff.errors import BffError
from bff.signin.session_end import SessionEnder

log = logging.getLogger(__name__)

PAUSE: Final = timedelta(seconds=30)


class SessionRounds:
    """Works whenever an end of a session leaves something to the background.

    What fails here waits in the store for `RevocationRounds`, which one of all processes does.
    """

    def __init__(self, ends: SessionEnder, *, every: timedelta = PAUSE) -> None:
        self._ends = ends
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

    def once(self) -> int:
        """Tell what this process has put off; return how many were told."""
        self.wake.clear()
        return self._ends.revocations.tell_fresh()

    def _go_round(self) -> None:
        while not self._over.is_set():
            self.wake.wait(self._every.total_seconds())
            try:
                self.once()
            except BffError as error:
                log.warning("ends of sessions wait for the next round: %s", error.detail)
            except Exception:
                # Whatever it was, sign-outs must not wait for a restart.
                log.exception("sessions: a round failed")
