"""Reads the whole trail and says whether it is what was written: where not, and what that means."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from bff.crypto.trail_chain import BEGINNING, link, source_digest
from bff.records.checkpoint_keys import HeadKeys
from bff.records.checkpoint_reach import Reach, behind, of_another_log, reach_of
from bff.records.checkpoint_validity import KeyHistory, named
from bff.trail_ports import SignedHead, TrailKeeper, TrailRow

PAGE: Final = 2000
MOST_FAULTS: Final = 20
BEFORE_ALL: Final = -(2**62)
LOOK_AROUND: Final = 2000
"""How far an event is looked for that stands where it does not belong."""

TABLE: Final = "table"
STORE: Final = "store"
COPIES: Final = "copies"

_Signed: TypeAlias = defaultdict[int, set[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is not as it was written, and what it means, in one sentence."""

    seq: int
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of it. `more` faults were found and not listed.

    `reach` says how far the table, the store and the copies go, and `notes` what is no fault and
    should be known.
    """

    events: int
    heads: int
    copies: int
    signed_up_to: int
    faults: tuple[Fault, ...] = ()
    more: int = 0
    reach: tuple[Reach, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def unsigned(self) -> int:
        """Return how many events came after the newest head: a cut among them would not show."""
        return max(0, self.events - self.signed_up_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the store remembers as signed last; `kept` if the table was seen to have it.

    Without a head, it should remember one, and does not.
    """

    head: SignedHead | None
    kept: bool = False


