"""One lane of the outbox in the store: running numbers, a chain, and how far it is delivered.

The newest event lies in the *tip* of the lane, and a new one replaces it in one step (`replace`
of the version that was read), after the event before was stored under its own number. So a number
is given once, a process may die between any two steps, and whoever comes next goes on.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Final

from bff.crypto.sealed_value import key_id_of
from bff.errors import BffError, BrokenSealError, StoreDownError
from bff.ports import Entry, Foundation
from bff.record_ports import OutboxMark
from bff.records.dead_letters import DeadLetters
from bff.records.outbox_events import (
    BEGINNING,
    MALFORMED,
    UNREADABLE,
    Letter,
    OutboxEvent,
    Place,
    UndeliverableError,
    decoded,
    hash_of,
)
from bff.trail_ports import micros

KEEP: Final = timedelta(days=3650)
"""Nothing that waits runs out: it is delivered, or set aside."""

TIP: Final = "outbox-tip:"
TRIES: Final = 200
TURN_S: Final = 0.2
GENERATION_BYTES: Final = 9


class OutboxFullError(BffError):
    """More events wait than is allowed; the database has been away for very long."""

    code = "records_unavailable"
    message = "We cannot reach our records. Nothing was lost; please try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """The newest event of a lane, as it is stored (encrypted, base64), and its hash."""

    generation: str
    number: int = 0
    hash: str = BEGINNING
    event: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the store holds of an event: its ciphertext."""

    raw: bytes = field(repr=False)


