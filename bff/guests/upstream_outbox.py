"""Messages on their way: what waits, what was written, what nobody knows. Bounded, in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from bff.guests.upstream_frames import Payload, Said
from bff.guests.upstream_news import FailureCode
from bff.guests.upstream_policy import UpstreamPolicy

MAX_NAMES: Final = 8
# A little longer than a second: the network squeezes together what we wrote apart.
SECOND: Final = timedelta(seconds=1, milliseconds=200)
MINUTE: Final = timedelta(minutes=1)
NOTHING: Final = timedelta(0)
# Times are tidied away now and then, not for each message.
SPARE: Final = 16


class Place(StrEnum):
    """How far a message has come."""

    WAITING = "waiting"
    WRITTEN = "written"
    UNSURE = "unsure"


# A member of an enum is looked up slowly (Python 3.11), and these are wanted for each message.
_WAITING: Final = Place.WAITING
_WRITTEN: Final = Place.WRITTEN


class Item(Struct, kw_only=True):
    """One accepted message. `names` are the tracing ids that want to hear of it."""

    payload: Payload
    names: list[str]
    place: Place = _WAITING
    tries: int = 0
    written_at: datetime | None = None
    # The last thing that had been heard from Genesys when this was written.
    seen_before: int = 0
    # Since when Genesys has been saying that it is too early for this.
    refused_since: datetime | None = None

    @property
    def tracing_id(self) -> str:
        """Return the id under which it travels, also when it travels again."""
        return self.names[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of an accepted message that is not delivered."""

    tracing_id: str
    code: FailureCode


class Outbox:
    """Keeps every accepted message until its fate is known, in the order in which it came."""

    __slots__ = ("_by_mark", "_bytes", "_items", "_policy", "in_flight", "to_write")

    def __init__(self, policy: UpstreamPolicy) -> None:
        self._policy = policy
        self._items: dict[str, Item] = {}
        self._by_mark: dict[str, Item] = {}
        self._bytes = 0
        # How many were written on this connection and not echoed yet; how many wait to be written.
        self.in_flight = 0
        self.to_write = 0

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, tracing_id: str) -> bool:
        return tracing_id in self._items

    def __iter__(self) -> Iterator[Item]:
        return iter(list(self._items.values()))

    @property
    def waiting_bytes(self) -> int:
        """How much memory the messages take."""
        return self._bytes

    def has_already(self, payload: Payload, tracing_id: str) -> bool:
        """Say whether a message is here already; it is known by one more name then."""
        if tracing_id in self._items:
            return True
        item = self._by_mark.get(payload.mark)
        if item is None or payload.is_event:
            return False
        if tracing_id not in item.names and len(item.names) < MAX_NAMES:
            item.names.append(tracing_id)
        return True

    def put(self, payload: Payload, tracing_id: str) -> bool:
        """Accept a message, if there is room; say whether there was."""
        policy, size = self._policy, self._bytes + payload.size
        if size > policy.max_waiting_bytes or len(self._items) >= policy.max_waiting:
            return False
        item = Item(payload=payload, names=[tracing_id])
        self._items[tracing_id] = item
        if not payload.is_event:
            self._by_mark[payload.mark] = item
        self._bytes = size
        self.to_write += 1
        return True

    def next_waiting(self) -> Item | None:
        """Return the oldest that may be written, if there is one and there is room in flight."""
        if not self.to_write or self.in_flight >= self._policy.max_in_flight:
            return None
        for item in self._items.values():
            if item.place is _WAITING:
                return item
        return None

    def written(self, item: Item, *, at: datetime, seen: int) -> None:
        """Note that it went out. An event is not echoed: it is done with."""
        item.tries += 1
        if item.payload.is_event:
            self._drop(item)
            return
        item.place = _WRITTEN
        self.to_write -= 1
        item.written_at = at
        item.seen_before = seen
        self.in_flight += 1

    def put_back(self, item: Item, *, at: datetime) -> timedelta:
        """Let what surely was not taken go again, in its old place; say since how long it tries."""
        if item.place is _WRITTEN:
            item.place = _WAITING
            item.tries -= 1
            self.in_flight -= 1
            self.to_write += 1
        item.refused_since = item.refused_since or at
        return at - item.refused_since

    def put_first(self, item: Item) -> bool:
        """Let an event that surely was not taken go again, before all else, if there is room."""
        policy, size = self._policy, self._bytes + item.payload.size
        full = size > policy.max_waiting_bytes or len(self._items) >= policy.max_waiting
        if full or item.tries >= policy.tries_of_a_message:
            return False
        self._items = {item.tracing_id: item, **self._items}
        self._bytes = size
        self.to_write += 1
        return True

    def excuse(self) -> None:
        """Do not count the last try of what was written: it was refused, or may have been."""
        for item in self._items.values():
            if item.place is _WRITTEN:
                item.tries -= 1

    def find(self, tracing_id: str | None, said: Said | None = None) -> Item | None:
        """Return the message behind an echo: by its tracing id, else by its own mark."""
        item = self._items.get(tracing_id or "")
        if item is not None or said is None:
            return item
        mark = said.mark
        return None if mark is None else self._by_mark.get(mark)

    def settle(self, item: Item) -> list[str]:
        """Take out a message whose fate is known; return who wants to hear of it."""
        self._drop(item)
        return item.names

    def connection_lost(self) -> None:
        """What was written and not echoed may have been heard or not."""
        for item in self._items.values():
            if item.place is _WRITTEN:
                item.place = Place.UNSURE
        self.in_flight = 0

    def unsure(self) -> list[Item]:
        """Return those of which nobody knows."""
        return [item for item in self._items.values() if item.place is Place.UNSURE]

    def not_heard(self, item: Item) -> list[Fate]:
        """Let a message that was not heard go out again, unless that was tried often enough."""
        if item.tries < self._policy.tries_of_a_message:
            item.place = _WAITING
            self.to_write += 1
            return []
        return self.give_up(item, FailureCode.NOT_REACHED)

    def give_up(self, item: Item, code: FailureCode) -> list[Fate]:
        """Take out a message that is not delivered."""
        return [Fate(tracing_id=name, code=code) for name in self.settle(item)]

    def give_up_all(self, code: FailureCode) -> list[Fate]:
        """Empty the box: what never went out has `code`, of the rest nobody knows."""
        fates = []
        for item in self:
            waits = item.place is _WAITING
            fates += self.give_up(item, code if waits else FailureCode.OUTCOME_UNKNOWN)
        return fates

    def oldest_written(self) -> datetime | None:
        """Return since when an echo is awaited."""
        if not self.in_flight:
            return None
        for item in self._items.values():
            if item.place is _WRITTEN:
                return item.written_at
        return None

    def _drop(self, item: Item) -> None:
        if self._items.pop(item.names[0], None) is None:
            return
        payload = item.payload
        self._bytes -= payload.size
        if self._by_mark.get(payload.mark) is item:
            del self._by_mark[payload.mark]
        if item.place is _WRITTEN:
            self.in_flight -= 1
        elif item.place is _WAITING:
            self.to_write -= 1


