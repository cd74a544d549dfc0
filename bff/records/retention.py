"""Forgets by policy: guests whom nobody has seen for long, and from where old events came."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bff.ports import Clock, Entropy
from bff.records.audit_events import Action, Actor, AuditEvent, AuditTrail
from bff.records.erasure import Asker, Erased
from bff.records.guest_records import GuestRecords
from bff.trail_ports import TrailKeeper, micros

BATCH: Final = 100
EVENT_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was forgotten."""

    guests: int
    sources: int


class Retention:
    """Erases as an erasure does, with a key, a row and an event for each guest."""

    def __init__(
        self,
        guests: GuestRecords,
        keeper: TrailKeeper,
        trail: AuditTrail,
        *,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._guests = guests
        self._keeper = keeper
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def before(self, age: timedelta) -> datetime:
        """Return the moment before which things are too old."""
        return self._clock.now() - age

    def count(self, before: datetime) -> int:
        """Return how many guests would be erased."""
        return self._guests.rows.count(unused_since=before)

    def prune(self, before: datetime, *, actor: Actor, progress: Callable[[int], None]) -> Pruned:
        """Forget what is older. Stopped half-way, it has done what it has done.

        Who is here is spared, however long ago that was written down; if it cannot be known who
        is here, StoreDownError.
        """
        done = 0
        asker = Asker(actor=actor)
        spared: set[str] = set()
        while found := self._unused(before, spared):
            for guest_id in found:
                erased = self._guests.erasure.ask(guest_id, asker, seen_before=before, scrub=False)
                if erased is Erased.SPARED:
                    spared.add(guest_id)
                done += erased is not Erased.SPARED
                progress(done)
        sources = self._keeper.prune_sources(micros(before))
        # Once for all of them; the addresses lay in the same file.
        self._guests.erasure.scrub()
        pruned = Pruned(guests=done, sources=sources)
        self._note(before, actor, pruned)
        return pruned

    def _unused(self, before: datetime, spared: set[str]) -> list[str]:
        found = self._guests.rows.unused_since(before, limit=BATCH + len(spared))
        return [guest_id for guest_id in found if guest_id not in spared]

    def _note(self, before: datetime, actor: Actor, pruned: Pruned) -> None:
        self._trail.note(
            AuditEvent(
                event_id=self._entropy.token(EVENT_ID_BYTES),
                at=self._clock.now(),
                action=Action.RECORDS_PRUNED,
                actor=actor,
                details={
                    "before": before.isoformat(),
                    "guests": pruned.guests,
                    "sources": pruned.sources,
                },
            )
        )
