"""Remembers, encrypted in the store, what was signed last of the audit log of one database.

Whoever writes to the database alone can delete every checkpoint and compute all hashes anew; what
is remembered here does not follow. The signer compares before it signs, `audit verify` when it
reads.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bff.crypto.sealed_drawer import Drawer
from bff.errors import BrokenSealError
from bff.ports import Foundation
from bff.records.checkpoint_signatures import raw, spelled
from bff.trail_ports import SignedHead

KIND: Final = "audit-signed"
LIFE: Final = timedelta(days=3650)
RESEAL_AFTER: Final = timedelta(days=1)
"""Written anew this often, so that the sealing key under it may retire."""

_TRIES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedHead:
    """The newest checkpoint, whole; `kept` once the table of checkpoints has it."""

    seq: int
    hash: str
    signed_at: int
    key_id: str
    signature: str
    kept: bool
    sealed_at: datetime


class CheckpointMemory:
    """What was signed last, equal for every process. `log_id` tells one database from another."""

    def __init__(self, foundation: Foundation, log_id: str = "") -> None:
        self.log_id: Final = log_id or "log"
        self._drawer = Drawer(KIND, RememberedHead, foundation)
        self._store = foundation.store
        self._clock = foundation.clock

    def newest(self) -> SignedHead | None:
        """Return the newest checkpoint."""
        return self.state()[0]

    def state(self) -> tuple[SignedHead | None, bool]:
        """Return the newest checkpoint, and whether the table was seen to have it."""
        held = self._drawer.opened(self.log_id)
        return (None, False) if held is None else (_head(held.record), held.record.kept)

    def is_lost(self) -> bool:
        """Say whether something lies there that does not open."""
        there = self._store.get(f"{KIND}:{self.log_id}") is not None
        return there and self._drawer.opened(self.log_id) is None

    def keep(self, head: SignedHead, *, kept: bool = False) -> None:
        """Remember a checkpoint, unless one of a later event is remembered."""
        record = RememberedHead(
            seq=head.seq,
            hash=head.hash.hex(),
            signed_at=head.signed_at,
            key_id=head.key_id,
            signature=spelled(head.signature),
            kept=kept,
            sealed_at=self._clock.now(),
        )
        for _ in range(_TRIES):
            held = self._drawer.opened(self.log_id)
            if held is None:
                self._drawer.put(self.log_id, record, ttl=LIFE)
                return
            if held.record.seq > head.seq or _is_other_log(held.record, record):
                return
            if self._drawer.replace(self.log_id, record, version=held.version, ttl=LIFE):
                return
        raise BrokenSealError("what was signed of the audit log changes faster than we can write")

    def confirm(self, head: SignedHead) -> None:
        """Note that the table has it."""
        self._rewrite(lambda record: record.seq == head.seq and not record.kept, kept=True)

    def tend(self) -> None:
        """Encrypt it anew if that is due."""
        due = self._clock.now() - RESEAL_AFTER
        self._rewrite(lambda record: record.sealed_at <= due)

    def forget(self) -> None:
        """Begin anew, with whatever is signed next."""
        self._drawer.delete(self.log_id)

    def _rewrite(self, wanted: Callable[[RememberedHead], bool], *, kept: bool = False) -> None:
        held = self._drawer.opened(self.log_id)
        if held is None or not wanted(held.record):
            return
        again = replace(held.record, kept=kept or held.record.kept, sealed_at=self._clock.now())
        # Whoever was quicker has remembered something newer.
        self._drawer.replace(self.log_id, again, version=held.version, ttl=LIFE)


def _is_other_log(held: RememberedHead, record: RememberedHead) -> bool:
    """Say whether two checkpoints of one event tell of two histories: the first one counts."""
    return held.seq == record.seq and held.hash != record.hash


def _head(record: RememberedHead) -> SignedHead:
    return SignedHead(
        seq=record.seq,
        hash=bytes.fromhex(record.hash),
        signed_at=record.signed_at,
        key_id=record.key_id,
        signature=raw(record.signature),
    )