class WritePace:
    """Genesys' limits as its client sees them: requests of a connection, messages of a session.

    Genesys counts a message when it arrives, which may be long after it was written: it counts
    here from when its fate was known, and until then it takes up its share as well.
    """

    __slots__ = ("_messages", "_not_before", "_policy", "_requests")

    def __init__(self, policy: UpstreamPolicy) -> None:
        self._policy = policy
        self._requests: list[datetime] = []
        self._messages: list[datetime] = []
        self._not_before: datetime | None = None

    def new_connection(self) -> None:
        """Requests are counted for each connection."""
        self._requests.clear()

    def hold(self, until: datetime) -> None:
        """Genesys asked us to wait."""
        self._not_before = max(until, self._not_before or until)

    def held(self, now: datetime) -> timedelta | None:
        """Return how long Genesys still wants us to wait, or None."""
        left = NOTHING if self._not_before is None else self._not_before - now
        return left if left > NOTHING else None

    def spares(self, now: datetime) -> bool:
        """Say whether something may be written that must not take a message's share."""
        half = max(1, self._policy.requests_a_minute // 2)
        if len(self._requests) < half:
            return True
        return _left(self._requests[-half], MINUTE, now) <= NOTHING

    def wait(self, now: datetime, *, in_flight: int = 0) -> timedelta | None:
        """Return how long until a message may be written, or None for now."""
        longest = NOTHING
        if len(self._requests) >= self._policy.requests_a_minute:
            longest = _left(self._requests[-self._policy.requests_a_minute], MINUTE, now)
        room = self._policy.messages_a_second - in_flight
        if room <= 0:
            longest = max(longest, SECOND)
        elif len(self._messages) >= room:
            longest = max(longest, _left(self._messages[-room], SECOND, now))
        if self._not_before is not None:
            longest = max(longest, self._not_before - now)
        return longest if longest > NOTHING else None

    def count(self, now: datetime) -> None:
        """Count what is written. Only as many are remembered as a window may have."""
        self._requests.append(now)
        if len(self._requests) > self._policy.requests_a_minute + SPARE:
            del self._requests[: -self._policy.requests_a_minute]

    def arrived(self, now: datetime) -> None:
        """Count a message that was written and has arrived by now, or may arrive no more."""
        self._messages.append(now)
        if len(self._messages) > self._policy.messages_a_second + SPARE:
            del self._messages[: -self._policy.messages_a_second]


def _left(oldest: datetime, window: timedelta, now: datetime) -> timedelta:
    """Return how long until the oldest that fills a window has left it."""
    since = now - oldest
    # A clock that was set back must not stop us: nothing is counted from the future.
    return window - since if NOTHING <= since < window else NOTHING
