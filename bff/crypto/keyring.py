"""Seals values under keys that every process shares, rotate by age and retire."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bff.crypto.master_key import MasterSeal
from bff.crypto.ring_record import KeyState, RingKey, RingRecord
from bff.crypto.sealed_value import key_id_of
from bff.errors import BrokenSealError, StoreDownError
from bff.ports import Clock, Entropy, Store

# How old a process' copy of the ring may be. For so long after a rotation it may still seal
# with the key before, which therefore opens for so long more.
STALENESS: Final = timedelta(seconds=60)
# Made-up key ids must not become a load on the store.
SEARCH_PAUSE: Final = timedelta(seconds=1)
# The ring outlives everything sealed with it; each rotation moves this end.
RING_LIFE: Final = timedelta(days=3650)
# Random 12-byte nonces allow 2^32 messages for one key (NIST SP 800-38D, 8.3). Each process
# counts its own and rotates long before: sixteen processes may share a key and stay below.
SEALS_BEFORE_ROTATION: Final = 2**28
_TRIES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyListing:
    """What may be shown of a key; `opens_until` is None for the key that seals."""

    id: str
    created: datetime
    state: KeyState
    opens_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterKeyUse:
    """The master key that a ring lies under: its id with the setting that holds it."""

    name: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    """The ring as the store had it."""

    record: RingRecord
    version: int
    read_at: datetime

    def is_fresh(self, now: datetime) -> bool:
        # A clock that was set back makes the copy old, not fresh for longer.
        return timedelta(0) <= now - self.read_at < STALENESS


class KeyRing:
    """Keeps `ports.Sealer`. One object for each purpose and process, safe for threads.

    The ring lives in the store, sealed under the master key, and is made, rotated and sealed
    anew by `add` and `replace` only: whoever comes second takes what the first one wrote.
    `rotate_after` is the age at which the sealing key is replaced; `keep_for` is how long a
    value sealed with it may be needed, counted from the rotation. Where nobody outside can make up
    an id, `search_pause` is zero: a key that another process has just made is always found.

    To change the master key: start every process with (old, new), then with (new, old), then
    with (new) alone. The first key seals, all of them open; the ring is sealed anew by `rekey`,
    which every start calls, and nothing that it has sealed is touched.

    StoreDownError is raised when the ring cannot be read; a value is not refused because of it.
    """

    def __init__(  # noqa: PLR0913 - wired in one place, by keyword
        self,
        store: Store,
        purpose: str,
        *,
        master_keys: Sequence[bytes],
        clock: Clock,
        entropy: Entropy,
        rotate_after: timedelta,
        keep_for: timedelta,
        search_pause: timedelta = SEARCH_PAUSE,
    ) -> None:
        self._store = store
        self._purpose = purpose
        self._place = f"keyring:{purpose}"
        self._master = MasterSeal(master_keys, entropy)
        self._clock = clock
        self._entropy = entropy
        self._rotate_after = rotate_after
        self._keep_for = keep_for
        self._search_pause = search_pause
        self._copy: _Copy | None = None
        self._seals = 0
        self._searching = threading.Lock()
        self._searched_at: datetime | None = None
        self._search_failed = False

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt and authenticate `plain`, bound to `context`."""
        now = self._clock.now()
        record = self._fresh(now).record
        if self._is_due(record, now):
            record = self._rotated(now, only_if=lambda found: self._is_due(found, now))
        self._seals += 1
        return record.sealing.key.seal(plain, context=context, entropy=self._entropy)

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Return the plain bytes. Raises BrokenSealError for every way to be wrong."""
        now = self._clock.now()
        key_id = key_id_of(sealed)
        key = self._fresh(now).record.find(key_id) or self._search(key_id, now)
        if key is None:
            raise BrokenSealError(f"no key {key_id.hex()} in the ring {self._purpose!r}")
        if key.state(now) is KeyState.RETIRED:
            raise BrokenSealError(f"key {key_id.hex()} of {self._purpose!r} has retired")
        return key.key.open(sealed, context=context)

    def rotate(self) -> str:
        """Make a new key seal from now on; return its id."""
        record = self._rotated(self._clock.now(), only_if=lambda _: True)
        return record.sealing.key.id.hex()

    def keys(self) -> list[KeyListing]:
        """List the ring as the store has it, newest last; changes nothing."""
        now = self._clock.now()
        entry = self._store.get(self._place)
        record = self._opened(entry.value) if entry else RingRecord(())
        return [
            KeyListing(
                id=key.key.id.hex(),
                created=key.created,
                state=key.state(now),
                opens_until=key.opens_until,
            )
            for key in record.keys
        ]

    def rekey(self) -> bool:
        """Seal the ring anew if another master key sealed it; say whether that was done.

        A ring that is not there yet is not made. Raises BrokenSealError if no configured master
        key opens it.
        """
        entry = self._store.get(self._place)
        if entry is None:
            return False
        self._opened(entry.value)
        if self._master.is_current(entry.value):
            return False
        self._read(self._clock.now())
        return True

    def master_key(self) -> MasterKeyUse | None:
        """Return under which master key the ring lies in the store; None if there is no ring."""
        entry = self._store.get(self._place)
        if entry is None:
            return None
        return MasterKeyUse(
            name=self._master.name_of(entry.value), current=self._master.is_current(entry.value)
        )

    def _is_due(self, record: RingRecord, now: datetime) -> bool:
        too_old = now >= record.sealing.created + self._rotate_after
        known = self._copy is not None and self._copy.record.sealing == record.sealing
        return too_old or (known and self._seals >= SEALS_BEFORE_ROTATION)

    def _fresh(self, now: datetime) -> _Copy:
        copy = self._copy
        return copy if copy is not None and copy.is_fresh(now) else self._read(now)

    def _search(self, key_id: bytes, now: datetime) -> RingKey | None:
        """Read the ring for an id that our copy lacks, not more than once in `search_pause`.

        Who comes while somebody reads waits for that reading: right after a rotation many
        values with the new id may arrive together, and none of them is wrong.
        """
        with self._searching:
            found = self._copy.record.find(key_id) if self._copy else None
            if found is None and self._may_search(now):
                self._searched_at, self._search_failed = now, True
                found = self._read(now).record.find(key_id)
                self._search_failed = False
            elif found is None and self._search_failed:
                raise StoreDownError(f"the key ring {self._purpose!r} could not be read just now")
        return found

    def _may_search(self, now: datetime) -> bool:
        if self._searched_at is None:
            return True
        return not timedelta(0) <= now - self._searched_at < self._search_pause

    def _rotated(self, now: datetime, *, only_if: Callable[[RingRecord], bool]) -> RingRecord:
        """Return the ring with a new sealing key, or as another process has just rotated it."""
        opens_until = now + self._keep_for + STALENESS
        for _ in range(_TRIES):
            copy = self._read(now)
            if not only_if(copy.record):
                return copy.record
            record = copy.record.rotated(now, opens_until=opens_until, entropy=self._entropy)
            if written := self._written(record, over=copy.version, now=now):
                return written.record
        raise self._contended()

    def _read(self, now: datetime) -> _Copy:
        """Read the ring, made first if there is none, tidied if there is something to tidy."""
        for _ in range(_TRIES):
            entry = self._store.get(self._place)
            if entry is None:
                self._start(now)
                continue
            record = self._opened(entry.value)
            tidy = record.without_retired(now)
            if tidy == record and self._master.is_current(entry.value):
                return self._keep(_Copy(record=record, version=entry.version, read_at=now))
            if written := self._written(tidy, over=entry.version, now=now):
                return written
        raise self._contended()

    def _start(self, now: datetime) -> None:
        record = RingRecord.started(now, self._entropy)
        # Whoever adds first has made the ring; all others find it there.
        self._store.add(self._place, self._sealed(record), ttl=RING_LIFE)

    def _written(self, record: RingRecord, *, over: int, now: datetime) -> _Copy | None:
        sealed = self._sealed(record)
        version = self._store.replace(self._place, sealed, version=over, ttl=RING_LIFE)
        if version is None:
            return None
        return self._keep(_Copy(record=record, version=version, read_at=now))

    def _keep(self, copy: _Copy) -> _Copy:
        if self._copy is None or self._copy.record.sealing != copy.record.sealing:
            self._seals = 0
        self._copy = copy
        return copy

    def _sealed(self, record: RingRecord) -> bytes:
        return self._master.seal(record.spell(), purpose=self._purpose)

    def _opened(self, sealed: bytes) -> RingRecord:
        return RingRecord.parse(self._master.open(sealed, purpose=self._purpose))

    def _contended(self) -> StoreDownError:
        return StoreDownError(f"the key ring {self._purpose!r} changes faster than we can write")
