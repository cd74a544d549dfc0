"""How many new sessions, messages and typing signs are welcome, keyed on what we know ourselves.

Moving windows: within any second at most five messages, wherever the second begins. A fixed
window lets nine through in a moment around its end, and Genesys would refuse what we accepted.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from limits import RateLimitItem, parse_many
from limits.strategies import MovingWindowRateLimiter

from bff.errors import RateLimitedError, SettingsError
from bff.guests.limit_storage import StoreWindows
from bff.ports import Clock, Store
from bff.signin.households import household

_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitPolicy:
    """The limits as the `limits` library writes them; several are parted by a semicolon.

    Messages and typing are the limits of Genesys' web messaging itself.
    """

    sessions: str = "10/minute"
    messages: str = "5/second;60/minute"
    typing: str = "1/5second"


class GuestLimits:
    """Admits, or raises RateLimitedError with the time after which there is room again.

    StoreDownError if the store is away: what cannot be counted is not admitted.
    """

    def __init__(self, store: Store, *, clock: Clock, policy: LimitPolicy | None = None) -> None:
        chosen = policy or LimitPolicy()
        self._clock = clock
        self._windows = MovingWindowRateLimiter(StoreWindows(store, clock=clock))
        self._sessions = _items(chosen.sessions)
        self._messages = _items(chosen.messages)
        self._typing = _items(chosen.typing)

    def admit_session(self, *, address: str, device: str | None) -> None:
        """Admit one more new session of this address and, if we know it, of this device.

        `device` is what our own cookie says, never what a page says: whoever could choose it
        would have a new one for each session. Without it the address alone counts.
        """
        self._admit_one("sessions", address, device)

    def refuse_session(self, *, address: str, device: str | None) -> None:
        """Count a session that was asked for in vain; as many are borne as there may be new ones.

        Counted apart from new ones, and only when it has failed: whoever comes back with what is
        theirs is held up by nobody, whatever others behind the same address try.
        """
        self._admit_one("refusals", address, device)

    def _admit_one(self, what: str, address: str, device: str | None) -> None:
        # The device first: what one browser was refused is not counted against its whole office.
        if device is not None:
            self._admit(self._sessions, f"{what} of a device", device)
        self._admit(self._sessions, f"{what} of an address", household(address))

    def admit_message(self, session: str) -> None:
        """Admit one more message of this session."""
        self._admit(self._messages, "messages", session)

    def admit_typing(self, session: str) -> None:
        """Admit one more sign of typing in this session."""
        self._admit(self._typing, "typing", session)

    def _admit(self, items: Sequence[RateLimitItem], what: str, whose: str) -> None:
        place = (what.replace(" ", "-"), _hashed(whose))
        # The shortest window first: what it refuses takes no place in the longer ones.
        if not all(self._windows.hit(item, *place) for item in items):
            wait = max(self._wait(item, place) for item in items)
            raise RateLimitedError(f"too many {what}", retry_after=wait)

    def _wait(self, item: RateLimitItem, place: tuple[str, str]) -> timedelta:
        """Return how long until `item` has room; the answer is good for all limits at once."""
        oldest_ends, room = self._windows.get_window_stats(item, *place)
        if room > 0:
            return _MILLISECOND
        left = oldest_ends - self._clock.now().timestamp()
        return max(math.ceil(left * 1000), 1) * _MILLISECOND


def _items(spelled: str) -> list[RateLimitItem]:
    try:
        return sorted(parse_many(spelled), key=lambda item: item.get_expiry())
    except ValueError as error:
        raise SettingsError(f"{spelled!r} is not a limit such as 5/second;60/minute") from error


def _hashed(text: str) -> str:
    """Return a name of fixed length: neither addresses nor session ids stand in keys."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
