"""The outbox: events that wait for the database of the records, so that no caller has to.

They lie encrypted in the store, in lanes that do not hold each other up: guest records, audit
events, and whatever a newer version has put there.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from pydantic import TypeAdapter, ValidationError

from bff.crypto.sealed_value import key_id_of
from bff.errors import BrokenSealError
from bff.ports import Foundation
from bff.records.dead_letters import DeadLetter, DeadLetters, lane_of
from bff.records.outbox_events import (
    GUEST,
    LANES,
    MALFORMED,
    OTHER,
    UNREADABLE,
    Letter,
    Place,
    UndeliverableError,
    decoded,
)
from bff.records.outbox_lane import TIP, OutboxFullError, OutboxLane, Tip
from bff.trail_ports import MICROSECOND, micros

LIMIT: Final = 10_000
RESERVE: Final = 4
"""Urgent events have a quarter more room than the others."""

NO_LIMIT: Final = 2**62
HIGH_WATER: Final = 0.8
MEMBERS: Final = "outbox"
"""Where the version before kept the names of its letters; they are delivered first."""

LEGACY: Final = "outbox"
LEGACY_NAME: Final = "legacy"


@dataclass(slots=True)
class Tally:
    """What this process has counted since it started, each by lane."""

    delivered: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    set_aside: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    sampled: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFigures:
    """What waits in a lane. `oldest` is when the first of it was put there (µs)."""

    pending: int = 0
    dead: int = 0
    oldest: int | None = None


class Outbox:
    """Events in the order in which they were written. Safe for threads and processes.

    `limit` is for each lane: a full one never blocks another.
    """

    def __init__(self, foundation: Foundation, *, limit: int = LIMIT) -> None:
        self._foundation = foundation
        self._store = foundation.store
        self._clock = foundation.clock
        self._limit = limit
        self.dead: Final = DeadLetters(foundation)
        self.lanes: Final = {name: OutboxLane(name, foundation, self.dead) for name in LANES}
        self.tally: Final = Tally()
        self.written: Final = threading.Event()
        self._legacy_codec = TypeAdapter(Letter)
        self._figures: dict[str, LaneFigures] = {}
        self._legacy = 0
        self.is_suspicious = False
        """Whether the store had another state than it should when this process last looked."""

    @property
    def length(self) -> int:
        """Return how many events waited when this process last looked."""
        return self._legacy + sum(one.pending for one in self._figures.values())

    @property
    def figures(self) -> dict[str, LaneFigures]:
        """Return what waited in each lane when this process last looked."""
        return dict(self._figures)

    def oldest_age(self, lane: str) -> timedelta:
        """Return how long the first event of a lane has waited."""
        oldest = self._figures.get(lane, LaneFigures()).oldest
        if oldest is None:
            return timedelta(0)
        return max(timedelta(0), (micros(self._clock.now()) - oldest) * MICROSECOND)

    def is_crowded(self, *lanes: str) -> bool:
        """Say whether one of these lanes is so full that what fills it should slow down."""
        return any(
            self._figures.get(lane, LaneFigures()).pending >= self._limit * HIGH_WATER
            for lane in lanes
        )

    def is_full(self, lane: str) -> bool:
        """Say whether a lane takes no more events, urgent ones apart."""
        return self._figures.get(lane, LaneFigures()).pending >= self._limit

    def put(self, letter: Letter) -> None:
        """Keep an event. Raises StoreDownError, or OutboxFullError."""
        limit = self._limit + self._limit // RESERVE if letter.urgent else self._limit
        try:
            self.lanes[letter.lane].put(letter, limit=limit)
        except OutboxFullError:
            self._note(letter.lane, self._limit)
            raise
        self.written.set()

    def put_in_any_case(self, letter: Letter) -> None:
        """Keep an event however many wait. Raises StoreDownError."""
        self.lanes[letter.lane].put(letter, limit=NO_LIMIT)
        self.written.set()

    def waiting(self) -> list[str]:
        """Return the names of the events, lane by lane, oldest first."""
        legacy = sorted(self._store.members(MEMBERS))
        self._legacy = len(legacy)
        return [*legacy, *(_name(place) for place in self.places())]

    def look(self) -> int:
        """Look how much waits, here and set aside; return how much waits."""
        self._legacy = len(self._store.members(MEMBERS))
        dead = Counter(map(lane_of, self.dead.ids()))
        self.is_suspicious = False
        for lane in self.lanes.values():
            tip = self._tip(lane)
            self.is_suspicious |= lane.is_suspicious(tip)
            pending = 0 if tip is None else self._pending(lane, tip)
            oldest = None if tip is None or not pending else self._oldest(lane, tip)
            self._figures[lane.name] = LaneFigures(
                pending=pending, dead=dead[lane.name], oldest=oldest
            )
        return self.length

    def places(self) -> Iterator[Place]:
        """Yield where each event waits, lane by lane, oldest first."""
        for lane in self.lanes.values():
            tip = self._tip(lane)
            pending = 0 if tip is None else self._pending(lane, tip)
            self._note(lane.name, pending)
            if tip is not None:
                for number in range(tip.number - pending + 1, tip.number + 1):
                    yield Place(lane=lane.name, generation=tip.generation, number=number)

    def read(self, name: str) -> Letter | None:
        """Return what an event says; None if it was delivered, or cannot be read."""
        try:
            lane, generation, number = name.split(":")
        except ValueError:
            return self._read_legacy(name)
        found = self.lanes[lane]
        place = Place(lane=lane, generation=generation, number=int(number))
        stored = found.find(place)
        try:
            return None if stored is None else found.open(place, stored)[0].letter
        except UndeliverableError:
            return None

    def letters(self) -> Iterator[Letter]:
        """Yield what every event says, also those that were set aside."""
        for letter in map(self.read, self.waiting()):
            if letter is not None:
                yield letter
        for dead in self.dead.all():
            if dead.letter is not None:
                yield dead.letter

    def has_guest(self, pseudonym: str) -> bool:
        """Say whether something waits that is to be written of this guest."""
        return any(letter.desk == GUEST and letter.guest == pseudonym for letter in self.letters())

    def retry(self, dead: DeadLetter) -> bool:
        """Put a dead letter at the end of its lane; False if it still cannot be read."""
        letter = dead.letter or self._read_again(dead)
        if letter is None:
            return False
        self.put_in_any_case(letter)
        self.dead.drop(dead.id)
        return True

    def reseal(self) -> int:
        """Encrypt anew what lies under an older key of the ring; return how many events.

        To be done after a rotation, long before the older key retires.
        """
        newest = key_id_of(self._foundation.sealer.seal(b"", context="which-key"))
        if all(lane.newest_is_under(newest) for lane in self.lanes.values()):
            return self.dead.reseal(newest)
        lanes = sum(lane.reseal(newest) for lane in self.lanes.values())
        return lanes + self.dead.reseal(newest)

    def legacy_names(self) -> list[str]:
        """Return the names of the letters that the version before has left."""
        return sorted(self._store.members(MEMBERS))

    def legacy_letter(self, name: str) -> Letter | None:
        """Return one of them; None if it is gone. Raises UndeliverableError."""
        entry = self._store.get(_legacy_key(name))
        if entry is None:
            return None
        try:
            plain = self._foundation.sealer.open(entry.value, context=_legacy_key(name))
            return self._legacy_codec.validate_json(plain)
        except BrokenSealError as error:
            raise UndeliverableError(UNREADABLE) from error
        except ValidationError as error:
            raise UndeliverableError(MALFORMED) from error

    def set_legacy_aside(self, name: str, *, why: str) -> None:
        """Keep one of them, which cannot be read, as a dead letter."""
        entry = self._store.get(_legacy_key(name))
        if entry is not None:
            named = f"{OTHER}.{LEGACY_NAME}.{name}"
            self.dead.put_raw(named, entry.value, key=_legacy_key(name), why=why)

    def drop_legacy(self, name: str) -> None:
        """Delete one of them that was delivered, or set aside."""
        self._store.delete(_legacy_key(name))
        self._store.leave(MEMBERS, name)

    def _read_legacy(self, name: str) -> Letter | None:
        try:
            return self.legacy_letter(name)
        except UndeliverableError:
            return None

    def _read_again(self, dead: DeadLetter) -> Letter | None:
        plain = self.dead.opened(dead)
        if plain is None or dead.key is None:
            return None
        if dead.key.startswith(TIP):
            return self._of_tip(dead.key, plain)
        try:
            _, lane, generation, number = dead.key.split(":")
            place = Place(lane=lane, generation=generation, number=int(number))
            return decoded(plain, place).letter
        except UndeliverableError:
            return None
        except ValueError:
            return self._legacy_again(plain)

    def _of_tip(self, key: str, plain: bytes) -> Letter | None:
        """Return the newest event of a lane, whose end could not be read when it was set aside."""
        lane = self.lanes.get(key.removeprefix(TIP))
        try:
            values = json.loads(plain)
            tip = Tip(**{name: values[name] for name in ("generation", "number", "event")})
        except (KeyError, RecursionError, TypeError, ValueError):
            return None
        event = None if lane is None else lane.event_of(tip)
        return None if event is None else event.letter

    def _legacy_again(self, plain: bytes) -> Letter | None:
        try:
            return self._legacy_codec.validate_json(plain)
        except ValidationError:
            return None

    def _tip(self, lane: OutboxLane) -> Tip | None:
        try:
            held = lane.tip()
        except UndeliverableError:
            return None
        return None if held is None else held[0]

    def _pending(self, lane: OutboxLane, tip: Tip) -> int:
        lane.mark()
        return lane.pending(tip)

    def _oldest(self, lane: OutboxLane, tip: Tip) -> int | None:
        number = tip.number - lane.pending(tip) + 1
        place = Place(lane=lane.name, generation=tip.generation, number=number)
        stored = lane.find(place)
        try:
            return None if stored is None else lane.open(place, stored)[0].at
        except UndeliverableError:
            return None

    def _note(self, lane: str, pending: int) -> None:
        known = self._figures.get(lane, LaneFigures())
        self._figures[lane] = LaneFigures(pending=pending, dead=known.dead, oldest=known.oldest)


def _legacy_key(name: str) -> str:
    return f"{LEGACY}:{name}"


def _name(place: Place) -> str:
    return f"{place.lane}:{place.generation}:{place.number}"
