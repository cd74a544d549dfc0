"""What the database of the records holds, and what is asked of whoever keeps it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


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

    def count(self) -> int:
        """Return how many guests there are."""
