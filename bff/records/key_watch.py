"""Notices new keys, whoever or whatever made them, and has the trail tell of them."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Final

from bff.ports import Foundation
from bff.records.audit_events import Action, AuditEvent, AuditTrail

MARK: Final = "audit-keys-seen"
MARK_LIFE: Final = timedelta(days=3650)
LEASE: Final = "audit-keys"
PAUSE: Final = timedelta(minutes=1)
EVENT_ID_BYTES: Final = 16


class KeyWatch:
    """Looks at all rings, a minute apart, in one process of all.

    Keys change by age, in whichever process seals next, deep below anything that knows of a
    trail. What they are called is no secret, so that looking is enough.
    """

    def __init__(
        self,
        foundation: Foundation,
        trail: AuditTrail,
        rings: Mapping[str, Callable[[], Iterable[str]]],
    ) -> None:
        self._store = foundation.store
        self._clock = foundation.clock
        self._entropy = foundation.entropy
        self._trail = trail
        self._rings = rings

    def once(self) -> None:
        """Tell of keys that nobody has seen before. Raises StoreDownError."""
        # Never given back: that it runs out is what keeps the rounds apart.
        if self._store.acquire_lease(LEASE, ttl=PAUSE) is None:
            return
        held = self._store.get(MARK)
        before: dict[str, list[str]] = {} if held is None else json.loads(held.value)
        now = {use: sorted(ids()) for use, ids in self._rings.items()}
        fresh = {use: set(ids) - set(before.get(use, ())) for use, ids in now.items()}
        told = {use: " ".join(sorted(ids)) for use, ids in fresh.items() if ids}
        if told:
            event = AuditEvent(
                event_id=self._entropy.token(EVENT_ID_BYTES),
                at=self._clock.now(),
                action=Action.KEYS_ROTATED,
                details=told,
            )
            self._trail.note(event)
        if now != before:
            self._store.put(MARK, json.dumps(now).encode(), ttl=MARK_LIFE)
