"""Erases guests one after another, at Genesys first if that is wanted, and tells what came of it.

The order is the one that loses nothing: the e-mail is read and the request filed while there is
one; only then is the guest erased here. Whatever stops it, the same order given again goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TypeVar

from bff.errors import BffError, GenesysSilentError, GuestUnknownError, RequestRefusedError
from bff.guests.gdpr_requests import GdprRequests, GdprState, Subject, SubjectKind
from bff.records.audit_events import Action, Detail, Outcome
from bff.records.certificate import GuestDone
from bff.records.contact_forms import normal_email
from bff.records.erasure import Asker
from bff.records.gdpr_filing import FiledRequest, GdprFiling
from bff.records.guest_records import GuestRecords
from bff.records.guest_search import FoundGuest

UNVERIFIED: Final = "only a page has said that this e-mail is theirs, nobody has verified it"
LOOK: Final = (
    "Genesys was asked before and its answer was lost: look there whether the request is there. "
    "If so, run this without --gdpr; if not, add --file-again"
)
Say = Callable[[str], None]
Filed = TypeVar("Filed", FiledRequest, GdprState)


class Note(Protocol):
    """Writes an event of the operator into the audit log."""

    def __call__(
        self,
        action: Action,
        details: dict[str, Detail],
        *,
        guest_id: str | None,
        outcome: Outcome,
    ) -> None:
        """Write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtGenesys:
    """What is needed to have a guest's person deleted at Genesys too.

    `again` files anew what was asked for before without an answer; `phone` is the number to file
    by, instead of the e-mail.
    """

    filing: GdprFiling
    requests: Callable[[], GdprRequests]
    note: Note
    again: bool = False
    phone: str | None = None


@dataclass(slots=True, kw_only=True)
class EraseOrder:
    """Erases guests. `out` is told what was done, `err` what was not and why."""

    guests: GuestRecords
    asker: Asker
    out: Say
    err: Say
    at_genesys: AtGenesys | None = None
    take_unverified: bool = False
    done: list[GuestDone] = field(default_factory=list)
    _again: set[tuple[str, str]] = field(default_factory=set, repr=False)

    def preview(self, guest: FoundGuest) -> str:
        """Return what there is of a guest. Raises GuestUnknownError."""
        guests, guest_id = self.guests, guest.guest_id
        if not guests.erasure.knows(guest_id):
            raise GuestUnknownError(f"nothing is known of {guest_id}")
        row, sessions = guests.rows.find(guest_id), guests.live.of(guest_id)
        seen = "no record"
        if row is not None:
            seen = f"record, last seen {row.seen_at:%Y-%m-%d %H:%M UTC}"
        key = "a key" if guests.keys.find(guest_id) is not None else "no key"
        said = f"{guest_id}: {seen}; {key}; open sessions: {len(sessions)}. All of it would go."
        if guest.is_verified is False:
            said += f" Only with --unverified: {UNVERIFIED}."
        return said if self.at_genesys is None else f"{said} Genesys would be asked first."

    def carry_out(self, found: Sequence[FoundGuest]) -> BffError | None:
        """Erase those who were found; return the error that prevented the last that failed.

        Who was found by an e-mail that nobody verified is left alone, unless that is wanted too.
        """
        failed = None
        for guest in found:
            if guest.is_verified is False and not self.take_unverified:
                self.err(f"{guest.guest_id}: left alone: {UNVERIFIED}; --unverified takes it too")
                continue
            error = self._erased(guest.guest_id)
            failed = error or failed
        if not self.done:
            raise RequestRefusedError(f"nobody was erased: {UNVERIFIED}")
        return failed

    def _erased(self, guest_id: str) -> BffError | None:
        pseudonym, filed = self.guests.purposes.pseudonym(guest_id), None
        try:
            filed = self._filed(guest_id)
            result = self.guests.erasure.ask(guest_id, self.asker).value
        except BffError as error:
            self.done.append(
                GuestDone(pseudonym=pseudonym, result=error.code, is_erased=False, filed=filed)
            )
            self.err(f"{guest_id}: not done: {_explained(error)}; run it again")
            return error
        self.done.append(GuestDone(pseudonym=pseudonym, result=result, is_erased=True, filed=filed))
        self.out(f"{guest_id}: {result.replace('_', ' ')}")
        return None

    def _filed(self, guest_id: str) -> FiledRequest | None:
        """Return the request at Genesys, filed now or before."""
        there = self.at_genesys
        if there is None:
            return None
        row = self.guests.rows.find(guest_id)
        since = None if row is None else row.seen_at
        filed = there.filing.of_guest(guest_id, since=since)
        if filed is None or there.again:
            filed = self._file(guest_id, there, since)
        self.err(f"{guest_id}: asked for at Genesys as {filed.request_id}: {filed.status}")
        return filed

    def _file(self, guest_id: str, there: AtGenesys, since: datetime | None) -> FiledRequest:
        if there.phone is None:
            subject = subject_of(self.guests, guest_id, take_unverified=self.take_unverified)
        else:
            subject = Subject(kind=SubjectKind.PHONE, value=there.phone)
        # Once more, and not once for each guest who has this e-mail.
        name = (subject.kind.value, normal_email(subject.value))
        again = there.again and name not in self._again
        filed = noted(
            there.note,
            subject,
            guest_id,
            lambda: there.filing.file(
                there.requests(), subject, guest_id=guest_id, again=again, since=since
            ),
        )
        self._again.add(name)
        return filed


def noted(note: Note, subject: Subject, guest_id: str | None, file: Callable[[], Filed]) -> Filed:
    """File a request and write into the audit log what came of it; return it."""
    told: dict[str, Detail] = {"subject": subject.kind.value}
    try:
        filed = file()
    except BffError as error:
        failed = {**told, "code": error.code}
        note(Action.GDPR_REQUESTED, failed, guest_id=guest_id, outcome=Outcome.FAILED)
        raise
    told |= {"request": filed.request_id, "status": filed.status}
    note(Action.GDPR_REQUESTED, told, guest_id=guest_id, outcome=Outcome.DONE)
    return filed


def one_subject(
    guests: GuestRecords, found: Sequence[FoundGuest], *, take_unverified: bool
) -> Subject:
    """Return how Genesys knows the one person whose these guests are. Raises as `subject_of`."""
    subjects = [
        subject_of(guests, guest.guest_id, take_unverified=take_unverified) for guest in found
    ]
    if len({normal_email(subject.value) for subject in subjects}) > 1:
        raise RequestRefusedError("these guests have several e-mails: name one of them")
    return subjects[0]


def subject_of(guests: GuestRecords, guest_id: str, *, take_unverified: bool) -> Subject:
    """Return how Genesys knows a guest: by the e-mail.

    Raises GuestUnknownError; RequestRefusedError if there is no e-mail, or none that was verified.
    """
    row = guests.rows.find(guest_id)
    profile = None if row is None else guests.memory.profile_in(row)
    if row is None or profile is None:
        raise GuestUnknownError(f"nothing is known of {guest_id}")
    if "email" not in profile:
        raise RequestRefusedError(
            f"{guest_id} has no e-mail: name the person by another option of `gdpr request`"
        )
    if row.email_verified is False and not take_unverified:
        raise RequestRefusedError(
            f"{UNVERIFIED}: Genesys would delete whoever has it. If that is right, add --unverified"
        )
    return Subject(kind=SubjectKind.EMAIL, value=profile["email"])


def _explained(error: BffError) -> str:
    if isinstance(error, GenesysSilentError) and "earlier" in error.detail:
        return LOOK
    return error.detail or error.message
