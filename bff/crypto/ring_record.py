"""The keys of one ring over time, and how they are written down."""

import base64
import json
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bff.crypto.sealed_value import KEY_BYTES, KEY_ID_BYTES, SealingKey
from bff.errors import BrokenSealError
from bff.ports import Entropy


class KeyState(StrEnum):
    """What a key is still good for."""

    SEALING = "sealing"
    OPENING = "opening"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class RingKey:
    """A key with its dates. `opens_until` is None as long as it is the one that seals."""

    key: SealingKey
    created: datetime
    opens_until: datetime | None = None

    def state(self, now: datetime) -> KeyState:
        """Return what the key may do at `now`."""
        if self.opens_until is None:
            return KeyState.SEALING
        return KeyState.OPENING if now < self.opens_until else KeyState.RETIRED


@dataclass(frozen=True, slots=True)
class RingRecord:
    """All keys of a ring, the one that seals last. Never empty."""

    keys: tuple[RingKey, ...]

    @classmethod
    def started(cls, now: datetime, entropy: Entropy) -> "RingRecord":
        """Return a ring with one fresh key."""
        return cls((fresh_key(now, entropy),))

    @property
    def sealing(self) -> RingKey:
        """The key that seals."""
        return self.keys[-1]

    def find(self, key_id: bytes) -> RingKey | None:
        """Return the key of that id. Keys are never tried in turn."""
        return next((key for key in self.keys if key.key.id == key_id), None)

    def rotated(self, now: datetime, *, opens_until: datetime, entropy: Entropy) -> "RingRecord":
        """Return the ring with a fresh sealing key; the one before opens until then."""
        before = replace(self.sealing, opens_until=opens_until)
        return RingRecord((*self.keys[:-1], before, fresh_key(now, entropy))).without_retired(now)

    def without_retired(self, now: datetime) -> "RingRecord":
        """Return the ring without the keys that open nothing any more."""
        return RingRecord(tuple(key for key in self.keys if key.state(now) is not KeyState.RETIRED))

    def spell(self) -> bytes:
        """Write the ring down: secrets included, to be sealed before it is stored."""
        return json.dumps([_spell_key(key) for key in self.keys]).encode()

    @classmethod
    def parse(cls, plain: bytes) -> "RingRecord":
        """Read what `spell` wrote. Raises BrokenSealError for anything else."""
        try:
            record = cls(tuple(_parse_key(raw) for raw in json.loads(plain)))
        except (ValueError, TypeError, KeyError):
            raise BrokenSealError("the key ring is not written as we write it") from None
        if not record.keys:
            raise BrokenSealError("the key ring has no keys")
        return record


def fresh_key(now: datetime, entropy: Entropy) -> RingKey:
    """Return a new key. Ids are random and say nothing."""
    key = SealingKey(entropy.bytes(KEY_ID_BYTES), entropy.bytes(KEY_BYTES))
    return RingKey(key=key, created=now)


def _spell_key(key: RingKey) -> dict[str, str | None]:
    return {
        "id": key.key.id.hex(),
        "secret": base64.b64encode(key.key.secret).decode(),
        "created": key.created.isoformat(),
        "opens_until": key.opens_until.isoformat() if key.opens_until else None,
    }


def _parse_key(raw: dict[str, str | None]) -> RingKey:
    ends = raw["opens_until"]
    return RingKey(
        key=SealingKey(bytes.fromhex(raw["id"] or ""), base64.b64decode(raw["secret"] or "")),
        created=datetime.fromisoformat(raw["created"] or ""),
        opens_until=datetime.fromisoformat(ends) if ends else None,
    )
