"""What is known of guests and does not stand in the database yet: marks in the store.

The database may be away, and what waits for it in the outbox comes late. Whoever looks for a
conversation meanwhile must not get one that has ended, or that has become somebody's.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bff.ports import Store
from bff.trail_ports import micros, moment

KEEP: Final = timedelta(days=400)
"""Longer than anything waits. A mark that is left behind says what the row says as well."""

TOUCH_EVERY: Final = timedelta(hours=1)
_OWNER: Final = "owner:"
_END: Final = "end:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What is not written yet: fingerprints of new owners, and the newest end."""

    owners: frozenset[str] = frozenset()
    ended_at: datetime | None = None


class GuestMarks:
    """Set before a change is tried, taken away when it is written. StoreDownError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def own(self, guest_id: str, person: str) -> None:
        """Note that the guest becomes this person's (a fingerprint)."""
        self._store.join(_group(guest_id), f"{_OWNER}{person}", ttl=KEEP)

    def end(self, guest_id: str, at: datetime) -> None:
        """Note that the guest's conversation ends."""
        self._store.join(_group(guest_id), f"{_END}{micros(at)}", ttl=KEEP)

    def of(self, guest_id: str) -> Pending:
        """Return what is not written yet."""
        members = self._store.members(_group(guest_id))
        ends = [int(name.removeprefix(_END)) for name in members if name.startswith(_END)]
        return Pending(
            owners=frozenset(
                name.removeprefix(_OWNER) for name in members if name.startswith(_OWNER)
            ),
            ended_at=moment(max(ends)) if ends else None,
        )

    def owned(self, guest_id: str, person: str) -> None:
        """Take the mark away: the owner is written."""
        self._store.leave(_group(guest_id), f"{_OWNER}{person}")

    def ended(self, guest_id: str, at: datetime) -> None:
        """Take the mark away: the end is written."""
        self._store.leave(_group(guest_id), f"{_END}{micros(at)}")

    def forget(self, guest_id: str) -> None:
        """Take away every mark of a guest: there is none any more."""
        for member in self._store.members(_group(guest_id)):
            self._store.leave(_group(guest_id), member)

    def due_for_touch(self, guest_id: str) -> bool:
        """Say, once an hour, that it should be written that this guest is here."""
        return self._store.add(_touched(guest_id), b"", ttl=TOUCH_EVERY)

    def untouched(self, guest_id: str) -> None:
        """Take that back: it could not be written."""
        self._store.delete(_touched(guest_id))


def _group(guest_id: str) -> str:
    return f"guest-pending:{_hashed(guest_id)}"


def _touched(guest_id: str) -> str:
    return f"guest-touched:{_hashed(guest_id)}"


def _hashed(guest_id: str) -> str:
    return hashlib.sha256(guest_id.encode()).hexdigest()[:32]
