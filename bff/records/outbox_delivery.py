"""Delivers the lanes of the outbox, each in order.

What the database refuses is told apart by what it means. Unreachable, no right, no table: the
lane waits. One event that no database takes: it is set aside as soon as a later event of its lane
was accepted, because then it is surely not the database that is in trouble.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import Final

from bff.errors import BrokenSealError, RecordsDownError, StoreDownError
from bff.record_ports import OutboxMark
from bff.records.lane_check import Cursor, LaneCheck, Span
from bff.records.outbox_events import (
    AUDIT,
    REFUSED,
    UNKNOWN_KIND,
    UNREADABLE,
    Letter,
    Place,
    UndeliverableError,
)
from bff.records.outbox_lane import OutboxLane, Stored
from bff.records.outbox_queue import Outbox

log = logging.getLogger(__name__)

TRIES: Final = 3

Desk = Callable[[str], object]


class Fate(Enum):
    """What came of an event."""

    DELIVERED = auto()
    WAITS = auto()
    REFUSED = auto()


class StoppedError(Exception):
    """This lane goes no further now."""


class Delivery:
    """Delivers to `desks`. A desk returns False for what was refused for good.

    It raises RecordsDownError or StoreDownError for "not now", UndeliverableError for "never".
    """

    def __init__(
        self,
        outbox: Outbox,
        check: LaneCheck,
        *,
        desks: Mapping[str, Desk],
        over: threading.Event,
    ) -> None:
        self._outbox = outbox
        self._check = check
        self._desks = desks
        self._over = over
        self._delivered = 0
        self._retried = False
        self.waits: Final[dict[str, str]] = {}
        """Why a lane waits, of the last round."""

    def round(self) -> int:
        """Deliver what waits now; return how many events were delivered."""
        self._delivered = 0
        self.waits.clear()
        self._retry_unknown()
        self._take_over()
        told = self._check.told
        for lane in self._outbox.lanes.values():
            if not self._lane(lane):
                return self._delivered
        if self._check.told != told:
            self._lane(self._outbox.lanes[AUDIT])
        return self._delivered

    def _take_over(self) -> None:
        """Move the letters of the version before into their lanes."""
        for name in self._outbox.legacy_names():
            try:
                letter = self._outbox.legacy_letter(name)
            except UndeliverableError as error:
                self._outbox.set_legacy_aside(name, why=error.why)
                self._aside(name, "legacy", error.why)
            else:
                if letter is None:
                    log.error("outbox: the letter %s is not in the store any more", name)
                    self._outbox.tally.missing[AUDIT] += 1
                else:
                    self._outbox.put_in_any_case(letter)
            self._outbox.drop_legacy(name)

    def _retry_unknown(self) -> None:
        """Once: try again what an earlier version did not know, and this one may."""
        if self._retried:
            return
        self._retried = True
        for dead in self._outbox.dead.all():
            known = dead.desk is None or dead.desk in self._desks
            if dead.why == UNKNOWN_KIND and known and self._outbox.retry(dead):
                log.warning("outbox: %s is known to this version and tried again", dead.id)

    def _lane(self, lane: OutboxLane) -> bool:
        """Deliver what waits in a lane; False if the database is away."""
        try:
            start = self._check.start(lane, self._deliver_span)
            if start is not None:
                tip, cursor = start
                last = cursor.mark.number
                if tip.number > last:
                    # Left by a process that died, or stored again by one that came too late.
                    lane.drop(_place(lane, tip.generation, last))
                    self._deliver_span(lane, cursor, range(last + 1, tip.number + 1))
                self._check.keep(lane, cursor.mark)
        except StoppedError:
            return True
        except RecordsDownError as error:
            self.waits[lane.name] = error.detail
            return False
        return True

    def _deliver_span(self, lane: OutboxLane, cursor: Cursor, numbers: range) -> None:
        """Deliver these numbers of a generation, and tell which of them are missing."""
        missing: list[int] = []
        for number in numbers:
            if self._over.is_set():
                raise StoppedError
            place = _place(lane, cursor.mark.generation, number)
            stored = lane.find(place)
            if stored is None:
                missing.append(number)
                continue
            self._pass_over(lane, cursor, missing)
            later = (_place(lane, place.generation, one) for one in _probes(numbers, number))
            if not self._one(lane, cursor, stored, place=place, later=later):
                raise StoppedError
        self._pass_over(lane, cursor, missing)

    def _one(
        self,
        lane: OutboxLane,
        cursor: Cursor,
        stored: Stored,
        *,
        place: Place,
        later: Iterable[Place],
    ) -> bool:
        """Deliver one event, or set it aside; False if it has to wait."""
        letter, digest = None, ""
        try:
            event, digest = lane.open(place, stored)
            letter = event.letter
            if cursor.mark.hash and event.previous != cursor.mark.hash:
                self._check.tell(lane, Span.of("link_broken", place))
            if not self._is_delivered(lane, letter, later):
                # What was delivered before it is written down before the lane waits.
                self._check.keep(lane, cursor.mark)
                return False
        except UndeliverableError as error:
            self._set_aside(lane, place, stored, letter=letter, why=error.why)
        self._advance(lane, cursor, place.number, digest)
        lane.drop(place)
        return True

    def _is_delivered(self, lane: OutboxLane, letter: Letter, later: Iterable[Place]) -> bool:
        """Deliver; False if it has to wait. Raises UndeliverableError."""
        fate = self._attempt(letter)
        if fate is Fate.REFUSED and self._takes_another(lane, later):
            raise UndeliverableError(REFUSED)
        return fate is Fate.DELIVERED

    def _set_aside(
        self, lane: OutboxLane, place: Place, stored: Stored, *, letter: Letter | None, why: str
    ) -> None:
        if letter is not None:
            self._outbox.dead.put(place.name, letter, why=why)
        else:
            self._outbox.dead.put_raw(place.name, stored.raw, key=place.key, why=why)
            if why != UNKNOWN_KIND:
                self._check.tell(lane, Span.of(why, place))
        self._aside(place.name, lane.name, why)

    def _aside(self, name: str, lane: str, why: str) -> None:
        self._outbox.tally.set_aside[lane] += 1
        log.error("outbox: %s is set aside: %s; see `messenger-bff outbox list`", name, why)

    def _attempt(self, letter: Letter) -> Fate:
        """Try to deliver. Raises UndeliverableError if that can never be."""
        desk = self._desks.get(letter.desk)
        if desk is None:
            raise UndeliverableError(UNKNOWN_KIND)
        for _ in range(TRIES):
            try:
                kept = desk(letter.body)
            except (RecordsDownError, StoreDownError) as error:
                self.waits[letter.lane] = error.detail
                return Fate.WAITS
            except BrokenSealError as error:
                raise UndeliverableError(UNREADABLE) from error
            except UndeliverableError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it was, nothing is thrown away
                # Its words may hold what was to be written.
                self.waits[letter.lane] = f"an event is refused: {type(error).__name__}"
                continue
            self._count(letter, dropped=kept is False)
            return Fate.DELIVERED
        return Fate.REFUSED

    def _count(self, letter: Letter, *, dropped: bool) -> None:
        self._delivered += 1
        self._outbox.tally.delivered[letter.lane] += 1
        self._outbox.tally.dropped[letter.lane] += dropped

    def _takes_another(self, lane: OutboxLane, later: Iterable[Place]) -> bool:
        """Say whether a later event is accepted: then it is not the database that is in trouble.

        Delivered now, it is delivered once more in its turn, which changes nothing.
        """
        for place in later:
            stored = lane.find(place)
            try:
                if stored is None:
                    continue
                fate = self._attempt(lane.open(place, stored)[0].letter)
            except UndeliverableError:
                continue
            if fate is Fate.DELIVERED:
                self._delivered -= 1
                self.waits.pop(lane.name, None)
                return True
            if fate is Fate.WAITS:
                return False
        return False

    def _advance(self, lane: OutboxLane, cursor: Cursor, number: int, digest: str) -> None:
        mark = OutboxMark(generation=cursor.mark.generation, number=number, hash=digest)
        version = lane.advance(mark, cursor.version)
        if version is None:
            # Somebody else delivers here: our lease was lost.
            raise StoppedError
        cursor.mark, cursor.version = mark, version

    def _pass_over(self, lane: OutboxLane, cursor: Cursor, missing: list[int]) -> None:
        """Tell of numbers that are not there, and go on behind them."""
        if not missing:
            return
        now = lane.mark()
        if (None if now is None else now[1]) != cursor.version:
            # Not missing, but delivered meanwhile by somebody else.
            raise StoppedError
        unknown = [number for number in missing if number > cursor.known]
        if unknown:
            generation = cursor.mark.generation
            span = Span(why="missing", generation=generation, first=unknown[0], last=unknown[-1])
            self._check.tell(lane, span)
        self._advance(lane, cursor, missing[-1], "")
        missing.clear()


def _place(lane: OutboxLane, generation: str, number: int) -> Place:
    return Place(lane=lane.name, generation=generation, number=number)


def _probes(numbers: range, number: int) -> Iterator[int]:
    """Yield some of the numbers that come after this one: near ones first, then ever farther."""
    step = 1
    while number + step < numbers.stop:
        yield number + step
        step *= 2
