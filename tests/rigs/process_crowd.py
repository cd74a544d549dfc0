"""Runs one job in several real processes that start at the same moment."""

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Any, Final, Self, TypeVar

SECONDS_TO_ASSEMBLE: Final = 60.0
SECONDS_TO_FINISH: Final = 60.0

Result = TypeVar("Result")

_barrier: threading.Barrier | None = None


def assemble() -> None:
    """In a job: wait until every process of the crowd, and whoever asked for it, is here."""
    if _barrier is None:
        raise RuntimeError("not in a crowd")
    _barrier.wait(SECONDS_TO_ASSEMBLE)


def _enter(barrier: threading.Barrier) -> None:
    global _barrier  # noqa: PLW0603 - how a process pool gives a barrier to its workers
    _barrier = barrier


class Crowd:
    """Processes made by spawning: nothing is shared with this one but what they are given.

    Each job must call `assemble` once, and so must the test, with `go`.
    """

    def __init__(self, size: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._barrier: Any = context.Barrier(size + 1)
        self._pool = ProcessPoolExecutor(
            size, mp_context=context, initializer=_enter, initargs=(self._barrier,)
        )

    def start(self, job: Callable[..., Result], *arguments: Any) -> "Future[Result]":
        return self._pool.submit(job, *arguments)

    def go(self) -> None:
        self._barrier.wait(SECONDS_TO_ASSEMBLE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A test that fails early must not leave its crowd waiting.
        self._barrier.abort()
        self._pool.shutdown(cancel_futures=True)


def all_at_once(size: int, job: Callable[..., Result], *arguments: Any) -> list[Result]:
    """Run `job` with the same arguments in `size` processes; return what each returned."""
    with Crowd(size) as crowd:
        futures = [crowd.start(job, *arguments) for _ in range(size)]
        crowd.go()
        return [future.result(SECONDS_TO_FINISH) for future in futures]
