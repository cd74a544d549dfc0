"""The platform API's tokens: given to clients, asked for by every door that wants one, counted."""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bff.ports import Clock, Entropy
from bff.simulator.genesys_errors import PlatformRefusal
from bff.simulator.genesys_limits import PLATFORM_REQUESTS, Windows
from bff.simulator.genesys_settings import PlatformClient

if TYPE_CHECKING:
    from datetime import datetime

NOT_AUTHENTICATED: Final = 401
TOO_MANY: Final = 429


@dataclass(slots=True, kw_only=True)
class PlatformCounters:
    """What happened so far, for tests that ask the server and not its client."""

    platform_tokens_given: int = 0
    platform_clients_refused: int = 0
    platform_calls_refused: int = 0
    guests_made: int = 0


class PlatformTokens:
    """Which tokens are good, until when, and how often each was used in a minute."""

    def __init__(self, *, clock: Clock, entropy: Entropy) -> None:
        self.counters = PlatformCounters()
        self._clock = clock
        self._entropy = entropy
        self._lock = threading.Lock()
        self._windows = Windows(clock)
        self._good: dict[str, datetime] = {}

    def give(self, client: PlatformClient) -> str:
        """Return a new token; those given before stay good."""
        token = self._entropy.token(32)
        with self._lock:
            self._good[token] = self._clock.now() + client.token_life
            self.counters.platform_tokens_given += 1
        return token

    def check(self, token: str) -> None:
        """Count one request. Raises PlatformRefusal 401 or 429."""
        with self._lock:
            ends_at = self._good.get(token)
            if ends_at is None or ends_at <= self._clock.now():
                self.counters.platform_calls_refused += 1
                raise PlatformRefusal(NOT_AUTHENTICATED, "Invalid login credentials.")
            wait = self._windows.wait(PLATFORM_REQUESTS, token)
        if wait is not None:
            raise PlatformRefusal(
                TOO_MANY,
                f"Rate limit exceeded the maximum [{PLATFORM_REQUESTS.count}] requests "
                f"within [{int(PLATFORM_REQUESTS.window.total_seconds())}] seconds",
                retry_after=wait,
            )

    def revoke_all(self) -> None:
        """Let every token that was given so far be refused, before its time."""
        with self._lock:
            self._good.clear()

    def count_guest(self) -> None:
        """Count a guest that was made."""
        with self._lock:
            self.counters.guests_made += 1

    def count_refused_client(self) -> None:
        """Count a client that did not prove itself."""
        with self._lock:
            self.counters.platform_clients_refused += 1

    def reset_counters(self) -> None:
        """Count from nought again."""
        with self._lock:
            self.counters = PlatformCounters()