def remembered_by(keys: HeadKeys) -> Remembered | None:
    """Return what the store says of the newest head; None if nothing was ever signed here."""
    head, kept = keys.memory.state()
    if head is not None:
        return Remembered(head=head, kept=kept)
    return Remembered(head=None) if keys.memory.is_lost() or keys.remembers() else None


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
    """Compares the trail with itself, with its signed heads, and with what lies elsewhere of them.

    `trusted` are public keys and until when each signed, `ends` the last event of those that were
    replaced; the log tells of further ones. `remembered` is what the store has. `copies` are
    heads from outside, which should have every head that was signed before `as_of` (µs);
    `copies_follow` says whether it is a fault if they have not.
    """

    def __init__(  # noqa: PLR0913 - all that there is to compare with
        self,
        keeper: TrailKeeper,
        *,
        trusted: Mapping[str, datetime | None],
        ends: Mapping[str, int] | None = None,
        remembered: Remembered | None = None,
        copies: Sequence[SignedHead] | None = None,
        copies_follow: bool = True,
        as_of: int | None = None,
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> None:
        self._keeper = keeper
        self._keys = KeyHistory(trusted, ends)
        self._remembered = remembered
        self._copies = copies
        self._copies_follow = copies_follow
        self._as_of = as_of
        self._progress = progress
        self._of_log = _Faults()
        self._of_heads = _Faults()
        self._notes: list[str] = []

    def run(self) -> Verdict:
        """Read everything once. Holds one page of events at a time, and all heads."""
        # Before the events: what is written meanwhile has no head that could miss it.
        kept = list(self._keeper.heads())
        hashes = dict.fromkeys(_numbers(kept, self._copies or (), self._stored()))
        events = self._follow(hashes)
        self._keys.settle()
        heads = self._believed(kept, "in the table")
        stored = self._believed(self._stored(), "in the store")
        copied = self._believed(self._copies or (), "of the outside copy", whole=True)
        self._compare(heads, stored, copied)
        self._compare_ends([*kept, *self._stored()], {*heads, *stored}, copied)
        signed = self._compare_hashes((heads, stored, copied), hashes, events)
        self._tell_of_keys()
        faults, more = self._all_faults()
        return Verdict(
            events=events,
            heads=len(kept),
            copies=len(self._copies or ()),
            signed_up_to=max((seq for seq in signed if seq <= events), default=0),
            faults=faults,
            more=more,
            reach=self._reach(kept, events),
            notes=tuple(self._notes),
        )

    def _stored(self) -> tuple[SignedHead, ...]:
        head = None if self._remembered is None else self._remembered.head
        return () if head is None else (head,)

    def _believed(self, heads: Iterable[SignedHead], where: str, *, whole: bool = False) -> _Signed:
        """Return the hashes that a key of ours has signed, for each event that has some.

        More than one means that the trail was cut, and has grown again, before it was signed
        the second time. `whole` if heads of one unknown key are told of once.
        """
        believed: _Signed = defaultdict(set)
        unknown: dict[str, list[int]] = {}
        for head in heads:
            why = self._keys.why_not(head)
            if why is None:
                believed[head.seq].add(head.hash)
            elif whole and not self._keys.is_known(head.key_id):
                unknown.setdefault(head.key_id, []).append(head.seq)
            else:
                self._of_heads.add(_number(head.seq), f"the head {where} is {why}")
        for key, seqs in unknown.items():
            self._of_heads.add(
                _number(seqs[0]),
                f"{_heads(len(seqs))} {where} {'is' if len(seqs) == 1 else 'are'} forged, or of a "
                f"key that is unknown here, as those of another database are: {named(key)}",
            )
        return believed

    def _compare(self, heads: _Signed, stored: _Signed, copied: _Signed) -> None:
        """Find heads that were taken out of the table, or forgotten in the store."""
        if self._remembered is not None and self._remembered.head is None:
            self._of_heads.add(
                max(heads, default=0),
                "what was signed last is gone from the store, or cannot be read there",
            )
        if self._copies is not None and not self._copies and (heads or stored):
            newest = max((*heads, *stored))
            self._of_heads.add(newest, "the outside copy of the heads is empty or gone")
        elsewhere = dict.fromkeys(copied, "it is kept outside")
        if self._remembered is not None and self._remembered.kept:
            elsewhere |= dict.fromkeys(set(stored) - set(elsewhere), "the store remembers it")
        for seq in sorted(set(elsewhere) - set(heads)):
            self._of_heads.add(seq, f"a signed head was removed from the table: {elsewhere[seq]}")

    def _compare_ends(
        self, found: Iterable[SignedHead], believed: set[int], copied: _Signed
    ) -> None:
        """Find out whether copies have stopped. What was signed since they were read is not due."""
        due = {
            head.seq
            for head in found
            if head.seq in believed and (self._as_of is None or head.signed_at <= self._as_of)
        }
        late = behind(copied, due)
        if not copied or late is None:
            return
        if self._copies_follow:
            self._of_heads.add(late.first, late.meaning)
        else:
            self._notes.append(late.meaning)

    def _compare_hashes(
        self,
        found: Sequence[_Signed],
        hashes: Mapping[int, bytes | None],
        last: int,
    ) -> set[int]:
        """Compare what was signed with what is there; return the events that were signed."""
        signed: _Signed = defaultdict(set)
        for one in found:
            for seq, digests in one.items():
                signed[seq] |= digests
        other = of_another_log(found[-1], hashes) if self._copies else None
        if other is not None:
            self._of_heads.add(other, "every outside copy is of another log than this one")
        stated = {seq: set(map(_bytes, texts)) for seq, texts in self._keys.signed.items()}
        good = 0
        for seq in sorted({*signed, *stated}):
            there = hashes.get(seq) if seq in hashes else self._hash_of(seq)
            if there is None:
                continue
            if (signed[seq] | stated.get(seq, set())) == {there}:
                good = seq
            else:
                self._rewritten(seq, good)
        self._check_tail(last, max((*signed, *stated), default=0))
        return {seq for seq, digests in signed.items() if digests}

    def _hash_of(self, seq: int) -> bytes | None:
        found = self._keeper.rows(after=seq - 1, limit=1)
        return found[0].hash if found and found[0].seq == seq else None

    def _tell_of_keys(self) -> None:
        for seq, meaning in self._keys.faults:
            self._of_heads.add(seq, meaning)
        self._notes += [
            f"BREAK at event {seq}: {meaning}" for seq, meaning in self._keys.breaks.values()
        ]

    def _all_faults(self) -> tuple[tuple[Fault, ...], int]:
        """Return those of heads first where there are too many: they are few, and weigh more."""
        faults = [*self._of_heads.listed, *self._of_log.listed]
        more = self._of_heads.more + self._of_log.more + max(0, len(faults) - MOST_FAULTS)
        return tuple(sorted(faults[:MOST_FAULTS], key=lambda fault: fault.seq)), more

    def _reach(self, kept: Sequence[SignedHead], events: int) -> tuple[Reach, ...]:
        places: dict[str, Sequence[SignedHead]] = {TABLE: kept}
        if self._remembered is not None:
            places[STORE] = self._stored()
        if self._copies is not None:
            places[COPIES] = self._copies
        return tuple(
            reach_of(where, heads, lambda head: self._keys.why_not(head) is None, events)
            for where, heads in places.items()
        )

    def _follow(self, hashes: dict[int, bytes | None]) -> int:
        """Go along the chain, and fill in `hashes`; return the `seq` of the last event."""
        before: TrailRow | None = None
        for row in self._rows():
            if _number(row.seq) < 1:
                self._of_log.add(
                    _number(row.seq), "the event was inserted: the trail begins with event 1"
                )
                continue
            self._check_row(row, before)
            self._keys.see(row)
            if row.seq in hashes:
                hashes[row.seq] = row.hash
            before = row
        return 0 if before is None else before.seq

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
            self._of_log.add(row.seq, self._what_was_changed(row))
        elif row.seq == expected_seq and row.previous != expected:
            self._of_log.add(row.seq, _what_came_between(row, before))
        self._check_source(row)

    def _missing(self, first: int, last: int) -> None:
        which = f"event {first} is" if first == last else f"events {first} to {last} are"
        self._of_log.add(first, f"{which} missing: deleted from the middle of the trail")

    def _what_was_changed(self, row: TrailRow) -> str:
        """Say whether the event was altered, or only stands in another's place."""
        nearby = range(max(1, row.seq - LOOK_AROUND), row.seq + LOOK_AROUND)
        for seq in nearby if not self._of_log.more else ():
            if link((seq, *_columns(row)[1:]), row.previous) == row.hash:
                return f"the event stands in the wrong place: it was written as event {seq}"
        return "the event was changed after it was written"

    def _check_source(self, row: TrailRow) -> None:
        if row.salt is None or row.source is None:
            return
        if source_digest(row.salt, row.source) != row.source_digest:
            self._of_log.add(row.seq, "the address that it came from was changed")

    def _rewritten(self, seq: int, good_head: int) -> None:
        self._of_heads.add(
            seq,
            f"the trail was rewritten between event {good_head + 1} and event {seq}: "
            "it is not what was signed",
        )

    def _check_tail(self, last: int, newest: int) -> None:
        if newest > last:
            self._of_heads.add(
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


def _numbers(*groups: Iterable[SignedHead]) -> set[int]:
    return {head.seq for group in groups for head in group}


def _number(seq: object) -> int:
    """Return a number to sort by; a database that somebody meddled with holds anything."""
    return seq if isinstance(seq, int) else 0


def _heads(count: int) -> str:
    return "the head" if count == 1 else f"{count:,} heads"


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
