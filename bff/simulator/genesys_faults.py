"""Misbehaviour on command: the next so many requests at a door fail, or are slow."""

import threading
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from bff.ports import Clock
from bff.simulator.genesys_errors import PlatformRefusal


class Door(StrEnum):
    """Where a fault can strike."""

    TOKEN = "token"  # noqa: S105 - the name of an endpoint
    GUESTS = "guests"
    GDPR = "gdpr"
    IMPORT = "import"
    CALLBACKS = "callbacks"
    UPGRADE = "upgrade"
    CONFIG = "config"
    EXCHANGE = "exchange"
    REFRESH = "refresh"
    REVOKE = "revoke"
    HISTORY = "history"
    CONFIGURE = "configure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens instead of an answer; a fault without a status is only slow."""

    status: int | None = None
    message: str = "A fault was ordered."
    retry_after: timedelta | None = None
    delay: timedelta = timedelta(0)


class Faults:
    """The faults that are still to come, for each door in the order they were asked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._coming: dict[Door, list[Fault]] = {}

    def order(self, door: Door, fault: Fault, *, times: int = 1) -> None:
        """Let `fault` strike the next `times` requests at `door`, after those already ordered."""
        with self._lock:
            self._coming.setdefault(door, []).extend([fault] * times)

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._coming.clear()

    def pending(self) -> dict[str, int]:
        """Return how many faults are still to come, for each door."""
        with self._lock:
            return {door.value: len(faults) for door, faults in self._coming.items() if faults}

    def strike(self, door: Door) -> None:
        """Raise PlatformRefusal if a fault is due at `door`; be slow if that was ordered."""
        with self._lock:
            coming = self._coming.get(door)
            fault = coming.pop(0) if coming else None
        if fault is None:
            return
        if fault.delay:
            self._clock.sleep(fault.delay)
        if fault.status is not None:
            raise PlatformRefusal(fault.status, fault.message, retry_after=fault.retry_after)
