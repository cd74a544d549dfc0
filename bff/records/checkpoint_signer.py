"""Signs checkpoints of the audit log, and refuses a log that is not the one it signed before."""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from bff.errors import BffError, RecordsDownError
from bff.ports import Store
from bff.records.audit_events import SYSTEM, Action, Actor, Detail, Outcome
from bff.records.checkpoint_keys import HeadKeys, Introduction
from bff.records.checkpoint_signatures import is_genuine
from bff.trail_ports import HeadCopies, SignedHead, TrailKeeper, TrailRow, moment

log = logging.getLogger(__name__)

PAGE: Final = 100
LEASE: Final = "audit-introduce"
PAUSE: Final = timedelta(seconds=30)
LIFE: Final = timedelta(days=3650)
SHOWN: Final = 16  # letters of a hash: enough to tell two apart

ENDS_BEFORE: Final = "the trail ends before its newest signed head"
REWRITTEN: Final = "the trail was rewritten: an event that was signed has another hash"
UNREADABLE: Final = "what was signed last cannot be read from the store any more"
FOREIGN: Final = "the trail has signed heads, and none is of a key of ours"
GONE: Final = "what was signed last is gone from the store"

Note = Callable[..., None]
"""Writes an event down: action, outcome, details, and who acted."""


def _no_note(*_: object, **__: object) -> None:
    """Write nothing."""


