"""The machine's own clock and randomness: the only room that reads either."""

import base64
import secrets  # noqa: TID251 - this is the room
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The wall clock. `shift` moves it, for QA that sleeps a night in a second."""

    def __init__(self) -> None:
        self.shift = timedelta(0)

    def now(self) -> datetime:
        """Return the current time, aware, in UTC, plus `shift`."""
        now = datetime.now(UTC)  # noqa: TID251 - this is the room
        return now + self.shift if self.shift else now

    def sleep(self, duration: timedelta) -> None:
        """Let other work run for `duration` of real time."""
        time.sleep(max(0.0, duration.total_seconds()))  # noqa: TID251 - this is the room


class SystemEntropy:
    """The operating system's generator."""

    def bytes(self, count: int) -> bytes:
        """Return `count` unpredictable bytes."""
        return secrets.token_bytes(count)

    def token(self, count: int = 32) -> str:
        """Return `count` unpredictable bytes as base64url text without padding."""
        return base64.urlsafe_b64encode(self.bytes(count)).rstrip(b"=").decode()
