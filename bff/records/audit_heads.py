"""Signed heads of the audit trail: who rewrites the trail cannot rewrite what was signed of it."""

import base64
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bff.crypto.sealed_drawer import Drawer
from bff.crypto.trail_chain import Column, framed
from bff.errors import BrokenSealError, RecordsDownError
from bff.ports import Foundation, Store
from bff.trail_ports import HeadCopies, SignedHead, TrailKeeper, micros, moment

log = logging.getLogger(__name__)

LABEL: Final = b"messenger-bff/audit-head/v1"
RECORD: Final = "keys"
RECORD_LIFE: Final = timedelta(days=3650)
RESEAL_AFTER: Final = timedelta(days=1)
"""Written anew this often, so that the sealing key under it may retire."""

SKEW: Final = timedelta(minutes=5)
"""How far the clocks of two machines may be apart when a key is replaced."""

SEED_BYTES: Final = 32
_TRIES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadKey:
    """A key that signed heads: its public half, which is also its name, and its time."""

    public: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadKeyRecord:
    """The one key that signs, and the public halves of all that ever did, oldest first."""

    seed: str = field(repr=False)
    keys: tuple[HeadKey, ...]
    sealed_at: datetime


class HeadKeys:
    """The signing key of the trail, sealed in the store, equal for every process."""

    def __init__(self, foundation: Foundation) -> None:
        self._drawer = Drawer("audit-head-keys", HeadKeyRecord, foundation)
        self._clock = foundation.clock
        self._entropy = foundation.entropy

    def sign(self, seq: int, digest: bytes) -> SignedHead:
        """Return a signature of what the trail ends with now."""
        record = self._record()
        signed_at = micros(self._clock.now())
        public = record.keys[-1].public
        text = _signed_text(seq, digest, signed_at, public)
        signature = _private(record.seed).sign(text)
        return SignedHead(
            seq=seq, hash=digest, signed_at=signed_at, key_id=public, signature=signature
        )

    def tend(self) -> None:
        """Make the key, or seal it anew, if that is due."""
        self._record()

    def known(self) -> tuple[HeadKey, ...]:
        """Return every key that ever signed here, oldest first; the last one signs."""
        held = self._drawer.opened(RECORD)
        return () if held is None else held.record.keys

    def rotate(self) -> str:
        """Let a new key sign from now on; return its public half."""
        self._record()
        for _ in range(_TRIES):
            held = self._drawer.opened(RECORD)
            if held is not None:
                now = self._clock.now()
                old = replace(held.record.keys[-1], until=now)
                fresh = self._fresh((*held.record.keys[:-1], old))
                if self._replaced(fresh, held.version):
                    return fresh.keys[-1].public
        raise BrokenSealError("the keys of the audit trail change faster than we can write")

    def _record(self) -> HeadKeyRecord:
        for _ in range(_TRIES):
            held = self._drawer.opened(RECORD)
            if held is None:
                self._begin()
                continue
            if self._clock.now() - held.record.sealed_at < RESEAL_AFTER:
                return held.record
            self._replaced(held.record, held.version)
        raise BrokenSealError("the keys of the audit trail change faster than we can write")

    def _begin(self) -> None:
        """Make a first key; another process's, if it was quicker, stays."""
        first = self._fresh(())
        if self._drawer.add(RECORD, first, ttl=RECORD_LIFE):
            log.info("audit: heads are signed with %s", first.keys[-1].public)
        elif self._drawer.opened(RECORD) is None:
            # It lies there and does not open: the key that sealed it is gone.
            log.warning("audit: the head key did not open; now it is %s", first.keys[-1].public)
            self._drawer.put(RECORD, first, ttl=RECORD_LIFE)

    def _replaced(self, record: HeadKeyRecord, version: int) -> bool:
        again = replace(record, sealed_at=self._clock.now())
        return self._drawer.replace(RECORD, again, version=version, ttl=RECORD_LIFE) is not None

    def _fresh(self, before: tuple[HeadKey, ...]) -> HeadKeyRecord:
        now = self._clock.now()
        seed = _spelled(self._entropy.bytes(SEED_BYTES))
        public = _spelled(_private(seed).public_key().public_bytes_raw())
        keys = (*before, HeadKey(public=public, since=now))
        return HeadKeyRecord(seed=seed, keys=keys, sealed_at=now)


class HeadSigner:
    """Signs the head of the trail every so many events, and at least every so often."""

    def __init__(
        self,
        keeper: TrailKeeper,
        keys: HeadKeys,
        *,
        every: int,
        age: timedelta,
        store: Store,
        copies: HeadCopies | None = None,
    ) -> None:
        self._keeper = keeper
        self._keys = keys
        self._every = every
        self._age = age
        self._copies = copies
        self._store = store
        self._signed_seq = 0

    def written(self, seq: int) -> None:
        """Hear that the trail has grown; sign if enough has come."""
        if seq - self._signed_seq >= self._every:
            self.tend()

    def tend(self, *, now: datetime | None = None) -> bool:
        """Sign if that is due, and keep the newest head elsewhere too; say whether it signed.

        `now` lets the age count as well. Raises RecordsDownError, StoreDownError.
        """
        if now is not None:
            # Also while nothing happens: its seal must be renewed while it opens.
            self._keys.tend()
        newest, last = self._keeper.newest(), self._keeper.newest_head()
        if last is not None and (newest is None or newest.seq < last.seq):
            log.error("audit: the trail ends before its newest signed head: run `audit verify`")
        signed = False
        if newest is not None and self._is_due(newest.seq, last, now):
            head = self._keys.sign(newest.seq, newest.hash)
            # Somebody else's head of the same event is as good.
            signed = self._keeper.add_head(head)
            last = self._keeper.newest_head()
        if last is not None:
            self._signed_seq = last.seq
            self._copy(last)
        return signed

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
        mark, text = f"audit-head-kept:{self._copies.name}", str(head.seq).encode()
        kept = self._store.get(mark)
        if kept is not None and kept.value == text:
            return
        try:
            self._copies.keep(head)
        except RecordsDownError as error:
            # The next one covers whatever this one would have.
            log.warning("audit: a signed head is kept here only: %s", error.detail)
            return
        self._store.put(mark, text, ttl=RECORD_LIFE)


def is_genuine(head: SignedHead, trusted: Mapping[str, datetime | None]) -> bool:
    """Say whether one of the trusted keys signed this head, and in its time.

    `trusted` says until when each key signed; None is without an end.
    """
    if head.key_id not in trusted:
        return False
    until = trusted[head.key_id]
    if until is not None and moment(head.signed_at) > until + SKEW:
        return False
    text = _signed_text(head.seq, head.hash, head.signed_at, head.key_id)
    try:
        Ed25519PublicKey.from_public_bytes(_raw(head.key_id)).verify(head.signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed_text(seq: int, digest: bytes, signed_at: int, public: str) -> bytes:
    columns: tuple[Column, ...] = (seq, digest, signed_at, public)
    return LABEL + b"".join(map(framed, columns))


def _private(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_raw(seed))


def _spelled(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(spelled: str) -> bytes:
    return base64.urlsafe_b64decode(spelled + "=" * (-len(spelled) % 4))
