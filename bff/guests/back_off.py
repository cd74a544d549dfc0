"""Asking again: not too often, not all at once, and not for ever."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NoReturn, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from bff.errors import GenesysDownError
from bff.ports import Clock, Entropy

log = logging.getLogger(__name__)

T = TypeVar("T")

FRACTION_BYTES: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often to ask, how long to wait in between, and when to give up altogether."""

    tries: int = 4
    first_wait: timedelta = timedelta(seconds=1)
    longest_wait: timedelta = timedelta(seconds=20)
    deadline: timedelta = timedelta(seconds=60)


class BackOff:
    """Repeats what fails with GenesysDownError, and nothing else.

    The wait is what the other side asked for (`retry_after`), else exponential with full jitter:
    any time between nothing and the ceiling, so that those who failed together do not return
    together.
    """

    def __init__(self, patience: Patience, *, clock: Clock, entropy: Entropy) -> None:
        self.patience = patience
        self._clock = clock
        self._entropy = entropy

    def insist(
        self, attempt: Callable[[], T], *, deadline: datetime, tries: int | None = None
    ) -> T:
        """Return what `attempt` returns. The last GenesysDownError is raised when it is enough.

        That is after `tries` (else those of the patience), and before a wait that would end
        after `deadline`.
        """
        most = tries or self.patience.tries
        return Retrying(
            retry=retry_if_exception_type(GenesysDownError),
            wait=self._wait,
            stop=lambda state: self._is_enough(state, most, deadline),
            sleep=lambda seconds: self._clock.sleep(timedelta(seconds=seconds)),
            retry_error_callback=_give_up,
        )(attempt)

    def _wait(self, state: RetryCallState) -> float:
        asked_for = _failure(state).retry_after
        if asked_for:  # "now", or a date that has passed, would be no pause at all
            return asked_for.total_seconds()
        doubled: timedelta = self.patience.first_wait * 2 ** (state.attempt_number - 1)
        ceiling = min(doubled, self.patience.longest_wait)
        return ceiling.total_seconds() * self._fraction()

    def _fraction(self) -> float:
        drawn = int.from_bytes(self._entropy.bytes(FRACTION_BYTES), "big")
        return drawn / (1 << 8 * FRACTION_BYTES)

    def _is_enough(self, state: RetryCallState, most: int, deadline: datetime) -> bool:
        if state.attempt_number >= most:
            return True
        return self._clock.now() + timedelta(seconds=state.upcoming_sleep) > deadline


def _failure(state: RetryCallState) -> GenesysDownError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, GenesysDownError):
        raise TypeError("only GenesysDownError is repeated")
    return error


def _give_up(state: RetryCallState) -> NoReturn:
    error = _failure(state)
    tries = state.attempt_number
    detail = f"{error.detail}; gave up after {tries} {'try' if tries == 1 else 'tries'}"
    log.warning("genesys: %s", detail)
    raise GenesysDownError(detail, retry_after=error.retry_after) from error
