"""Lets only so many callers ask at a time; the others wait in line, as long as it moves."""

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from bff.errors import StoreDownError

RETRY_AFTER: Final = timedelta(seconds=1)


class Turnstile:
    """First come, first served. Safe for threads, for greenlets and after a fork.

    Whoever is inside reports how it ended: `passage` ends with one of `unreachable` if nobody
    answered. If nobody else was answered in that time either, everybody in the line is told at
    once: waiting in turn for a store that is away would take each of them a timeout longer.
    """

    def __init__(
        self,
        places: int,
        *,
        line: str,
        patience_s: float,
        unreachable: tuple[type[Exception], ...],
    ) -> None:
        self._places = places
        self._name = line
        self._patience_s = patience_s
        self._unreachable = unreachable
        self._reset()

    @contextmanager
    def passage(self) -> Iterator[None]:
        """Take a place for the length of the block. Raises StoreDownError if there is none."""
        if self._pid != os.getpid():
            # Whoever was inside or waited is in the parent.
            self._reset()
        self._enter()
        answered = self._answered
        try:
            yield
            self._answered += 1
        except self._unreachable:
            if answered == self._answered:
                self._send_away()
            raise
        except Exception:
            # It was refused: somebody is there.
            self._answered += 1
            raise
        finally:
            self._leave()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._free = self._places
        self._line: deque[_Waiting] = deque()
        self._answered = 0
        self._pid = os.getpid()

    def _enter(self) -> None:
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            waiting = _Waiting()
            self._line.append(waiting)
        try:
            waiting.told.wait(self._patience_s)
        except BaseException:
            # Whatever ends the caller while it waits, a place that it was given goes on.
            if not self._step_out(waiting):
                self._leave()
            raise
        if self._step_out(waiting):
            told = "nobody answers" if waiting.told.is_set() else "too many ask at once"
            raise StoreDownError(f"{self._name}: {told}", retry_after=RETRY_AFTER)

    def _step_out(self, waiting: "_Waiting") -> bool:
        """Say whether it was not let in."""
        with self._lock:
            if waiting.told.is_set():
                return not waiting.admitted
            self._line.remove(waiting)
            return True

    def _leave(self) -> None:
        with self._lock:
            if not self._line:
                self._free += 1
                return
            following = self._line.popleft()
            following.admitted = True
            following.told.set()

    def _send_away(self) -> None:
        with self._lock:
            while self._line:
                self._line.popleft().told.set()


class _Waiting:
    """One caller in the line: told once, that it may enter or that it need not wait."""

    __slots__ = ("admitted", "told")

    def __init__(self) -> None:
        self.told = threading.Event()
        self.admitted = False
