"""Outbox events that could not be delivered: set aside, listed, and retried by command."""

import base64
import json
import logging
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Final

from bff.crypto.sealed_value import key_id_of
from bff.errors import BrokenSealError
from bff.ports import Foundation
from bff.records.outbox_events import Letter
from bff.trail_ports import micros

log = logging.getLogger(__name__)

KEEP: Final = timedelta(days=3650)
MEMBERS: Final = "outbox-dead"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One of them. `desk` and `body` are there if it could be decrypted, else `raw` and `key`.

    `since` is when it was set aside: µs since 1970, UTC. `raw` is base64, and `key` is where it
    lay, which its ciphertext is bound to.
    """

    id: str
    why: str
    since: int
    desk: str | None = None
    body: str | None = field(default=None, repr=False)
    guest: str | None = None
    raw: str | None = field(default=None, repr=False)
    key: str | None = None

    @property
    def lane(self) -> str:
        """Return the lane that it comes from."""
        return lane_of(self.id)

    @property
    def letter(self) -> Letter | None:
        """Return what is to be delivered, if that is known."""
        if self.desk is None or self.body is None:
            return None
        return Letter(desk=self.desk, body=self.body, guest=self.guest)


def lane_of(name: str) -> str:
    """Return the lane of a dead letter by its id."""
    return name.partition(".")[0]


class DeadLetters:
    """Keeps them in the store, encrypted. StoreDownError if it is away."""

    def __init__(self, foundation: Foundation) -> None:
        self._store = foundation.store
        self._sealer = foundation.sealer
        self._clock = foundation.clock

    def put(self, name: str, letter: Letter, *, why: str) -> None:
        """Set an event aside. Doing it twice is the same as once."""
        self._keep(
            DeadLetter(
                id=name,
                why=why,
                since=micros(self._clock.now()),
                desk=letter.desk,
                body=letter.body,
                guest=letter.guest,
            )
        )

    def put_raw(self, name: str, raw: bytes, *, key: str, why: str) -> None:
        """Set something aside that cannot be read, as it is; `key` is where it lay."""
        self._keep(
            DeadLetter(
                id=name,
                why=why,
                since=micros(self._clock.now()),
                raw=base64.b64encode(raw).decode(),
                key=key,
            )
        )

    def ids(self) -> list[str]:
        """Return the ids of all of them."""
        return sorted(self._store.members(MEMBERS))

    def all(self) -> list[DeadLetter]:
        """Return all of them, oldest first."""
        found = [letter for letter in map(self.find, self.ids()) if letter is not None]
        return sorted(found, key=lambda letter: (letter.since, letter.id))

    def find(self, name: str) -> DeadLetter | None:
        """Return one of them; one that does not even open is there, and says no more."""
        entry = self._store.get(_key(name))
        if entry is None:
            return None
        try:
            return DeadLetter(**json.loads(self._sealer.open(entry.value, context=_key(name))))
        except (BrokenSealError, ValueError, TypeError):
            return DeadLetter(id=name, why=UNKNOWN, since=0)

    def opened(self, dead: DeadLetter) -> bytes | None:
        """Return the text of one that could not be decrypted, if it can be now."""
        if dead.raw is None or dead.key is None:
            return None
        try:
            return self._sealer.open(base64.b64decode(dead.raw), context=dead.key)
        except BrokenSealError:
            return None

    def drop(self, name: str) -> bool:
        """Forget one; say whether there was one."""
        existed = self._store.delete(_key(name))
        return self._store.leave(MEMBERS, name) or existed

    def reseal(self, newest: bytes) -> int:
        """Encrypt under the newest key whatever is under an older one; return how many."""
        done = 0
        for name in self.ids():
            entry = self._store.get(_key(name))
            if entry is None or _is_under(entry.value, newest):
                continue
            try:
                plain = self._sealer.open(entry.value, context=_key(name))
            except BrokenSealError:
                log.warning("outbox: the dead letter %s does not open any more", name)
                continue
            sealed = self._sealer.seal(plain, context=_key(name))
            version = entry.version
            done += self._store.replace(_key(name), sealed, version=version, ttl=KEEP) is not None
        return done

    def _keep(self, dead: DeadLetter) -> None:
        values: dict[str, Any] = asdict(dead)
        sealed = self._sealer.seal(json.dumps(values).encode(), context=_key(dead.id))
        self._store.put(_key(dead.id), sealed, ttl=KEEP)
        self._store.join(MEMBERS, dead.id, ttl=KEEP)


def _key(name: str) -> str:
    return f"outbox-dead:{name}"


def _is_under(raw: bytes, key_id: bytes) -> bool:
    try:
        return key_id_of(raw) == key_id
    except BrokenSealError:
        return False
