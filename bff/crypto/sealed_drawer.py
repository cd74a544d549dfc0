"""Records of one kind, sealed in the store: one codec for everything that a service remembers.

What lies there and cannot be read is not the same as what is not there. It may be of a newer
version that was rolled back, or sealed with a key that this process does not have: its bytes are
kept, nobody concludes anything from them, and it is told. `UnreadableRecordError` is a
`StoreDownError`: to whoever asks, it is a store that cannot answer just now.

Fields that this version does not know are passed over when a record is read, and are lost when it
writes that record again: whoever adds a field gives it a default that is safe to fall back to, and
where there is none, changes the type of another, so that older versions leave the record alone.
"""

import hashlib
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from bff.errors import BrokenSealError, UnreadableRecordError
from bff.ports import Foundation

log = logging.getLogger(__name__)

R = TypeVar("R")

ASIDE: Final = "unreadable"
KEPT_ASIDE: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(Generic[R]):
    """A record and the version of its entry."""

    record: R
    version: int


class Drawer(Generic[R]):
    """Records of one kind, sealed in the store under `kind:name`.

    `spare` says that such a record can be had again (a cache): an unreadable one is set aside, and
    then there is none. All others raise UnreadableRecordError where they are read.
    """

    def __init__(
        self, kind: str, record: type[R], foundation: Foundation, *, spare: bool = False
    ) -> None:
        self._kind = kind
        self._codec: TypeAdapter[R] = TypeAdapter(record)
        self._store = foundation.store
        self._sealer = foundation.sealer
        self._tally = foundation.unreadable
        self._told: set[bool] = set()
        self._spare = spare

    def get(self, name: str) -> Held[R] | None:
        """Return the record, or None if there is none. Raises UnreadableRecordError."""
        entry = self._store.get(self._key(name))
        if entry is None:
            return None
        try:
            record = self._open(name, entry.value)
        except UnreadableRecordError:
            if not self._spare:
                raise
            self._set_aside(name, entry.value)
            self._store.delete(self._key(name))
            return None
        return Held(record=record, version=entry.version)

    def opened(self, name: str) -> Held[R] | None:
        """Return the record; None if there is none, or if its seal does not open any more.

        For whoever can begin anew when the key that sealed it is gone. One that a newer version
        wrote is neither: UnreadableRecordError.
        """
        try:
            return self.get(name)
        except UnreadableRecordError as error:
            if error.newer:
                raise
            return None

    def put(self, name: str, record: R, *, ttl: timedelta) -> None:
        """Write, whatever was there; what could not be read of it is set aside first."""
        sealed = self._seal(name, record)
        if self._store.add(self._key(name), sealed, ttl=ttl):
            return
        entry = self._store.get(self._key(name))
        if entry is not None:
            self._keep_if_unreadable(name, entry.value)
        self._store.put(self._key(name), sealed, ttl=ttl)

    def add(self, name: str, record: R, *, ttl: timedelta) -> bool:
        """Write only where nothing is; say whether this call wrote it."""
        return self._store.add(self._key(name), self._seal(name, record), ttl=ttl)

    def replace(self, name: str, record: R, *, version: int, ttl: timedelta) -> int | None:
        """Write only over `version`; None if it changed or went meanwhile."""
        sealed = self._seal(name, record)
        return self._store.replace(self._key(name), sealed, version=version, ttl=ttl)

    def take(self, name: str) -> R | None:
        """Return and remove the record, for one caller only.

        Raises UnreadableRecordError, also for a spare one; nothing is removed then.
        """
        entry = self._store.get(self._key(name))
        if entry is None:
            return None
        self._open(name, entry.value)
        sealed = self._store.take(self._key(name))
        if sealed is None:
            return None
        self._keep_if_unreadable(name, sealed)
        return self._open(name, sealed)

    def delete(self, name: str) -> bool:
        """Remove the record, readable or not; say whether there was one."""
        return self._store.delete(self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._kind}:{name}"

    def _seal(self, name: str, record: R) -> bytes:
        try:
            return self._sealer.seal(self._codec.dump_json(record), context=self._key(name))
        except BrokenSealError as error:
            # Not this record's fault: the ring of keys itself cannot be read.
            raise UnreadableRecordError(f"nothing can be sealed: {error.detail}") from None

    def _open(self, name: str, sealed: bytes) -> R:
        try:
            plain = self._sealer.open(sealed, context=self._key(name))
        except BrokenSealError as error:
            raise self._unreadable(name, error.detail, newer=False) from None
        try:
            return self._codec.validate_json(plain)
        except ValidationError as error:
            # Which fields, and never what is in them.
            places = sorted({".".join(map(str, one["loc"])) for one in error.errors()})
            raise self._unreadable(name, f"fields {places[:4]}", newer=True) from None

    def _unreadable(self, name: str, why: str, *, newer: bool) -> UnreadableRecordError:
        self._tally[self._kind] += 1
        if newer not in self._told:
            self._told.add(newer)
            # A name may be a person's; its hash tells one record from another.
            mark = hashlib.sha256(name.encode()).hexdigest()[:8]
            log.warning(
                "a record of kind %s (%s) cannot be read and is kept: %s; more of them are counted",
                self._kind,
                mark,
                why,
            )
        return UnreadableRecordError(f"a record of kind {self._kind}: {why}", newer=newer)

    def _keep_if_unreadable(self, name: str, sealed: bytes) -> None:
        try:
            self._open(name, sealed)
        except UnreadableRecordError:
            self._set_aside(name, sealed)

    def _set_aside(self, name: str, sealed: bytes) -> None:
        self._store.put(f"{ASIDE}:{self._key(name)}", sealed, ttl=KEPT_ASIDE)
