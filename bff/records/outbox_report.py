"""What an operator is shown of the outbox, and may do with what was set aside."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bff.errors import RequestRefusedError
from bff.records.dead_letters import DeadLetter
from bff.records.outbox import Outbox
from bff.records.outbox_queue import LaneFigures
from bff.trail_ports import moment

NONE_DEAD: Final = "no dead letters"


@dataclass(frozen=True, slots=True)
class OutboxReport:
    """The words of `messenger-bff outbox`. StoreDownError if the store is away."""

    outbox: Outbox

    def listing(self) -> Iterator[str]:
        """Yield what waits in each lane, and every dead letter."""
        self.outbox.look()
        for lane, figures in self.outbox.figures.items():
            yield f"{lane}: {_count(figures)}{self._age(lane, figures)}"
        dead = self.outbox.dead.all()
        if not dead:
            yield NONE_DEAD
            return
        width = max(len(one.id) for one in dead)
        yield f"{'DEAD LETTER':{width}}  LANE   KIND   SINCE                 WHY"
        for one in dead:
            kind = one.desk or "?"
            yield f"{one.id:{width}}  {one.lane:5}  {kind:5}  {_since(one):20}  {one.why}"

    def _age(self, lane: str, figures: LaneFigures) -> str:
        if not figures.pending:
            return ""
        return f", the oldest for {int(self.outbox.oldest_age(lane).total_seconds())} s"

    def about(self, name: str) -> Iterator[str]:
        """Yield what is known of a dead letter; its content is personal, and stays encrypted."""
        dead = self.found(name)
        yield f"id: {dead.id}"
        yield f"lane: {dead.lane}"
        yield f"kind: {dead.desk or 'unknown: it cannot be decrypted'}"
        yield f"set aside: {_since(dead)}"
        yield f"why: {dead.why}"
        if dead.guest is not None:
            yield f"guest: {dead.guest}"
        if dead.body is not None:
            yield f"size: {len(dead.body)} characters"

    def found(self, name: str) -> DeadLetter:
        """Return a dead letter. Raises RequestRefusedError if there is none of this id."""
        dead = self.outbox.dead.find(name)
        if dead is None:
            raise RequestRefusedError(f"there is no dead letter {name}: see `outbox list`")
        return dead

    def retried(self, names: list[str]) -> tuple[list[str], list[str]]:
        """Put dead letters back into their lanes; return which, and which cannot be read."""
        done: list[str] = []
        left: list[str] = []
        for name in names:
            (done if self.outbox.retry(self.found(name)) else left).append(name)
        return done, left


def _count(figures: LaneFigures) -> str:
    return f"{figures.pending} pending, {figures.dead} dead"


def _since(dead: DeadLetter) -> str:
    return f"{moment(dead.since):%Y-%m-%d %H:%M UTC}" if dead.since else "unknown"
