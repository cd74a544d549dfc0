"""Reads the whole trail and says whether it is what was written: where not, and what that means."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from bff.crypto.trail_chain import BEGINNING, link, source_digest
from bff.records.audit_heads import is_genuine
from bff.trail_ports import SignedHead, TrailKeeper, TrailRow

PAGE: Final = 2000
MOST_FAULTS: Final = 20
BEFORE_ALL: Final = -(2**62)
LOOK_AROUND: Final = 2000
"""How far an event is looked for that stands where it does not belong."""


_Signed: TypeAlias = defaultdict[int, set[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is not as it was written, and what it means, in one sentence."""

    seq: int
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of it. `more` faults were found and not listed."""

    events: int
    heads: int
    copies: int
    signed_up_to: int
    faults: tuple[Fault, ...] = ()
    more: int = 0

    @property
    def unsigned(self) -> int:
        """Return how many events came after the newest head: a cut among them would not show."""
        return max(0, self.events - self.signed_up_to)


@dataclass(slots=True)
class _Faults:
    listed: list[Fault] = field(default_factory=list)
    more: int = 0

    def add(self, seq: int, meaning: str) -> None:
        if len(self.listed) < MOST_FAULTS:
            self.listed.append(Fault(seq=seq, meaning=meaning))
        else:
            self.more += 1


class Verification:
    """Compares the trail with itself, with its signed heads, and with their copies outside."""

    def __init__(
        self,
        keeper: TrailKeeper,
        *,
        trusted: Mapping[str, datetime | None],
        copies: Sequence[SignedHead] | None = None,
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> None:
        self._keeper = keeper
        self._trusted = trusted
        self._copies = copies
        self._progress = progress
        self._faults = _Faults()

    def run(self) -> Verdict:
        """Read everything once. Holds one page of events at a time, and all heads."""
        # Before the events: what is written meanwhile has no head that could miss it.
        kept = list(self._keeper.heads())
        heads = self._believed(kept, "in the table")
        copied = self._believed(self._copies or (), "of the outside copy")
        self._compare(heads, copied)
        signed = {seq: heads[seq] | copied[seq] for seq in {*heads, *copied}}
        events = self._follow(signed)
        return Verdict(
            events=events,
            heads=len(kept),
            copies=len(self._copies or ()),
            signed_up_to=max((seq for seq in signed if seq <= events), default=0),
            faults=tuple(sorted(self._faults.listed, key=lambda fault: fault.seq)),
            more=self._faults.more,
        )

    def _believed(self, heads: Iterable[SignedHead], where: str) -> _Signed:
        """Return the hashes that a key of ours has signed, for each event that has some.

        More than one means that the trail was cut, and has grown again, before it was signed
        the second time.
        """
        believed: _Signed = defaultdict(set)
        for head in heads:
            if is_genuine(head, self._trusted):
                believed[head.seq].add(head.hash)
            elif head.key_id in self._trusted:
                self._faults.add(
                    head.seq, f"the head {where} is forged: its signature does not fit"
                )
            else:
                self._faults.add(
                    head.seq,
                    f"the head {where} is forged, or of a key that is unknown here: "
                    f"{head.key_id[:60]}",
                )
        return believed

    def _compare(self, heads: _Signed, copied: _Signed) -> None:
        """Find heads that were taken out of the table, or changed there."""
        if self._copies is not None and heads and not copied:
            self._faults.add(max(heads), "the outside copy of the heads is empty or gone")
        for seq in sorted(set(copied) - set(heads)):
            self._faults.add(seq, "a signed head was removed from the table: it is kept outside")

    def _follow(self, signed: Mapping[int, set[bytes]]) -> int:
        """Go along the chain; return the `seq` of the last event."""
        before: TrailRow | None = None
        good_head = 0
        for row in self._rows():
            if row.seq < 1:
                self._faults.add(row.seq, "the event was inserted: the trail begins with event 1")
                continue
            self._check_row(row, before)
            hashes = signed.get(row.seq)
            if hashes == {row.hash}:
                good_head = row.seq
            elif hashes is not None:
                self._rewritten(row.seq, good_head)
            before = row
        last = 0 if before is None else before.seq
        self._check_tail(last, max(signed, default=0))
        return last

    def _rows(self) -> Iterator[TrailRow]:
        newest = self._keeper.newest()
        seq, done, until = BEFORE_ALL, 0, 0 if newest is None else newest.seq
        while page := self._keeper.rows(after=seq, limit=PAGE):
            yield from page
            seq = page[-1].seq
            done += len(page)
            self._progress(done, max(until, done))

    def _check_row(self, row: TrailRow, before: TrailRow | None) -> None:
        expected_seq, expected = (1, BEGINNING) if before is None else (before.seq + 1, before.hash)
        if row.seq > expected_seq:
            self._missing(expected_seq, row.seq - 1)
        own = link(_columns(row), row.previous)
        if own != row.hash:
            self._faults.add(row.seq, self._what_was_changed(row))
        elif row.seq == expected_seq and row.previous != expected:
            self._faults.add(row.seq, _what_came_between(row, before))
        self._check_source(row)

    def _missing(self, first: int, last: int) -> None:
        which = f"event {first} is" if first == last else f"events {first} to {last} are"
        self._faults.add(first, f"{which} missing: deleted from the middle of the trail")

    def _what_was_changed(self, row: TrailRow) -> str:
        """Say whether the event was altered, or only stands in another's place."""
        nearby = range(max(1, row.seq - LOOK_AROUND), row.seq + LOOK_AROUND)
        for seq in nearby if not self._faults.more else ():
            if link((seq, *_columns(row)[1:]), row.previous) == row.hash:
                return f"the event stands in the wrong place: it was written as event {seq}"
        return "the event was changed after it was written"

    def _check_source(self, row: TrailRow) -> None:
        if row.salt is None or row.source is None:
            return
        if source_digest(row.salt, row.source) != row.source_digest:
            self._faults.add(row.seq, "the address that it came from was changed")

    def _rewritten(self, seq: int, good_head: int) -> None:
        self._faults.add(
            seq,
            f"the trail was rewritten between event {good_head + 1} and event {seq}: "
            "it is not what was signed",
        )

    def _check_tail(self, last: int, newest: int) -> None:
        if newest > last:
            self._faults.add(
                last + 1,
                f"the tail was cut: the trail ends with event {last}, "
                f"and event {newest} was signed",
            )


def _columns(row: TrailRow) -> tuple[int | str | bytes | None, ...]:
    return (
        row.seq,
        row.event_id,
        row.at,
        row.written_at,
        row.action,
        row.outcome,
        row.actor_kind,
        row.actor,
        row.guest,
        row.source_digest,
        row.details,
    )


def _what_came_between(row: TrailRow, before: TrailRow | None) -> str:
    if before is not None and row.previous == before.previous:
        return f"event {before.seq} was inserted: this one does not follow it"
    return "the event does not follow the one before: something was inserted, removed or rewritten"