class OutboxLane:
    """Numbers events and keeps them in order. Safe for threads and processes."""

    def __init__(self, name: str, foundation: Foundation, dead: DeadLetters) -> None:
        self.name: Final = name
        self._store = foundation.store
        self._sealer = foundation.sealer
        self._clock = foundation.clock
        self._entropy = foundation.entropy
        self._dead = dead
        self._lock = threading.Lock()
        self._tip_key = f"{TIP}{name}"
        self._mark_key = f"outbox-mark:{name}"
        self._generations = f"outbox-generations:{name}"
        self.written: dict[str, OutboxMark] = {}
        """The newest event of each generation that this process put here, and has not seen
        delivered."""
        self.seen: dict[str, OutboxMark] = {}
        """How far each generation was delivered when this process last looked."""

    def put(self, letter: Letter, *, limit: int) -> Place:
        """Keep an event after all others. Raises StoreDownError, or OutboxFullError."""
        with self._turn():
            for _ in range(TRIES):
                place = self._tried(letter, limit)
                if place is not None:
                    return place
        raise StoreDownError(f"the outbox of {self.name} changes faster than we can write")

    def _tried(self, letter: Letter, limit: int) -> Place | None:
        held = self.tip(set_aside=True)
        if held is None:
            self.begin()
            return None
        tip, version = held
        if self._went_back(tip) or not self._previous_is_stored(tip):
            self.begin_anew(tip, version)
            return None
        self._refuse_if_full(tip, limit)
        event = self._event(letter, after=tip)
        if self._moved(event, version):
            self.written[tip.generation] = OutboxMark(
                generation=tip.generation, number=event.place.number, hash=BEGINNING
            )
            return event.place
        self._tidy(tip)
        return None

    def tip(self, *, set_aside: bool = False) -> tuple[Tip, int] | None:
        """Return the newest event and its version; None if the store has no such lane.

        Raises UndeliverableError if it cannot be read; with `set_aside` it is kept as a dead
        letter instead, and the lane begins anew.
        """
        entry = self._store.get(self._tip_key)
        if entry is None:
            return None
        try:
            values = self._opened(self._tip_key, entry.value)
            return Tip(**values), entry.version
        except (UndeliverableError, TypeError) as error:
            if not set_aside:
                raise UndeliverableError(UNREADABLE) from error
        self._dead.put_raw(
            f"{self.name}.tip.{entry.version}", entry.value, key=self._tip_key, why=UNREADABLE
        )
        self._switch(Tip(generation=self._new_generation()), over=entry.version)
        return self.tip()

    def begin(self) -> None:
        """Begin a lane that the store does not have."""
        tip = Tip(generation=self._new_generation())
        if self._store.add(self._tip_key, self._sealed(self._tip_key, asdict(tip)), ttl=KEEP):
            self._store.join(self._generations, tip.generation, ttl=KEEP)

    def begin_anew(self, tip: Tip, version: int) -> None:
        """Begin a new generation, since the numbers of this one cannot be trusted any more.

        The newest event comes along, unless it was delivered: it may lie nowhere else.
        """
        anew = Tip(generation=self._new_generation())
        event = None if self._is_delivered(tip) else self.event_of(tip)
        if event is not None:
            anew = self._tip_with(self._event(event.letter, after=anew))
        self._switch(anew, over=version)

    def generations(self) -> list[str]:
        """Return the generations that were begun, and not ended yet."""
        return self._store.members(self._generations)

    def end(self, generation: str) -> None:
        """Forget a generation: all that is left of it was delivered, or told."""
        self._store.leave(self._generations, generation)

    def _switch(self, tip: Tip, *, over: int) -> None:
        # Not before: a generation that is listed was there, and is missed if it is not.
        if self._write_tip(tip, over=over):
            self._store.join(self._generations, tip.generation, ttl=KEEP)

    def mark(self) -> tuple[OutboxMark, int] | None:
        """Return how far the lane is delivered, and the version of that; None if nowhere."""
        entry = self._store.get(self._mark_key)
        if entry is None:
            return None
        try:
            mark = OutboxMark(**self._opened(self._mark_key, entry.value))
        except (UndeliverableError, TypeError):
            return OutboxMark(generation="", number=0, hash=BEGINNING), entry.version
        self._has_seen(mark)
        return mark, entry.version

    def advance(self, mark: OutboxMark, version: int | None) -> int | None:
        """Write how far the lane is delivered; None if somebody else has meanwhile."""
        sealed = self._sealed(self._mark_key, asdict(mark))
        if version is None:
            if not self._store.add(self._mark_key, sealed, ttl=KEEP):
                return None
            entry = self._store.get(self._mark_key)
            # Whoever wrote over it in between goes on from there.
            newer = entry.version if entry is not None and entry.value == sealed else None
        else:
            newer = self._store.replace(self._mark_key, sealed, version=version, ttl=KEEP)
        if newer is not None:
            self._has_seen(mark)
        return newer

    def forget_others(self, mark: OutboxMark) -> None:
        """Forget what this process knew of other generations: it was told."""
        for known in (self.seen, self.written):
            for generation in set(known) - {mark.generation}:
                known.pop(generation, None)

    def is_suspicious(self, tip: Tip | None) -> bool:
        """Say whether the store has another lane than the one that this process knows."""
        known = self.known()
        if tip is None:
            return bool(known)
        return self._went_back(tip) or any(one.generation != tip.generation for one in known)

    def known(self) -> list[OutboxMark]:
        """Return what this process knows: what it saw delivered, and what it wrote since."""
        return [*list(self.seen.values()), *list(self.written.values())]

    def find(self, place: Place) -> Stored | None:
        """Return an event as it is stored: under its own number, or in the tip."""
        entry = self._store.get(place.key)
        if entry is None:
            held = self.tip()
            if held is not None and held[0].event is not None and _is_of(held[0], place):
                return Stored(raw=base64.b64decode(held[0].event))
            # It may have left the tip for its own number in between.
            entry = self._store.get(place.key)
        return None if entry is None else Stored(raw=entry.value)

    def open(self, place: Place, stored: Stored) -> tuple[OutboxEvent, str]:
        """Return an event and its hash. Raises UndeliverableError."""
        try:
            plain = self._sealer.open(stored.raw, context=place.key)
        except BrokenSealError as error:
            raise UndeliverableError(UNREADABLE) from error
        return decoded(plain, place), hash_of(plain)

    def drop(self, place: Place) -> None:
        """Delete an event that was delivered, or set aside."""
        self._store.delete(place.key)

    def reseal(self, newest: bytes) -> int:
        """Encrypt under the newest key whatever lies here under an older one; return how many."""
        held = self.tip(set_aside=True)
        if held is None:
            return 0
        tip, version = held
        mark = self.mark()
        done, begin = 0, 1
        if mark is not None and mark[0].generation == tip.generation:
            begin = mark[0].number + 1
        for number in range(begin, tip.number):
            place = Place(lane=self.name, generation=tip.generation, number=number)
            entry = self._store.get(place.key)
            done += entry is not None and self._resealed(place.key, entry, newest)
        if mark is not None:
            self.advance(*mark)
        event = self.event_of(tip)
        if event is not None:
            done += self._moved(event, version)
        else:
            self._write_tip(tip, over=version)
        return done

    def newest_is_under(self, key_id: bytes) -> bool:
        """Say whether the tip is encrypted under this key, or there is none."""
        entry = self._store.get(self._tip_key)
        return entry is None or _key_id(entry.value) == key_id

    def _resealed(self, key: str, entry: Entry, newest: bytes) -> bool:
        if _key_id(entry.value) == newest:
            return False
        try:
            plain = self._sealer.open(entry.value, context=key)
        except BrokenSealError:
            return False
        sealed = self._sealer.seal(plain, context=key)
        return self._store.replace(key, sealed, version=entry.version, ttl=KEEP) is not None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let the threads of this process come one after the other, but never wait for long.

        It only saves tries: what keeps numbers apart is the store.
        """
        mine = self._lock.acquire(timeout=TURN_S)
        try:
            yield
        finally:
            if mine:
                self._lock.release()

    def _went_back(self, tip: Tip) -> bool:
        """Say whether the store has an older state than one that this process has seen."""
        return any(
            one.generation == tip.generation and one.number > tip.number for one in self.known()
        )

    def _previous_is_stored(self, tip: Tip) -> bool:
        """Store the newest event under its own number; False if another one lies there."""
        if tip.event is None or self._is_delivered(tip):
            return True
        place = Place(lane=self.name, generation=tip.generation, number=tip.number)
        if self._store.add(place.key, base64.b64decode(tip.event), ttl=KEEP):
            return True
        entry = self._store.get(place.key)
        if entry is None:
            return True
        try:
            return self.open(place, Stored(raw=entry.value))[1] == tip.hash
        except UndeliverableError:
            return True  # it is found, and told, when its turn comes

    def _is_delivered(self, tip: Tip) -> bool:
        return self._pending(tip) <= 0

    def _pending(self, tip: Tip) -> int:
        seen = self.seen.get(tip.generation)
        return tip.number - (0 if seen is None else seen.number)

    def pending(self, tip: Tip | None) -> int:
        """Return how many events wait, as far as this process knows."""
        return 0 if tip is None else max(0, self._pending(tip))

    def _refuse_if_full(self, tip: Tip, limit: int) -> None:
        if self._pending(tip) < limit:
            return
        self.mark()
        if self._pending(tip) >= limit:
            raise OutboxFullError(f"{self._pending(tip)} events of {self.name} wait")

    def _event(self, letter: Letter, *, after: Tip) -> OutboxEvent:
        return OutboxEvent(
            letter=letter,
            place=Place(lane=self.name, generation=after.generation, number=after.number + 1),
            at=micros(self._clock.now()),
            previous=after.hash,
        )

    def event_of(self, tip: Tip) -> OutboxEvent | None:
        """Return the newest event; None if there is none, or it cannot be read."""
        if tip.event is None:
            return None
        place = Place(lane=self.name, generation=tip.generation, number=tip.number)
        try:
            return self.open(place, Stored(raw=base64.b64decode(tip.event)))[0]
        except (UndeliverableError, TypeError, ValueError):
            return None

    def _moved(self, event: OutboxEvent, version: int) -> bool:
        """Make this event the newest one, unless somebody was quicker."""
        return self._write_tip(self._tip_with(event), over=version)

    def _tip_with(self, event: OutboxEvent) -> Tip:
        plain = event.encoded()
        sealed = self._sealer.seal(plain, context=event.place.key)
        return Tip(
            generation=event.place.generation,
            number=event.place.number,
            hash=hash_of(plain),
            event=base64.b64encode(sealed).decode(),
        )

    def _write_tip(self, tip: Tip, *, over: int) -> bool:
        sealed = self._sealed(self._tip_key, asdict(tip))
        return self._store.replace(self._tip_key, sealed, version=over, ttl=KEEP) is not None

    def _tidy(self, tip: Tip) -> None:
        """Remove what a process that came too late may have stored a second time."""
        self.mark()
        if tip.event is not None and self._is_delivered(tip):
            self.drop(Place(lane=self.name, generation=tip.generation, number=tip.number))

    def _has_seen(self, mark: OutboxMark) -> None:
        seen = self.seen.get(mark.generation)
        if seen is None or mark.number > seen.number:
            self.seen[mark.generation] = mark
        wrote = self.written.get(mark.generation)
        if wrote is not None and wrote.number <= mark.number:
            self.written.pop(mark.generation, None)

    def _new_generation(self) -> str:
        return self._entropy.token(GENERATION_BYTES)

    def _sealed(self, key: str, values: dict[str, Any]) -> bytes:
        return self._sealer.seal(json.dumps(values).encode(), context=key)

    def _opened(self, key: str, raw: bytes) -> dict[str, Any]:
        try:
            values = json.loads(self._sealer.open(raw, context=key))
        except BrokenSealError as error:
            raise UndeliverableError(UNREADABLE) from error
        except ValueError as error:
            raise UndeliverableError(MALFORMED) from error
        if not isinstance(values, dict):
            raise UndeliverableError(MALFORMED)
        return values


def _is_of(tip: Tip, place: Place) -> bool:
    return (tip.generation, tip.number) == (place.generation, place.number)


def _key_id(raw: bytes) -> bytes:
    try:
        return key_id_of(raw)
    except BrokenSealError:
        return b""
