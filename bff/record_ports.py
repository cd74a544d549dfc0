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
    browser: str | None = None
    email_sealed: bytes | None = field(default=None, repr=False)
    name_sealed: bytes | None = field(default=None, repr=False)
    fields_sealed: bytes | None = field(default=None, repr=False)
    session_sealed: bytes | None = field(default=None, repr=False)
    created_at: datetime
    seen_at: datetime
    version: int = 1


class GuestRows(Protocol):
    """Keeps rows. RecordsDownError if the database is away."""

    def keep(self, row: GuestRow, *, pseudonym: str) -> bool:
        """Write a guest: what is None leaves what is there, what is older fills gaps only.

        False, and nothing is written, if a guest of this pseudonym has been erased. Writing the
        same twice is the same as once.
        """

    def end_session(self, guest_id: str) -> None:
        """Forget how to continue a guest's conversation: it is over."""

    def find(self, guest_id: str) -> GuestRow | None:
        """Return a guest."""

    def of_device(self, tenant: str, device: str, *, limit: int) -> list[GuestRow]:
        """Return the guests of a device, newest first."""

    def of_person(self, tenant: str, person: str, *, limit: int) -> list[GuestRow]:
        """Return the guests of a person, newest first."""

    def of_email(self, tenant: str, email: str) -> list[GuestRow]:
        """Return the guests with this e-mail, newest first."""

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

    def finish(self, row: ErasureRow, *, at: datetime, erased: TrailEntry) -> bool:
        """Delete the guest, write the event, forget the guest's id: all of it or nothing.

        False if somebody else has finished it.
        """

    def scrub(self) -> None:
        """Let nothing of what was deleted stay behind in a file of ours."""

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
