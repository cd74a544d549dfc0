"""One supervised runner for everything that goes on behind the requests of a process.

A thread that dies of an exception is the quietest fault there is: all looks well, and nothing is
done. Here a job that dies is written down, counted, and started again; one that hangs is told.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bff.background.jobs import Job, JobHealth, JobState, Pulse
from bff.ports import Clock

log = logging.getLogger(__name__)

LEAVE_LIMIT: Final = timedelta(seconds=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """How long a job that died is left alone: `first`, then twice as long each time."""

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=30)

    def pause(self, deaths: int) -> timedelta:
        """Return the pause after this many deaths in a row."""
        return min(self.longest, self.first * float(2 ** min(deaths - 1, 16)))


class BackgroundRunner:
    """The jobs of one process, each in a thread of its own. Safe for threads.

    `steady` are seconds that only grow: no clock that is set makes a job look stalled. `clock`
    tells when a job last succeeded; without it nobody knows.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        back_off: BackOff | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._back_off = back_off or BackOff()
        self._steady = steady
        self._lock = threading.Lock()
        self._running: dict[str, RunningJob] = {}

    def start(self, job: Job) -> "RunningJob":
        """Begin a job. Idempotent: one that runs under this name goes on, and is returned."""
        with self._lock:
            known = self._running.get(job.name)
            if known is not None and not known.stopping:
                return known
            running = RunningJob(job, self._clock, self._back_off, self._steady)
            self._running[job.name] = running
        running.begin()
        return running

    def stop(self, name: str | None = None, *, limit: timedelta = LEAVE_LIMIT) -> None:
        """Ask one job, or all, to end, and wait for it at most `limit` for each. Idempotent."""
        with self._lock:
            leaving = [one for one in self._running.values() if name in {None, one.job.name}]
        for one in leaving:
            one.ask_to_stop()
        for one in leaving:
            one.join(limit)

    def health(self) -> tuple[JobHealth, ...]:
        """Say how each job is. One whose thread is gone is started again by this."""
        with self._lock:
            jobs = tuple(self._running.values())
        return tuple(job.looked_at() for job in jobs)

    def ailing(self) -> tuple[JobHealth, ...]:
        """Return the jobs that do not do their work."""
        return tuple(health for health in self.health() if not health.well)


class RunningJob:
    """One job and its thread. Keeps `jobs.Pulse`."""

    def __init__(
        self, job: Job, clock: Clock | None, back_off: BackOff, steady: Callable[[], float]
    ) -> None:
        self.job = job
        self._clock = clock
        self._back_off = back_off
        self._steady = steady
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._busy_since: float | None = None
        self._deaths = 0
        self._restarts = 0
        self._last_success: datetime | None = None
        self._error: str | None = None

    # jobs.Pulse

    @property
    def stopping(self) -> bool:
        """Say whether the job is asked to return."""
        return self._over.is_set()

    def beat(self) -> None:
        """Say that it works."""
        self._busy_since = self._steady()
        self._deaths = 0
        self._error = None
        self._last_success = self._clock.now() if self._clock is not None else None

    def failed(self, error: Exception) -> None:
        """Say that it could not do its work, for a reason that it expects."""
        self._error = type(error).__name__

    def wait(self, duration: timedelta) -> None:
        """Wait, but not longer than the job may go on."""
        self._over.wait(duration.total_seconds())

    # The runner

    def begin(self) -> None:
        """Start its thread, unless there is one. Where none can be had, the job is dead for now."""
        with self._lock:
            if self._over.is_set() or self.is_alive():
                return
            self._succeeded()

    def ask_to_stop(self) -> None:
        """Ask it to return."""
        self._over.set()
        if self.job.wake is not None:
            self.job.wake.set()

    def join(self, limit: timedelta) -> None:
        """Wait until it has returned, at most `limit`."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        if thread.is_alive():
            thread.join(limit.total_seconds())

    def is_alive(self) -> bool:
        """Say whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def looked_at(self) -> JobHealth:
        """Say how it is, and start it again if its thread is gone."""
        state = self._state()
        if state is JobState.DEAD:
            self.begin()
        return JobHealth(
            name=self.job.name,
            state=state,
            restarts=self._restarts,
            last_success=self._last_success,
            error=self._error,
        )

    def _state(self) -> JobState:
        if self._over.is_set():
            return JobState.STOPPED
        if not self.is_alive():
            return JobState.DEAD
        if self._deaths:
            return JobState.RESTARTING
        busy_since = self._busy_since
        patience = self.job.patience.total_seconds()
        if busy_since is not None and self._steady() - busy_since > patience:
            return JobState.STALLED
        return JobState.RUNNING

    # Its thread

    def _succeeded(self) -> bool:
        """Put a fresh thread in the place of the one that was; False if none can be had."""
        thread = threading.Thread(target=self._live, name=self.job.name, daemon=True)
        before, self._thread = self._thread, thread
        try:
            thread.start()
        except Exception as error:  # noqa: BLE001 - no thread, no memory: whatever it is
            self._thread = before
            self._note(error)
            return False
        return True

    def _live(self) -> None:
        while not self._over.is_set():
            try:
                self._work_until_death()
            except BaseException as error:  # noqa: BLE001 - a killed greenlet, SystemExit
                # Somebody ends this very thread: it goes, and the job goes on in another.
                if self._over.is_set():
                    return
                self._note(error)
                with self._lock:
                    if self._succeeded():
                        return

    def _work_until_death(self) -> None:
        try:
            if self._deaths:
                self.wait(self._back_off.pause(self._deaths))
            if not self._over.is_set():
                self._work()
        except Exception as error:  # noqa: BLE001 - whatever it died of, it is needed
            self._note(error)
        finally:
            self._busy_since = None

    def _work(self) -> None:
        self._busy_since = self._steady()
        if self.job.loop is not None:
            self._looped(self.job.loop)
        elif self.job.once is not None:
            self._rounds(self.job.once)

    def _looped(self, loop: Callable[[Pulse], object]) -> None:
        loop(self)
        if not self._over.is_set():
            raise RuntimeError(f"the job {self.job.name} has returned, and nobody asked it to")

    def _rounds(self, once: Callable[[], object]) -> None:
        while not self._over.is_set():
            self._busy_since = None
            if not self._deaths:
                self._rest()
            if self._over.is_set():
                return
            self._busy_since = self._steady()
            try:
                once()
            except self.job.expected as error:
                log.warning("%s waits for its next round: %s", self.job.name, error)
                self._deaths = 0
                self.failed(error)
            else:
                self.beat()

    def _rest(self) -> None:
        wake = self.job.wake or self._over
        wake.wait(self.job.every.total_seconds())
        if self.job.wake is not None:
            self.job.wake.clear()

    def _note(self, error: BaseException) -> None:
        known = self._deaths > 0 and self._error == type(error).__name__
        self._deaths += 1
        self._restarts += 1
        self._error = type(error).__name__
        # Where even this fails, there is no memory left: the job is what must go on.
        with suppress(Exception):
            log.error(
                "background job %s died (%s, %d in a row) and is started again",
                self.job.name,
                self._error,
                self._deaths,
                # The same again and again is told in a line.
                exc_info=None if known else error,
            )
