"""Erases a guest: the key first, then what it opened, then what is left; and can prove it.

Whatever stops it in between, what was asked for is written down first and finished later.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final, Protocol

from bff.errors import BffError, GuestUnknownError, RecordsRefusedError
from bff.ports import Clock, Entropy, Store
from bff.record_ports import ErasureRow, Erasures, GuestRows
from bff.records import guest_memory
from bff.records.audit_events import Action, Actor, ActorKind, AuditEvent, Detail
from bff.records.audit_writing import entry
from bff.records.guest_keys import GuestKeys
from bff.records.guest_marks import GuestMarks
from bff.records.outbox import Letter, Outbox
from bff.records.purpose_keys import PurposeKeys
from bff.records.scrubbing import OwedScrubs
from bff.trail_ports import TrailEntry

log = logging.getLogger(__name__)

REQUEST_ID_BYTES: Final = 16
BATCH: Final = 100
ROUND_LEASE: Final = "erasure-rounds"
ROUND_PAUSE: Final = timedelta(seconds=9)
ALL: Final = "all"
"""Stands for no guest alone where scrubs are owed: no pseudonym is so short."""


class Erased(StrEnum):
    """What came of it."""

    DONE = "erased"
    ALREADY = "already_erased"
    SPARED = "seen_meanwhile"


class Sessions(Protocol):
    """Knows the sessions that a guest has open. StoreDownError."""

    def of(self, guest_id: str) -> object:
        """Return what is known of them; empty if there are none."""

    def end_all(self, guest_id: str) -> frozenset[str]:
        """End them and close their sockets; return the persons whose they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who wants a guest erased, from where, and about which engagement if it was named."""

    actor: Actor
    source: str | None = None
    engagement_id: str | None = None


Told = Callable[[frozenset[str]], None]
Deliver = Callable[[], object]


class Erasure:
    """Erases guests. Everything may be done twice; nothing is done half for good."""

    def __init__(  # noqa: PLR0913 - what is erased lies in six places
        self,
        *,
        erasures: Erasures,
        rows: GuestRows,
        keys: GuestKeys,
        sessions: Sessions,
        outbox: Outbox,
        scrubs: OwedScrubs,
        marks: GuestMarks,
        purposes: PurposeKeys,
        tenant: str,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._erasures = erasures
        self._rows = rows
        self._keys = keys
        self._sessions = sessions
        self._outbox = outbox
        self._scrubs = scrubs
        self._marks = marks
        self._purposes = purposes
        self._tenant = tenant
        self._clock = clock
        self._entropy = entropy
        self._told: list[Told] = []
        self._deliver: Deliver = lambda: None

    def deliver_first(self, deliver: Deliver) -> None:
        """Have `deliver` called before each erasure: it brings pending events into the database."""
        self._deliver = deliver

    def also_tell(self, told: Told) -> None:
        """Have `told` called after each erasure with the fingerprints of the guest's persons."""
        self._told.append(told)

    def ask(
        self,
        guest_id: str,
        asker: Asker,
        *,
        seen_before: datetime | None = None,
        scrub: bool = True,
    ) -> Erased:
        """Erase a guest, unless they were seen at `seen_before` or later, or are here now.

        Without `scrub` the files are scrubbed later: the caller calls `scrub` after many, or the
        rounds do it. Raises GuestUnknownError; RecordsDownError or StoreDownError if it could not
        be finished: asking again is safe, and if it was written down it is finished without that.
        """
        self._try(self._deliver)
        pseudonym = self._purposes.pseudonym(guest_id)
        if self._erasures.of(pseudonym) is None and not self.knows(guest_id):
            raise GuestUnknownError("nothing is known of this guest")
        if seen_before is not None and self._sessions.of(guest_id):
            return Erased.SPARED
        row = self._wanted(guest_id, pseudonym, asker)
        begun = self._erasures.begin(row, asked=self._asked(row, asker), seen_before=seen_before)
        if begun is None:
            return Erased.SPARED
        # Before anything is deleted: whatever stops us, the files are scrubbed one day.
        self._scrubs.owe(pseudonym)
        if begun.done_at is None:
            self._finish(begun, guest_id)
        else:
            # Also what a backup of the keys may have brought back.
            self._keys.destroy(guest_id)
            self._sessions.end_all(guest_id)
        if scrub:
            self._scrub([pseudonym])
        return Erased.DONE if begun.done_at is None else Erased.ALREADY

    def scrub(self) -> bool:
        """Scrub the files after many deletions; False if that is still owed.

        Raises StoreDownError, RecordsDownError.
        """
        self._scrubs.owe(ALL)
        return self._scrub(self._over())

    @property
    def owes_scrubs(self) -> bool:
        """Say whether a file is still to be scrubbed. Raises StoreDownError."""
        return bool(self._scrubs.owed())

    def scrub_owed(self) -> None:
        """Scrub the files if that is owed to anybody. Raises StoreDownError, RecordsDownError."""
        owed = self._over()
        # What still waits for the database will be deleted from the store: once more after that.
        if owed and (not self._outbox.waiting() or self._scrubs.due()):
            self._scrub(owed)

    def erased_at(self, guest_id: str) -> datetime | None:
        """Return when a guest was erased; None if they were not, or it is not finished."""
        row = self._erasures.of(self._purposes.pseudonym(guest_id))
        return None if row is None else row.done_at

    def knows(self, guest_id: str) -> bool:
        """Say whether there is anything of this guest to erase, wherever it lies."""
        return (
            self._rows.find(guest_id) is not None
            or self._keys.find(guest_id) is not None
            or bool(self._sessions.of(guest_id))
            or self._waits(guest_id)
        )

    def resume_unfinished(self) -> int:
        """Finish what was asked for and stopped half-way; return how many.

        One that the database refuses holds up no other.
        """
        done = 0
        for row in self._erasures.unfinished(limit=BATCH):
            if row.guest_id is not None:
                self._scrubs.owe(row.guest)
                try:
                    self._finish(row, row.guest_id)
                except RecordsRefusedError as error:
                    log.error("erasure %s is tried again: %s", row.request_id, error.detail)  # noqa: TRY400 - no trace needed
                else:
                    done += 1
        return done

    def _finish(self, row: ErasureRow, guest_id: str) -> None:
        known = self._rows.find(guest_id)
        self._keys.destroy(guest_id)
        persons = self._sessions.end_all(guest_id)
        self._drop_dead(guest_id, row.guest)
        at = self._clock.now()
        erased = entry(self._erased(row, at), self._purposes)
        if self._erasures.finish(row, at=at, erased=erased, persons=persons):
            log.info("guest %s is erased, request %s", row.guest[:8], row.request_id)
        # A page that came back while the row was still there.
        persons |= self._sessions.end_all(guest_id)
        # What was to be written of the guest never is.
        self._try(partial(self._marks.forget, guest_id))
        self._tell(persons, None if known is None else known.person)

    def _drop_dead(self, guest_id: str, pseudonym: str) -> None:
        """Delete what was to be written of the guest and was set aside: it never will be."""
        for dead in self._outbox.dead.all():
            if dead.letter is not None and _is_about(dead.letter, guest_id, pseudonym):
                self._outbox.dead.drop(dead.id)

    def _tell(self, persons: frozenset[str], print_: str | None) -> None:
        """Do what is good to do and dies by itself if it cannot be done now."""
        prints = {self._purposes.fingerprint("person", self._tenant, one) for one in persons}
        whose = frozenset(prints | ({print_} if print_ else set()))
        for told in self._told:
            self._try(partial(told, whose))

    @staticmethod
    def _try(work: Callable[[], object]) -> None:
        try:
            work()
        except BffError as error:
            log.warning("beside an erasure: %s: %s", error.code, error.detail)

    def _scrub(self, pseudonyms: Sequence[str]) -> bool:
        for_good = () if self._outbox.waiting() else pseudonyms
        return self._scrubs.pay(for_good, also=self._erasures.scrub)

    def _over(self) -> list[str]:
        """Return to whom a scrub is owed, of those whose erasure is done."""
        rows = {guest: self._erasures.of(guest) for guest in self._scrubs.owed()}
        return [guest for guest, row in rows.items() if row is None or row.done_at is not None]

    def _waits(self, guest_id: str) -> bool:
        """Say whether something of this guest has not reached the database yet."""
        pseudonym = self._purposes.pseudonym(guest_id)
        return any(_is_about(one, guest_id, pseudonym) for one in self._outbox.letters())

    def _wanted(self, guest_id: str, pseudonym: str, asker: Asker) -> ErasureRow:
        return ErasureRow(
            request_id=self._entropy.token(REQUEST_ID_BYTES),
            guest=pseudonym,
            guest_id=guest_id,
            asked_by=f"{asker.actor.kind.value}:{asker.actor.name}",
            asked_at=self._clock.now(),
        )

    def _asked(self, row: ErasureRow, asker: Asker) -> TrailEntry:
        details: dict[str, Detail] = {"request": row.request_id}
        if asker.engagement_id is not None:
            # Whoever knows the engagement finds it again; nobody else learns which it was.
            print_ = self._purposes.fingerprint("audit-engagement", asker.engagement_id)
            details["engagement"] = print_[:32]
        event = AuditEvent(
            event_id=f"asked.{row.request_id}",
            at=row.asked_at,
            action=Action.ERASURE_ASKED,
            actor=asker.actor,
            guest_id=row.guest_id,
            source=asker.source,
            details=details,
        )
        return entry(event, self._purposes)

    @staticmethod
    def _erased(row: ErasureRow, at: datetime) -> AuditEvent:
        kind, _, name = row.asked_by.partition(":")
        return AuditEvent(
            event_id=f"erased.{row.request_id}",
            at=at,
            action=Action.GUEST_ERASED,
            actor=Actor(kind=ActorKind(kind), name=name),
            guest_id=row.guest_id,
            details={"request": row.request_id},
        )


def _is_about(letter: Letter, guest_id: str, pseudonym: str) -> bool:
    if letter.desk != guest_memory.DESK:
        return False
    return letter.guest == pseudonym or _names(letter.body, guest_id)


def _names(body: str, guest_id: str) -> bool:
    """Say whether a letter of the version before, which is not encrypted, is about a guest."""
    try:
        values = json.loads(body)
    except ValueError:
        return False
    return isinstance(values, dict) and values.get("guest_id") == guest_id


class ErasureRounds:
    """What is due for erasures and keys now and then, in one process of all."""

    def __init__(self, erasure: Erasure, keys: GuestKeys, *, store: Store) -> None:
        self._erasure = erasure
        self._keys = keys
        self._store = store

    def once(self) -> None:
        """Finish what was left; seal the guests' keys anew if their ring has rotated."""
        # Never given back: that it runs out is what keeps the rounds apart.
        if self._store.acquire_lease(ROUND_LEASE, ttl=ROUND_PAUSE) is None:
            return
        self._erasure.resume_unfinished()
        self._erasure.scrub_owed()
        self._keys.tend()
