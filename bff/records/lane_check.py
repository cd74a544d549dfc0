"""Compares what store, database and this process know of a lane, and tells what is missing.

Whoever owns the store may drop, swap or bring back events; a store may come back empty. The chain
of a lane, the mark of what is delivered in store and database, and the memory of each process
show it. It is told in the log, in a figure, and as an event of the audit log.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Final

from bff.errors import RecordsDownError
from bff.ports import Clock
from bff.record_ports import OutboxMark, OutboxMarks
from bff.records.audit_details import canonical
from bff.records.audit_events import SYSTEM, Action, Detail, Outcome
from bff.records.outbox_events import AUDIT, BEGINNING, Letter, Place
from bff.records.outbox_lane import OutboxLane, Tip
from bff.records.outbox_queue import Outbox
from bff.trail_ports import TrailEntry, micros

log = logging.getLogger(__name__)

LOOK_AHEAD: Final = 100
"""So many numbers in a row must be missing before a generation without a tip counts as read."""

STORE_LOST: Final = "store_lost"
WENT_BACK: Final = "store_went_back"
MARK_WENT_BACK: Final = "mark_went_back"


@dataclass(slots=True, kw_only=True)
class Cursor:
    """How far a lane is delivered, and the version of the mark in the store (None: no mark).

    Up to the number `known` it was delivered before, whatever the store says now.
    """

    mark: OutboxMark
    version: int | None
    known: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Numbers of a generation that something is wrong with; `last` None: nobody knows."""

    why: str
    generation: str
    first: int
    last: int | None

    @classmethod
    def of(cls, why: str, place: Place) -> "Span":
        """Return the span of one event."""
        return cls(why=why, generation=place.generation, first=place.number, last=place.number)

    @property
    def count(self) -> int:
        """Return how many events that are; one if nobody knows."""
        return 1 if self.last is None else self.last - self.first + 1


DeliverSpan = Callable[[OutboxLane, Cursor, range], None]


