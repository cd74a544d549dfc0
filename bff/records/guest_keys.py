"""A key for each guest, apart from what it opens: who destroys it has erased every copy.

The keys lie in a store of their own, sealed under a ring of their own. A rotation of that ring
seals the keys anew, and touches no data.
"""

import base64
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Final

from bff.crypto.keyring import STALENESS, KeyRing
from bff.crypto.sealed_drawer import Drawer
from bff.crypto.sealed_value import KEY_BYTES, KEY_ID_BYTES, SealingKey, key_id_of
from bff.errors import BffError, UnreadableRecordError
from bff.ports import Foundation

log = logging.getLogger(__name__)

KEEP: Final = timedelta(days=3650)
KIND: Final = "guest-key"
MEMBERS: Final = "guest-keys"
RESEALED: Final = "guest-keys-sealed-under"
SETTLED: Final = 2 * STALENESS
MOST_REMEMBERED: Final = 10_000
OWNER: Final = "guest-key-owner"
ERASED: Final = b""
"""What lies under the alias of an erased guest: in plain, so that no ring has to open it."""


class GuestErasedError(BffError):
    """This guest has been erased: no key is made for them again."""

    code = "guest_erased"
    message = "This guest has been erased."


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOwner:
    """Whose key an alias means."""

    guest_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestKey:
    """What is stored of a key: its name and its 32 bytes, base64."""

    id: str
    secret: str = field(repr=False)


class GuestKeys:
    """Makes, finds and destroys keys. StoreDownError if their store is away.

    `foundation` is that of the keys: their store, and their ring as its sealer. `scrub` lets
    nothing of a deleted key stay behind in the file of a store that is one. `alias` names a guest
    towards others who keep what was sealed: they need not keep the guest's id.
    """

    def __init__(
        self,
        foundation: Foundation,
        *,
        ring: KeyRing,
        scrub: Callable[[], None] = lambda: None,
        alias: Callable[[str], str] | None = None,
    ) -> None:
        self._scrub = scrub
        self.alias: Final = alias or _digest
        self._owners = Drawer(OWNER, KeyOwner, foundation)
        self._with_owner: dict[str, None] = {}
        self._clock = foundation.clock
        self._store = foundation.store
        self._entropy = foundation.entropy
        self._drawer = Drawer(KIND, GuestKey, foundation)
        self._ring = ring

    def find(self, guest_id: str) -> SealingKey | None:
        """Return the key of a guest, or None: there is none, or it has been destroyed."""
        held = self._drawer.get(guest_id)
        return None if held is None else _opened(held.record)

    def find_or_make(self, guest_id: str) -> SealingKey:
        """Return the key of a guest, a new one if need be; the same one to all who ask at once.

        Raises GuestErasedError if the guest's key was destroyed.
        """
        known = self.find(guest_id)
        if known is not None:
            self._name_owner(guest_id)
            return known
        if not self._name_owner(guest_id, at_once=True):
            raise GuestErasedError("the key of this guest was destroyed")
        made = GuestKey(
            id=self._entropy.bytes(KEY_ID_BYTES).hex(),
            secret=base64.b64encode(self._entropy.bytes(KEY_BYTES)).decode(),
        )
        added = self._drawer.add(guest_id, made, ttl=KEEP)
        if self.is_erased(guest_id):
            # Erased while the key was made: whoever erased may have come before it was there.
            self._drawer.delete(guest_id)
            raise GuestErasedError("the key of this guest was destroyed")
        if added:
            self._store.join(MEMBERS, guest_id, ttl=KEEP)
            return _opened(made)
        return self.find(guest_id) or _opened(made)

    def owner(self, alias: str) -> str | None:
        """Return the id of the guest behind an alias; None if erased, or never known."""
        if self.is_erased_alias(alias):
            return None
        held = self._owners.get(alias)
        return None if held is None else held.record.guest_id

    def is_erased(self, guest_id: str) -> bool:
        """Say whether the key of this guest was destroyed."""
        return self.is_erased_alias(self.alias(guest_id))

    def is_erased_alias(self, alias: str) -> bool:
        """Say whether the key of the guest behind an alias was destroyed."""
        entry = self._store.get(f"{OWNER}:{alias}")
        return entry is not None and entry.value == ERASED

    def _name_owner(self, guest_id: str, *, at_once: bool = False) -> bool:
        """Let the alias lead to this guest; False if the guest has been erased."""
        if guest_id in self._with_owner and not at_once:
            return True
        alias = self.alias(guest_id)
        if not self._owners.add(alias, KeyOwner(guest_id=guest_id), ttl=KEEP) and at_once:
            return not self.is_erased_alias(alias)
        if len(self._with_owner) >= MOST_REMEMBERED:
            self._with_owner.clear()
        self._with_owner[guest_id] = None
        return True

    def destroy(self, guest_id: str) -> bool:
        """Destroy the key; say whether there was one. What it sealed opens nowhere any more."""
        # Before the key goes: from here on nobody makes another one.
        self._store.put(f"{OWNER}:{self.alias(guest_id)}", ERASED, ttl=KEEP)
        self._with_owner.pop(guest_id, None)
        self._store.leave(MEMBERS, guest_id)
        existed = self._drawer.delete(guest_id)
        self._scrub()
        return existed

    def reseal(self) -> int:
        """Seal every key under the newest of the ring; return how many were sealed anew.

        To be done after a rotation, before the old keys of the ring retire. A key that is
        destroyed meanwhile stays destroyed.
        """
        done = 0
        newest = key_id_of(self._ring.seal(b"", context="which-key"))
        for guest_id in self._store.members(MEMBERS):
            entry = self._store.get(f"{KIND}:{guest_id}")
            if entry is None or key_id_of(entry.value) == newest:
                continue
            try:
                held = self._drawer.get(guest_id)
            except UnreadableRecordError:
                log.error("the key of a guest does not open: its ring has lost it")  # noqa: TRY400 - no trace needed
                continue
            if held is None:
                continue
            replaced = self._drawer.replace(guest_id, held.record, version=held.version, ttl=KEEP)
            done += replaced is not None
            self._reseal_owner(guest_id)
        return done

    def _reseal_owner(self, guest_id: str) -> None:
        alias = self.alias(guest_id)
        held = None if self.is_erased_alias(alias) else self._owners.get(alias)
        if held is not None:
            self._owners.replace(alias, held.record, version=held.version, ttl=KEEP)

    def rotate(self) -> int:
        """Let a new key of the ring seal the guests' keys, all of them; return how many."""
        self._ring.rotate()
        return self.reseal()

    def tend(self) -> None:
        """Seal every key anew, once after each rotation of the ring, if that is due.

        Other processes may seal with the key before for a minute; they have ended by then.
        """
        listed = self._ring.keys()
        if len(listed) < 2:  # noqa: PLR2004 - one key seals, and there is no other
            return
        newest = listed[-1]
        done = self._store.get(RESEALED)
        if done is not None and done.value == newest.id.encode():
            return
        if self._clock.now() - newest.created < SETTLED:
            return
        count = self.reseal()
        self._store.put(RESEALED, newest.id.encode(), ttl=KEEP)
        log.info("%d keys of guests were sealed anew", count)


def _digest(guest_id: str) -> str:
    return sha256(guest_id.encode()).hexdigest()[:32]


def _opened(key: GuestKey) -> SealingKey:
    return SealingKey(bytes.fromhex(key.id), base64.b64decode(key.secret))
