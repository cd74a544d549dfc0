"""What the database of the records holds, and what is asked of whoever keeps it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bff.trail_ports import TrailEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestRow:
    """One guest: keyed fingerprints, and sealed columns. None is what is not known."""

    guest_id: str
    tenant: str
    device: str | None = None
    person: str | None = None
    email: str | None = None
    # Said by a provider that verified it, or only by a page (or an import); None: not known.
    email_verified: bool | None = None
    browser: str | None = None
    email_sealed: bytes | None = field(default=None, repr=False)
    name_sealed: bytes | None = field(default=None, repr=False)
    fields_sealed: bytes | None = field(default=None, repr=False)
    session_sealed: bytes | None = field(default=None, repr=False)
    # When the newest conversation was opened, and until when all that were opened have ended.
    session_at: datetime | None = None
    ended_at: datetime | None = None
    created_at: datetime
    seen_at: datetime
    version: int = 1


class GuestRows(Protocol):
    """Keeps rows. RecordsDownError if the database is away."""

    def keep(self, row: GuestRow, *, pseudonym: str, tie: str = "", imported: bool = False) -> bool:
        """Write what one fact says of a guest, told at `seen_at`. What is None says nothing.

        Any order, repetition and delay of the same facts gives the same row: of each value the
        newest counts, and of two of one moment the one with the greater `tie`. An e-mail that was
        verified counts more than one that was not. What is `imported` counts less than whatever
        the guest has told, and does not move `seen_at`. A session that was opened at `ended_at`
        or before is gone for good.

        False, and nothing is written, if a guest of this pseudonym has been erased.
        """

    def find(self, guest_id: str) -> GuestRow | None:
        """Return a guest."""

    def is_erased(self, pseudonym: str) -> bool:
        """Say whether the guest of this pseudonym has been erased, or will be."""

    def of_device(
        self, tenant: str, device: str, *, browser: str | None, person: str | None, limit: int
    ) -> list[GuestRow]:
        """Return the guests of a device whose conversation `browser` or `person` may continue.

        Those are the person's own, and the browser's as far as they are nobody's; newest first.
        However many guests others have on this device, these are found.
        """

    def has_open(self, tenant: str, device: str) -> bool:
        """Say whether anybody has a conversation on this device that could be continued."""

    def of_person(self, tenant: str, person: str, *, limit: int) -> list[GuestRow]:
        """Return the guests of a person, newest first."""

    def of_email(self, tenant: str, email: str) -> list[GuestRow]:
        """Return the guests with this e-mail, newest first."""

    def tenants(self) -> list[str]:
        """Return every tenant of whom there is a guest."""

    def with_fields(self, *, after: str, limit: int) -> list[GuestRow]:
        """Return guests with further fields of a profile, by their ids, those after that id."""

    def unused_since(self, moment: datetime, *, limit: int) -> list[str]:
        """Return the ids of guests that nobody has seen since `moment`, oldest first."""

    def count(self, *, unused_since: datetime | None = None) -> int:
        """Return how many guests there are, or how many nobody has seen since that moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRow:
    """One erasure. `guest` is the pseudonym; `guest_id` is there until it is done."""

    request_id: str
    guest: str
    guest_id: str | None = field(repr=False)
    asked_by: str
    asked_at: datetime
    done_at: datetime | None = None


class Erasures(Protocol):
    """Keeps what was asked to be erased. Each call is one transaction; RecordsDownError."""

    def begin(
        self, row: ErasureRow, *, asked: TrailEntry, seen_before: datetime | None = None
    ) -> ErasureRow | None:
        """Write the request and its event unless there is one: return what is there.

        From then on no row of this guest is written any more. None, and nothing is written, if
        the guest was seen at `seen_before` or later.
        """

    def finish(
        self,
        row: ErasureRow,
        *,
        at: datetime,
        erased: TrailEntry,
        persons: frozenset[str] = frozenset(),
    ) -> bool:
        """Delete the guest, write the event, forget the guest's id: all of it or nothing.

        With them go the addresses that the guest's events came from; and until `at` those of the
        `persons` (pairwise subjects) who the guest was, unless they have other guests here. False
        if somebody else has finished it.
        """

    def scrub(self) -> bool:
        """Let nothing of what was deleted stay behind in a file of ours; False if prevented."""

    def of(self, pseudonym: str) -> ErasureRow | None:
        """Return the erasure of a guest."""

    def unfinished(self, *, limit: int) -> list[ErasureRow]:
        """Return what is not done yet, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """How far an import is, and what came of it so far."""

    name: str
    next_page: int = 1
    new: int = 0
    known: int = 0
    skipped: int = 0
    failed: int = 0
    updated_at: datetime

    @property
    def counts(self) -> dict[str, int]:
        """Return how many came to what."""
        names = ("new", "known", "skipped", "failed")
        return {name: getattr(self, name) for name in names}

    @property
    def sums(self) -> str:
        """Return the same for a reader."""
        return ", ".join(f"{count} {name}" for name, count in self.counts.items())


class Imports(Protocol):
    """Remembers how far imports are. RecordsDownError if the database is away."""

    def find(self, name: str) -> ImportRow | None:
        """Return how far it is."""

    def keep(self, row: ImportRow) -> None:
        """Write how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMark:
    """How far a lane of the outbox is delivered: this event, by number and hash, and all before.

    Numbers begin anew with each `generation`.
    """

    generation: str
    number: int
    hash: str


class OutboxMarks(Protocol):
    """Keeps in the database how far each lane is delivered, for a store that forgets."""

    def find(self, lane: str) -> OutboxMark | None:
        """Return how far it is. RecordsDownError if the database is away."""

    def keep(self, lane: str, mark: OutboxMark) -> None:
        """Write how far it is. RecordsDownError if the database is away."""