class HeadSigner:
    """Signs the head of the trail every so many events, and at least every so often.

    It follows what it remembers as signed (`CheckpointMemory`), and never a row of the table: a
    forged checkpoint there stops nothing, and is copied nowhere. A log that does not continue what
    was signed is not signed: `refuses` says why.
    """

    def __init__(  # noqa: PLR0913 - what it reads, signs with, and tells
        self,
        keeper: TrailKeeper,
        keys: HeadKeys,
        *,
        every: int,
        age: timedelta,
        store: Store,
        copies: HeadCopies | None = None,
        note: Note = _no_note,
    ) -> None:
        self._keeper = keeper
        self._keys = keys
        self._every = every
        self._age = age
        self._copies = copies
        self._store = store
        self._note = note
        self._signed_seq = 0
        self._refuses: str | None = None

    @property
    def refuses(self) -> str | None:
        """Return why the log is not signed any more; None as long as it is."""
        return self._refuses

    @property
    def copies_are_kept(self) -> bool:
        """Say whether heads go to a place outside."""
        return self._copies is not None

    def copied_up_to(self) -> int | None:
        """Return the event of the newest head that was kept outside; None if none was."""
        if self._copies is None:
            return None
        kept = self._store.get(_mark_of(self._copies))
        return int(kept.value) if kept is not None and kept.value.isdigit() else None

    def written(self, seq: int) -> None:
        """Hear that the trail has grown; sign if enough has come.

        Raises nothing: the event is written, and the next round signs it.
        """
        if seq - self._signed_seq < self._every:
            return
        try:
            self.tend()
        except BffError as error:
            log.warning("audit: a head is signed later: %s: %s", error.code, error.detail)

    def tend(self, *, now: datetime | None = None) -> bool:
        """Sign if that is due, and keep the newest head elsewhere too; say whether it signed.

        `now` lets the age count as well. Raises RecordsDownError, StoreDownError.
        """
        if now is not None:
            # Also while nothing happens: its seal must be renewed while it opens.
            self._keys.tend()
        # In this order: what another process signs meanwhile must not look like a cut.
        last, newest = self.last_signed(), self._keeper.newest()
        signed = False
        if last is not None and not self._continues(last, newest):
            self._copy(last)
            return False
        self._refuses = None
        if last is not None:
            self._put_back(last)
        if newest is not None and self._is_due(newest.seq, last, now):
            last = self._keys.sign(newest.seq, newest.hash)
            signed = self._add(last)
        if last is not None:
            self._signed_seq = last.seq
            self._copy(last)
        return signed

    def last_signed(self) -> SignedHead | None:
        """Return the newest checkpoint of ours; None if nothing was ever signed here.

        Where nothing is remembered, as after an upgrade, the newest genuine one in the table is.
        """
        memory = self._keys.memory
        last = memory.newest()
        if last is not None:
            return last
        last = next(self._genuine(), None)
        lost = UNREADABLE if memory.is_lost() else GONE if self._keys.remembers() else None
        if lost is None and last is None and self._keeper.newest_head() is not None:
            lost = FOREIGN
        if lost is not None:
            self._told(lost, last, None)
            memory.forget()
        if last is not None:
            memory.keep(last, kept=True)
        return last

    def accept(self, actor: Actor) -> SignedHead | None:
        """Sign the log as it is, whatever was signed before: an operator has looked at it."""
        newest, last = self._keeper.newest(), self._keys.memory.newest()
        self._note(
            Action.CHECKPOINT_BREAK,
            Outcome.DONE,
            {"why": "accepted by an operator", **_where(last, newest)},
            actor=actor,
        )
        self._keys.memory.forget()
        self._refuses = None
        if newest is None:
            return None
        head = self._keys.sign(newest.seq, newest.hash)
        self._add(head)
        self._copy(head)
        return head

    def introduce(self, *, actor: Actor = SYSTEM) -> None:
        """Write down the key that signs now, unless this log tells of it already."""
        known = self._keys.known()
        if known and known[-1].introduction is None:
            before = known[-2].public if len(known) > 1 else ""
            self._keys.adopt(next((one for one in self._genuine() if one.key_id == before), None))
            known = self._keys.known()
        told = known[-1].introduction if known else None
        if told is None or told.log_id != self._keys.memory.log_id:
            return
        mark = f"audit-key-told:{told.log_id}:{told.statement.key}"
        if self._store.get(mark) is None:
            self._note(Action.KEYS_ROTATED, *_told_of(told), actor=actor)
            self._store.put(mark, b"1", ttl=LIFE)

    def introduce_in_turn(self) -> None:
        """Do the same in a round: one process of all, now and then."""
        # Never given back: that it runs out is what keeps the rounds apart.
        if self._store.acquire_lease(LEASE, ttl=PAUSE) is not None:
            self.introduce()

    def _genuine(self) -> Iterator[SignedHead]:
        """Yield checkpoints of the table that are ours, newest first."""
        trusted, ends = self._keys.trusted(), self._keys.ends()
        before: int | None = None
        while page := self._keeper.heads_before(before, limit=PAGE):
            yield from (head for head in page if is_genuine(head, trusted, ends))
            before = page[-1].seq

    def _continues(self, last: SignedHead, newest: TrailRow | None) -> bool:
        """Say whether the log still has the event that was signed last; tell if it has not."""
        if newest is None or newest.seq < last.seq:
            self._told(ENDS_BEFORE, last, newest)
            return False
        there = newest if newest.seq == last.seq else self._event(last.seq)
        if there is None or there.hash != last.hash:
            self._told(REWRITTEN, last, newest)
            return False
        return True

    def _event(self, seq: int) -> TrailRow | None:
        found = self._keeper.rows(after=seq - 1, limit=1)
        return found[0] if found and found[0].seq == seq else None

    def _told(self, why: str, last: SignedHead | None, newest: TrailRow | None) -> None:
        """Say loudly, once in this process and once in the log, that something is wrong."""
        where = _where(last, newest)
        if self._refuses != why:
            signed = "" if last is None else f" (event {last.seq} was signed)"
            log.error("audit: %s%s: run `messenger-bff audit verify`", why, signed)
        self._refuses = why
        mark = f"audit-break-told:{self._keys.memory.log_id}:{where.get('signed')}:{why[:40]}"
        if self._store.add(mark.replace(" ", "-"), b"1", ttl=LIFE):
            self._note(Action.CHECKPOINT_BREAK, Outcome.FAILED, {"why": why, **where})

    def _put_back(self, last: SignedHead) -> None:
        """Have the table keep what was signed last: a crash, or somebody, has left it out."""
        there = self._keeper.heads_before(last.seq + 1, limit=1)
        if last in there:
            self._keys.memory.confirm(last)
            return
        if self._keys.memory.state()[1]:
            log.error("audit: the head of event %d was removed; it is put back", last.seq)
        try:
            self._add(last)
        except RecordsDownError as error:
            # The next one covers whatever this one would have.
            log.warning("audit: the head of event %d is not put back: %s", last.seq, error.detail)

    def _add(self, head: SignedHead) -> bool:
        added = self._keeper.add_head(head)
        self._keys.memory.confirm(head)
        return added

    def _is_due(self, seq: int, last: SignedHead | None, now: datetime | None) -> bool:
        if last is None:
            return now is not None or seq >= self._every
        if seq <= last.seq:
            return False
        too_old = now is not None and now - moment(last.signed_at) >= self._age
        return too_old or seq - last.seq >= self._every

    def _copy(self, head: SignedHead) -> None:
        if self._copies is None:
            return
        mark, text = _mark_of(self._copies), str(head.seq).encode()
        kept = self._store.get(mark)
        if kept is not None and kept.value == text:
            return
        try:
            self._copies.keep(head)
        except RecordsDownError as error:
            # The next one covers whatever this one would have.
            log.warning("audit: a signed head is kept here only: %s", error.detail)
            return
        self._store.put(mark, text, ttl=LIFE)


def _mark_of(copies: HeadCopies) -> str:
    return f"audit-head-kept:{copies.name}"


def _where(last: SignedHead | None, newest: TrailRow | None) -> dict[str, Detail]:
    where: dict[str, Detail] = {"ends": None if newest is None else newest.seq}
    if last is not None:
        where |= {"signed": last.seq, "hash": last.hash.hex()[:SHOWN]}
    return where


def _told_of(introduction: Introduction) -> tuple[Outcome, dict[str, Detail]]:
    statement = introduction.statement
    outcome = Outcome.FAILED if statement.begun == "lost" else Outcome.DONE
    return outcome, {
        "head_key": statement.key,
        "begun": statement.begun,
        "replaces": statement.replaces,
        "last_seq": statement.last_seq,
        "last_hash": statement.last_hash,
        "proof": introduction.proof,
        "vouched": introduction.vouched,
    }
