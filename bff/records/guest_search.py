"""Finds the guests whom an operator means by an e-mail, a person or a telephone number.

Of every tenant: a deployment that got another id must not hide those who were there before. And
wherever they are: in the database, on their way to it, set aside, or here and nowhere else.
"""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

from bff.errors import BrokenSealError
from bff.guests.live_guests import LiveGuests
from bff.record_ports import GuestRow, GuestRows
from bff.records.contact_forms import former_emails, normal_email, normal_phone
from bff.records.guest_memory import GuestMemory
from bff.records.purpose_keys import PurposeKeys

log = logging.getLogger(__name__)

PAGE: Final = 500
MOST_OF_A_PERSON: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGuest:
    """A guest who was found.

    `is_verified` says whether what they were found by was verified: True by a sign-in, False if
    only a page has said so, None if it is not known (written by an earlier version).
    """

    guest_id: str
    is_verified: bool | None


class GuestSearch:
    """Looks for guests. Each search raises RecordsDownError, StoreDownError."""

    def __init__(
        self, *, rows: GuestRows, live: LiveGuests, memory: GuestMemory, purposes: PurposeKeys
    ) -> None:
        self._rows = rows
        self._live = live
        self._memory = memory
        self._purposes = purposes

    def by_email(self, email: str) -> list[FoundGuest]:
        """Return the guests with this e-mail, however it is or was written."""
        wanted = normal_email(email)
        forms = {wanted, *former_emails(email)}
        found: dict[str, FoundGuest] = {}
        for tenant in self._rows.tenants():
            for form in forms:
                for row in self._rows.of_email(tenant, self._print("email", tenant, form)):
                    if self._is_at(row, wanted):
                        found[row.guest_id] = _found(row, is_verified=row.email_verified)
        for facts in self._memory.waiting():
            if normal_email(facts.profile.get("email", "")) == wanted:
                _add(found, facts.guest_id, is_verified=facts.email_verified)
        return list(found.values())

    def by_person(self, subjects: Collection[str]) -> list[FoundGuest]:
        """Return the guests of persons, who are named by their pairwise subjects."""
        found: dict[str, FoundGuest] = {}
        for tenant in self._rows.tenants():
            for subject in subjects:
                print_ = self._print("person", tenant, subject)
                for row in self._rows.of_person(tenant, print_, limit=MOST_OF_A_PERSON):
                    found[row.guest_id] = _found(row, is_verified=True)
        named = set(subjects)
        waiting = (facts.guest_id for facts in self._memory.waiting() if facts.person in named)
        living = (one.guest_id for who in named for one in self._live.of_person(who))
        for guest_id in (*waiting, *living):
            _add(found, guest_id, is_verified=True)
        return list(found.values())

    def by_phone(
        self, number: str, *, progress: Callable[[int], None] = lambda _: None
    ) -> list[FoundGuest]:
        """Return the guests with a profile field that is this number.

        No fingerprint of a number is kept: every profile with further fields is opened for it.
        """
        wanted = normal_phone(number)
        if not wanted:
            return []
        found = {
            row.guest_id: _found(row, is_verified=None)
            for row in self._with_fields(progress)
            if wanted in map(normal_phone, self._profile(row).values())
        }
        for facts in self._memory.waiting():
            if wanted in map(normal_phone, facts.profile.values()):
                _add(found, facts.guest_id, is_verified=None)
        return list(found.values())

    def _with_fields(self, progress: Callable[[int], None]) -> Iterator[GuestRow]:
        after, done = "", 0
        while page := self._rows.with_fields(after=after, limit=PAGE):
            yield from page
            after, done = page[-1].guest_id, done + len(page)
            progress(done)

    def _is_at(self, row: GuestRow, wanted: str) -> bool:
        """Say whether a row has this e-mail; one that nobody can open is believed.

        Two addresses of now may have been one to the version before (ß and ss).
        """
        email = self._profile(row).get("email")
        return email is None or normal_email(email) == wanted

    def _profile(self, row: GuestRow) -> dict[str, str]:
        try:
            return self._memory.profile_in(row) or {}
        except BrokenSealError:
            log.warning("the record of a guest does not open")
            return {}

    def _print(self, purpose: str, tenant: str, value: str) -> str:
        return self._purposes.fingerprint(purpose, tenant, value)


def _add(found: dict[str, FoundGuest], guest_id: str, *, is_verified: bool | None) -> None:
    """Add a guest; one who is there already is verified if either says so."""
    if guest_id not in found or is_verified:
        found[guest_id] = FoundGuest(guest_id=guest_id, is_verified=is_verified)


def _found(row: GuestRow, *, is_verified: bool | None) -> FoundGuest:
    return FoundGuest(guest_id=row.guest_id, is_verified=is_verified)
