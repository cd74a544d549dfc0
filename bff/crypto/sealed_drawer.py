"""Records of one kind, sealed in the store: one codec for everything that a service remembers."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from bff.errors import BrokenSealError
from bff.ports import Foundation

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(Generic[R]):
    """A record and the version of its entry."""

    record: R
    version: int


class Drawer(Generic[R]):
    """Records of one kind, sealed in the store under `kind:name`."""

    def __init__(self, kind: str, record: type[R], foundation: Foundation) -> None:
        self._kind = kind
        self._codec: TypeAdapter[R] = TypeAdapter(record)
        self._store = foundation.store
        self._sealer = foundation.sealer

    def get(self, name: str) -> Held[R] | None:
        """Return the record, or None. What does not open counts as absent: it was not ours."""
        entry = self._store.get(self._key(name))
        if entry is None:
            return None
        record = self._open(name, entry.value)
        return None if record is None else Held(record=record, version=entry.version)

    def put(self, name: str, record: R, *, ttl: timedelta) -> int:
        """Write, whatever was there."""
        return self._store.put(self._key(name), self._seal(name, record), ttl=ttl)

    def add(self, name: str, record: R, *, ttl: timedelta) -> bool:
        """Write only where nothing is; say whether this call wrote it."""
        return self._store.add(self._key(name), self._seal(name, record), ttl=ttl)

    def replace(self, name: str, record: R, *, version: int, ttl: timedelta) -> int | None:
        """Write only over `version`; None if it changed or went meanwhile."""
        sealed = self._seal(name, record)
        return self._store.replace(self._key(name), sealed, version=version, ttl=ttl)

    def take(self, name: str) -> R | None:
        """Return and remove the record, for one caller only."""
        sealed = self._store.take(self._key(name))
        return None if sealed is None else self._open(name, sealed)

    def delete(self, name: str) -> bool:
        """Remove the record; say whether there was one."""
        return self._store.delete(self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._kind}:{name}"

    def _seal(self, name: str, record: R) -> bytes:
        return self._sealer.seal(self._codec.dump_json(record), context=self._key(name))

    def _open(self, name: str, sealed: bytes) -> R | None:
        try:
            return self._codec.validate_json(self._sealer.open(sealed, context=self._key(name)))
        except (BrokenSealError, ValidationError):
            return None
