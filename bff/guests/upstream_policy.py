"""The numbers of an upstream in one table, and how long to wait before dialling again."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bff.ports import Entropy

FRACTION_BYTES: Final = 6
MIN_BETWEEN_HEALTH_CHECKS: Final = timedelta(seconds=30)
LONGEST_CONNECTION: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamPolicy:
    """Limits and patience. The defaults are Genesys' limits with a little room below them."""

    max_waiting: int = 64
    max_waiting_bytes: int = 256 * 1024
    # One: whatever Genesys refuses, nothing that was said later has been taken before it.
    max_in_flight: int = 1
    tries_of_a_message: int = 3
    messages_a_second: int = 5
    requests_a_minute: int = 58  # of 60: the rest is for a health check and a closing word

    back_off_step: timedelta = timedelta(seconds=5)
    back_off_longest: timedelta = timedelta(seconds=30)
    give_up_after: timedelta = timedelta(seconds=300)
    steady_after: timedelta = timedelta(seconds=30)

    connect_patience: timedelta = timedelta(seconds=15)
    configure_patience: timedelta = timedelta(seconds=30)
    jwt_patience: timedelta = timedelta(seconds=60)
    echo_patience: timedelta = timedelta(seconds=30)

    # Genesys cuts after two hours. Those that came together do not all come back together.
    renew_after: timedelta = timedelta(hours=1, minutes=55)
    renewal_spread: timedelta = timedelta(minutes=10)
    renew_at_the_latest: timedelta = timedelta(hours=1, minutes=58)

    ping_after: timedelta = timedelta(minutes=2)
    pong_patience: timedelta = timedelta(seconds=20)

    # What Genesys had received when the socket broke may be heard a moment later.
    settle: timedelta = timedelta(seconds=1)
    # So often while the doubtful messages wait, then so often at leisure for what was missed.
    history_tries: int = 3
    history_tries_at_leisure: int = 10
    history_leisure: timedelta = timedelta(minutes=1)
    history_pages: int = 4
    history_patience: timedelta = timedelta(seconds=20)

    end_patience: timedelta = timedelta(seconds=10)
    drain_patience: timedelta = timedelta(seconds=5)  # a server has 10 s to stop
    finish_patience: timedelta = timedelta(seconds=60)

    def __post_init__(self) -> None:
        """Refuse what would break Genesys' limits."""
        if self.ping_after < MIN_BETWEEN_HEALTH_CHECKS:
            raise ValueError("health checks are at least 30 s apart")
        if not self.renewal_spread < self.renew_after <= self.renew_at_the_latest:
            raise ValueError("a connection is renewed after its spread and before the latest time")
        if self.renew_at_the_latest >= LONGEST_CONNECTION:
            raise ValueError("a connection must be renewed before Genesys cuts it")


class Redial:
    """Full jitter: any time between nothing and a ceiling that grows by a step each time."""

    __slots__ = ("_attempts", "_entropy", "_policy")

    def __init__(self, policy: UpstreamPolicy, entropy: Entropy) -> None:
        self._policy = policy
        self._entropy = entropy
        self._attempts = 0

    def start_over(self) -> None:
        """Forget the failures: a connection has held."""
        self._attempts = 0

    def wait(self) -> timedelta:
        """Return how long to wait before the next attempt."""
        self._attempts += 1
        ceiling = min(self._policy.back_off_step * self._attempts, self._policy.back_off_longest)
        return ceiling * self.fraction()

    def fraction(self) -> float:
        """Return a random share between nothing and (not quite) all."""
        drawn = int.from_bytes(self._entropy.bytes(FRACTION_BYTES), "big")
        return drawn / (1 << 8 * FRACTION_BYTES)
