"""How far checkpoints go: in the table, in the store, and in each place outside."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from bff.trail_ports import SignedHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The newest believed checkpoint of one place; `after` events came later and are not covered.

    `seq` is 0 and `signed_at` None where there is none.
    """

    where: str
    seq: int
    signed_at: int | None
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Copies that do not have what was signed since: from which event on, and what it means."""

    first: int
    meaning: str


def reach_of(
    where: str, heads: Iterable[SignedHead], believed: Callable[[SignedHead], bool], events: int
) -> Reach:
    """Return how far the heads of one place go, of those that are believed."""
    # A forged one of the same event says anything of its time.
    good = [head for head in heads if believed(head)]
    seq = max((head.seq for head in good), default=0)
    signed = max((head.signed_at for head in good if head.seq == seq), default=None)
    return Reach(where=where, seq=seq, signed_at=signed, after=max(0, events - seq))


def behind(copied: Collection[int], elsewhere: Collection[int]) -> Late | None:
    """Return that copies have stopped; None if the newest checkpoint is among them."""
    newest, last = max(elsewhere, default=0), max(copied, default=0)
    if newest <= last:
        return None
    missing = sorted(seq for seq in elsewhere if seq > last)
    return Late(
        first=missing[0],
        meaning=f"the outside copies stop at event {last}: {len(missing)} checkpoints up to event "
        f"{newest} were signed since, and are not among them",
    )


def of_another_log(
    copied: Mapping[int, set[bytes]], hashes: Mapping[int, bytes | None]
) -> int | None:
    """Return an event if copies are there, and not one of them is of this log."""
    compared = {seq: hashes.get(seq) for seq in copied}
    there = {seq: digest for seq, digest in compared.items() if digest is not None}
    if not there or any(digest in copied[seq] for seq, digest in there.items()):
        return None
    return min(there)
