"""When sessions end by themselves: found by the minute, without looking at all the others."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from bff.errors import UnreadableRecordError
from bff.ports import Foundation
from bff.signin.records import BrowserSession, EndedBy, SessionKey

log = logging.getLogger(__name__)

BUCKET: Final = timedelta(minutes=1)
AFTERLIFE: Final = timedelta(days=1)
"""How long a session and its tokens are kept past their end, so that it can be noticed.

A service that was stopped for a night still revokes what ran out meanwhile, and says whose it was.
"""

LIMIT: Final = 1000
"""So many sessions are looked at in one round; the rest is for the next."""

LOOK_AGAIN: Final = 10
"""Minutes after which one that cannot be read is looked at again."""

SKEW: Final = timedelta(minutes=5)
"""Clocks of several processes differ by less than this."""

CURSOR: Final = "session-expiry"
CURSOR_LIFE: Final = timedelta(days=400)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Sessions(Protocol):
    """Where sessions are read, and those that are over with them."""

    def record(self, key: SessionKey) -> BrowserSession | None:
        """Return the session of that key, even past its end."""


class Ends(Protocol):
    """Who ends sessions."""

    def end(self, key: SessionKey, *, by: EndedBy, soon: bool) -> object | None:
        """End it, and ask nobody else now if `soon`; None if there was nothing to end."""


class ExpiryIndex:
    """Lists sessions by the minute in which they end if nobody uses them again."""

    def __init__(self, foundation: Foundation) -> None:
        self._store = foundation.store
        self._clock = foundation.clock

    def watch(self, session: BrowserSession) -> None:
        """Have this session looked at when it ends. It stays listed there if it is used."""
        left = max(session.ends_at - self._clock.now(), timedelta(0))
        bucket = _group(_number(session.ends_at))
        self._store.join(bucket, session.key, ttl=left + AFTERLIFE)


class ExpirySweep:
    """Ends what has run out. A used session moves on to its new minute, once for each idle limit.

    The place where the last round stopped lies in the store. Whoever dies in a round has ended
    what it ended; the next round goes on from there.
    """

    def __init__(self, foundation: Foundation, *, sessions: Sessions, ends: Ends) -> None:
        self._store = foundation.store
        self._clock = foundation.clock
        self._index = ExpiryIndex(foundation)
        self._sessions = sessions
        self._ends = ends

    def once(self) -> int:
        """End the sessions that have run out; return how many. Raises StoreDownError."""
        current = _number(self._clock.now())
        looked = ended = 0
        for number in range(self._first(), current + 1):
            listed = self._store.members(_group(number))
            for key in listed[: LIMIT - looked]:
                ended += self._look(number, SessionKey(key))
            looked += len(listed)
            if looked > LIMIT:
                break
            if number < current and (listed or number == current - 1):
                self._store.put(CURSOR, str(number).encode(), ttl=CURSOR_LIFE)
        return ended

    def _first(self) -> int:
        oldest = _number(self._clock.now() - AFTERLIFE)
        held = self._store.get(CURSOR)
        if held is None or not held.value.isdigit():
            return oldest
        after = int(held.value) + 1
        # A clock that was wrong once has written of a time to come: nothing would end until then.
        return max(oldest, after) if after <= _number(self._clock.now() + SKEW) else oldest

    def _look(self, number: int, key: SessionKey) -> bool:
        try:
            session = self._sessions.record(key)
        except UnreadableRecordError:
            # A newer version's, or its key is away: nobody can tell whether it is over yet.
            self._store.join(_group(number + LOOK_AGAIN), key, ttl=AFTERLIFE)
            self._store.leave(_group(number), key)
            return False
        if session is not None and session.ends_at > self._clock.now():
            if _number(session.ends_at) != number:
                self._index.watch(session)
                self._store.leave(_group(number), key)
            return False
        # Without a session there may still be tokens: of a sign-in that was cut short.
        # A thousand that run out in one minute must not ask Genesys all at once: the round does.
        ended = self._ends.end(key, by=EndedBy.EXPIRY, soon=True) is not None
        self._store.leave(_group(number), key)
        return ended


def _number(moment: datetime) -> int:
    return (moment - _EPOCH) // BUCKET


def _group(number: int) -> str:
    return f"session-expiry:{number}"