class LaneCheck:
    """Says where the delivery of a lane begins. `marks` is where the database knows it."""

    def __init__(
        self, outbox: Outbox, *, clock: Clock, marks: OutboxMarks | None, has_audit: bool
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._marks = marks
        self._has_audit = has_audit
        self._kept: dict[str, OutboxMark] = {}
        self._told: set[str] = set()
        self._ended: set[str] = set()

    @property
    def told(self) -> int:
        """Return how often something was told."""
        return len(self._told)

    def start(self, lane: OutboxLane, deliver: DeliverSpan) -> tuple[Tip, Cursor] | None:
        """Return the newest event and how far the lane is delivered; None if there is no lane.

        What is left of a generation that is no more is delivered first, and the rest is told.
        Raises RecordsDownError, StoreDownError.
        """
        held = lane.mark()
        marks = self._marks_of(lane, held)
        known = [*marks, *lane.known()]
        found = lane.tip(set_aside=True)
        if found is None and known:
            lane.begin()
            found = lane.tip()
        if found is None:
            return None
        tip, tip_version = found
        cursor = self._cursor(marks, held, tip.generation)
        gone = {one.generation for one in known} - {tip.generation}
        if held is None or held[0].generation != tip.generation:
            gone |= set(lane.generations()) - {tip.generation}
        for generation in sorted(gone):
            left = self._cursor(marks, held, generation)
            self._finish(lane, left, deliver, why=STORE_LOST)
            cursor.version = left.version
        if tip.number < _furthest(known, tip.generation).number:
            self._finish(lane, cursor, deliver, why=WENT_BACK)
            lane.begin_anew(tip, tip_version)
            return None
        if gone and not self._begin_at(lane, cursor):
            return None
        if not gone:
            self._tell_of_mark(lane, held, cursor)
        return tip, cursor

    @staticmethod
    def _cursor(
        marks: list[OutboxMark], held: tuple[OutboxMark, int] | None, generation: str
    ) -> Cursor:
        """Return from where to deliver. What the store says is behind may be there once more.

        It is delivered once more then, which changes nothing, and is better than passing over
        events that were given the numbers of others.
        """
        known = _furthest(marks, generation)
        mark = known
        if held is None or held[0].generation in {generation, ""}:
            mark = _furthest([held[0]] if held is not None else [], generation)
        if mark.number < known.number:
            mark = replace(mark, hash="")
        return Cursor(mark=mark, version=None if held is None else held[1], known=known.number)

    def _marks_of(self, lane: OutboxLane, held: tuple[OutboxMark, int] | None) -> list[OutboxMark]:
        """Return how far the lane is delivered, by store, database and our memory."""
        marks = [held[0]] if held is not None and held[0].generation else []
        kept = self._kept_mark(lane)
        return [*marks, *([] if kept is None else [kept]), *lane.seen.values()]

    def _tell_of_mark(
        self, lane: OutboxLane, held: tuple[OutboxMark, int] | None, cursor: Cursor
    ) -> None:
        """Tell if the mark in the store is not as far as it was."""
        if cursor.mark.number < cursor.known and lane.mark() == held:
            span = Span(
                why=MARK_WENT_BACK,
                generation=cursor.mark.generation,
                first=cursor.mark.number + 1,
                last=cursor.known,
            )
            self.tell(lane, span)

    def keep(self, lane: OutboxLane, mark: OutboxMark) -> None:
        """Write into the database how far a lane is delivered, if that is new."""
        if self._marks is None or self._kept.get(lane.name) == mark:
            return
        try:
            self._marks.keep(lane.name, mark)
        except RecordsDownError as error:
            log.warning("outbox: how far %s is cannot be written: %s", lane.name, error.detail)
            return
        self._kept[lane.name] = mark

    def tell(self, lane: OutboxLane, span: Span) -> None:
        """Say once that something is missing, or not what it was. Raises StoreDownError."""
        event_id = f"outbox_gap.{lane.name}.{span.generation}.{span.first}.{span.why}"
        if event_id in self._told:
            return
        if self._has_audit:
            body = json.dumps(asdict(self._event(event_id, lane, span)))
            self._outbox.put_in_any_case(Letter(desk=AUDIT, body=body))
        self._told.add(event_id)
        self._outbox.tally.missing[lane.name] += span.count
        log.error(
            "outbox: %s: events %d to %s of lane %s, generation %s",
            *(span.why, span.first, span.last or "?", lane.name, span.generation),
        )

    def _event(self, event_id: str, lane: OutboxLane, span: Span) -> TrailEntry:
        details: dict[str, Detail] = {
            "lane": lane.name,
            "why": span.why,
            "generation": span.generation,
            "first": span.first,
            "last": span.last,
        }
        return TrailEntry(
            event_id=event_id,
            at=micros(self._clock.now()),
            action=Action.OUTBOX_GAP.value,
            outcome=Outcome.FAILED.value,
            actor_kind=SYSTEM.kind.value,
            actor=SYSTEM.name,
            guest=None,
            source=None,
            details=canonical(details),
        )

    def _kept_mark(self, lane: OutboxLane) -> OutboxMark | None:
        if self._marks is None:
            return None
        kept = self._marks.find(lane.name)
        if kept is not None:
            self._kept[lane.name] = kept
        return kept

    def _finish(self, lane: OutboxLane, cursor: Cursor, deliver: DeliverSpan, *, why: str) -> None:
        """Deliver what is left of a generation without a tip, and tell what may be missing."""
        generation = cursor.mark.generation
        wrote = lane.written.get(generation)
        there = self._reach(lane, cursor.mark)
        is_known = wrote is not None or cursor.known > 0 or there > 0
        if there > cursor.mark.number:
            deliver(lane, cursor, range(cursor.mark.number + 1, there + 1))
        first = max(cursor.known, cursor.mark.number) + 1
        last = None if wrote is None or wrote.number < first else wrote.number
        if is_known and generation not in self._ended:
            self.tell(lane, Span(why=why, generation=generation, first=first, last=last))
        self._ended.add(generation)
        lane.end(generation)

    def _reach(self, lane: OutboxLane, mark: OutboxMark) -> int:
        """Return the last number of a generation that is there, without its tip."""
        last = number = mark.number
        while number - last < LOOK_AHEAD:
            number += 1
            place = Place(lane=lane.name, generation=mark.generation, number=number)
            if lane.find(place) is not None:
                last = number
        return last

    def _begin_at(self, lane: OutboxLane, cursor: Cursor) -> bool:
        """Go on in the generation that is there now; False if somebody else does.

        The database first: so it is told once.
        """
        mark = cursor.mark
        if self._marks is not None:
            self._marks.keep(lane.name, mark)
            self._kept[lane.name] = mark
        version = lane.advance(mark, cursor.version)
        if version is None:
            return False
        cursor.version = version
        lane.forget_others(mark)
        return True


def _furthest(marks: Iterable[OutboxMark], generation: str) -> OutboxMark:
    """Return how far a generation is delivered by the best knowledge of anybody."""
    here = [one for one in marks if one.generation == generation]
    nothing = OutboxMark(generation=generation, number=0, hash=BEGINNING)
    return max(here, key=lambda one: one.number, default=nothing)
