"""The keys that sign checkpoints of the audit log, encrypted in the store.

Each key speaks of itself when it begins: whom it replaces, and which event that one signed last. It
signs that, and so does the key before it. The statement goes into the log as an event
(`keys_rotated`), so that whoever has one public key can follow to all others.
"""

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from bff.crypto.sealed_drawer import Drawer
from bff.crypto.trail_chain import BEGINNING
from bff.errors import BrokenSealError
from bff.ports import Foundation
from bff.records.checkpoint_memory import CheckpointMemory
from bff.records.checkpoint_signatures import (
    KeyStatement,
    public_of,
    signed_head,
    signed_statement,
    spelled,
)
from bff.trail_ports import SignedHead, micros

log = logging.getLogger(__name__)

KIND: Final = "audit-head-keys"
RECORD: Final = "keys"
UNREADABLE: Final = "audit-head-keys-unreadable"
RECORD_LIFE: Final = timedelta(days=3650)
RESEAL_AFTER: Final = timedelta(days=1)
"""Written anew this often, so that the sealing key under it may retire."""

SEED_BYTES: Final = 32
NOTHING_SIGNED: Final = SignedHead(seq=0, hash=BEGINNING, signed_at=0, key_id="", signature=b"")
_TRIES: Final = 16
_CHANGES: Final = "the keys of the audit trail change faster than we can write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """What a key says of itself, with its own signature and that of the key before it.

    `log_id` is the log whose last checkpoint it names. It goes into that log as an event.
    """

    statement: KeyStatement
    log_id: str
    proof: str
    vouched: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadKey:
    """A key that signed heads: its public half, which is also its name, and its time."""

    public: str
    since: datetime
    until: datetime | None = None
    introduction: Introduction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadKeyRecord:
    """The one key that signs, and the public halves of all that ever did, oldest first.

    `logs` are the logs of which something is remembered as signed (`CheckpointMemory`).
    """

    seed: str = field(repr=False)
    keys: tuple[HeadKey, ...]
    sealed_at: datetime
    logs: tuple[str, ...] = ()


class HeadKeys:
    """The signing key of the trail, sealed in the store, equal for every process."""

    def __init__(self, foundation: Foundation, *, log_id: str = "") -> None:
        self._drawer = Drawer(KIND, HeadKeyRecord, foundation)
        self._store = foundation.store
        self._clock = foundation.clock
        self._entropy = foundation.entropy
        self.memory: Final = CheckpointMemory(foundation, log_id)

    def sign(self, seq: int, digest: bytes) -> SignedHead:
        """Return a signature of what the trail ends with now, and remember it."""
        for _ in range(_TRIES):
            record = self._record()
            now = micros(self._clock.now())
            head = signed_head(seq, digest, seed=record.seed, signed_at=now)
            self.memory.keep(head)
            self._note_log()
            # A key that was replaced meanwhile may not have signed this any more.
            if self._record().keys[-1].public == record.keys[-1].public:
                return head
        raise BrokenSealError(_CHANGES)

    def tend(self) -> None:
        """Make the key, or seal it and what was signed anew, if that is due."""
        self._record()
        self.memory.tend()

    def known(self) -> tuple[HeadKey, ...]:
        """Return every key that ever signed here, oldest first; the last one signs."""
        held = self._drawer.opened(RECORD)
        return () if held is None else held.record.keys

    def trusted(self) -> dict[str, datetime | None]:
        """Return until when each key signed."""
        return {key.public: key.until for key in self.known()}

    def ends(self) -> dict[str, int]:
        """Return the last event of this log that each replaced key has signed, where known."""
        told = (key.introduction for key in self.known())
        return {
            one.statement.replaces: one.statement.last_seq
            for one in told
            if one is not None
            and one.log_id == self.memory.log_id
            and one.statement.replaces is not None
            and one.statement.last_seq is not None
        }

    def remembers(self) -> bool:
        """Say whether something of this log was ever remembered as signed."""
        held = self._drawer.opened(RECORD)
        return held is not None and self.memory.log_id in held.record.logs

    def rotate(self) -> str:
        """Let a new key sign from now on; return its public half."""
        self._record()
        for _ in range(_TRIES):
            held = self._drawer.opened(RECORD)
            if held is not None:
                fresh = self._successor(held.record)
                if self._replaced(fresh, held.version):
                    self._settle_end(held.record, fresh)
                    return fresh.keys[-1].public
        raise BrokenSealError(_CHANGES)

    def adopt(self, last: SignedHead | None) -> None:
        """Let the key speak of itself that a version before this one made.

        `last` is the last genuine head of the key before it.
        """
        held = self._drawer.opened(RECORD)
        if held is None or held.record.keys[-1].introduction is not None:
            return
        record = held.record
        before = record.keys[-2].public if len(record.keys) > 1 else None
        statement = _statement(record.keys[-1].public, "adopted", before=before, last=last)
        told = self._introduced(statement, record.seed)
        keys = (*record.keys[:-1], replace(record.keys[-1], introduction=told))
        self._replaced(replace(record, keys=keys), held.version)

    def _successor(self, record: HeadKeyRecord, *, seed: str | None = None) -> HeadKeyRecord:
        """Return the record with a new key, which the old one vouches for."""
        now, old = self._clock.now(), record.keys[-1]
        seed = seed or spelled(self._entropy.bytes(SEED_BYTES))
        last = self.memory.newest()
        if last is None and old.introduction and self.memory.log_id not in record.logs:
            last = NOTHING_SIGNED
        statement = _statement(public_of(seed), "rotated", before=old.public, last=last)
        told = self._introduced(statement, seed, by=record.seed)
        fresh = HeadKey(public=statement.key, since=now, introduction=told)
        keys = (*record.keys[:-1], replace(old, until=now), fresh)
        return replace(record, seed=seed, keys=keys)

    def _settle_end(self, before: HeadKeyRecord, fresh: HeadKeyRecord) -> None:
        """Let the old key's last checkpoint be the one that it signed while it was replaced."""
        told, last = fresh.keys[-1].introduction, self.memory.newest()
        if told is None or last is None or last.key_id != before.keys[-1].public:
            return
        held = self._drawer.opened(RECORD)
        behind = told.statement.last_seq is not None and told.statement.last_seq < last.seq
        if behind and held is not None and held.record.keys == fresh.keys:
            again = self._successor(before, seed=fresh.seed)
            self._replaced(replace(again, logs=held.record.logs), held.version)

    def _introduced(
        self, statement: KeyStatement, seed: str, *, by: str | None = None
    ) -> Introduction:
        return Introduction(
            statement=statement,
            log_id=self.memory.log_id,
            proof=signed_statement(statement, seed),
            vouched=None if by is None else signed_statement(statement, by),
        )

    def _record(self) -> HeadKeyRecord:
        for _ in range(_TRIES):
            held = self._drawer.opened(RECORD)
            if held is None:
                self._begin()
                continue
            if self._clock.now() - held.record.sealed_at < RESEAL_AFTER:
                return held.record
            self._replaced(held.record, held.version)
        raise BrokenSealError(_CHANGES)

    def _begin(self) -> None:
        """Make a first key; another process's, if it was quicker, stays."""
        last = self.memory.newest()
        # Something was signed: there was a key, and its record was taken away.
        first = self._fresh("first" if last is None else "lost", last)
        if self._drawer.add(RECORD, first, ttl=RECORD_LIFE):
            log.info("audit: heads are signed with %s", first.keys[-1].public)
        elif self._drawer.opened(RECORD) is None:
            self._begin_anew()

    def _begin_anew(self) -> None:
        """Replace a record that does not open: written over, or its sealing key is gone."""
        there = self._store.get(f"{KIND}:{RECORD}")
        if there is None:
            return
        lost = self._fresh("lost", self.memory.newest())
        self._store.put(UNREADABLE, there.value, ttl=RECORD_LIFE)
        if self._drawer.replace(RECORD, lost, version=there.version, ttl=RECORD_LIFE):
            log.error("audit: the head key did not open; now it is %s", lost.keys[-1].public)

    def _fresh(self, begun: str, last: SignedHead | None) -> HeadKeyRecord:
        now, seed = self._clock.now(), spelled(self._entropy.bytes(SEED_BYTES))
        before = None if last is None else last.key_id
        statement = _statement(public_of(seed), begun, before=before, last=last)
        told = self._introduced(statement, seed)
        key = HeadKey(public=statement.key, since=now, introduction=told)
        logs = () if last is None else (self.memory.log_id,)
        return HeadKeyRecord(seed=seed, keys=(key,), sealed_at=now, logs=logs)

    def _note_log(self) -> None:
        for _ in range(_TRIES):
            held = self._drawer.opened(RECORD)
            if held is None or self.memory.log_id in held.record.logs:
                return
            logs = (*held.record.logs, self.memory.log_id)
            if self._replaced(replace(held.record, logs=logs), held.version):
                return

    def _replaced(self, record: HeadKeyRecord, version: int) -> bool:
        again = replace(record, sealed_at=self._clock.now())
        return self._drawer.replace(RECORD, again, version=version, ttl=RECORD_LIFE) is not None


def _statement(
    key: str, begun: str, *, before: str | None, last: SignedHead | None
) -> KeyStatement:
    return KeyStatement(
        key=key,
        begun=begun,
        replaces=before,
        last_seq=None if before is None or last is None else last.seq,
        last_hash=None if before is None or last is None else last.hash.hex(),
    )
