"""What `erase`, `export`, `guests`, `gdpr`, `callbacks`, `records` and `outbox` do."""

import argparse
import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bff.adapters.http_client import is_loopback_name
from bff.adapters.operator_name import operator_name
from bff.adapters.private_file import refuse_unwritable, write_private
from bff.errors import BffError, GuestUnknownError, RecordsOffError, RequestRefusedError
from bff.guest_wiring import platform_client
from bff.guests.gdpr_requests import (
    GdprRequests,
    Subject,
    SubjectKind,
    register_callback,
)
from bff.guests.platform_client import PlatformClient
from bff.ports import Foundation
from bff.record_ports import ImportRow
from bff.records.audit_events import Action, Actor, ActorKind, AuditEvent, Detail, Outcome
from bff.records.certificate import issued
from bff.records.contact_forms import normal_email
from bff.records.erase_order import UNVERIFIED, AtGenesys, EraseOrder, noted, one_subject
from bff.records.erasure import Asker
from bff.records.gdpr_filing import GdprFiling
from bff.records.guest_export import export_guest
from bff.records.guest_import import GuestImport
from bff.records.guest_search import FoundGuest
from bff.records.outbox_report import OutboxReport
from bff.records.record_house import Records
from bff.records.remains import Remainder, what_remains
from bff.records.retention import Retention
from bff.settings import Settings
from bff.signin.person_names import pairwise_subjects
from bff.web.doorway import Services

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_FAULT: Final = 1
EXIT_INTERRUPTED: Final = 130
EVENT_ID_BYTES: Final = 16
POLL: Final = timedelta(seconds=5)
NOT_DONE: Final = "nothing was done: say --yes as well"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a command works with."""

    settings: Settings
    here: Services
    records: Records

    @property
    def operator(self) -> Actor:
        """Return who typed it."""
        return Actor(kind=ActorKind.OPERATOR, name=operator_name())

    @property
    def foundation(self) -> Foundation:
        """Return what services of ours stand on."""
        here = self.here
        return Foundation(
            store=here.store, sealer=here.key_ring, clock=here.clock, entropy=here.entropy
        )

    def platform(self) -> PlatformClient:
        """Return a client of the platform API. Raises SettingsError."""
        return platform_client(self.settings, self.foundation)

    def remains(self) -> list[Remainder]:
        """Return what an erasure does not reach in this installation."""
        return what_remains(
            in_redis=not self.settings.embedded,
            in_postgresql=not self.records.database.embedded,
            is_owed=self.records.guests.erasure.owes_scrubs,
        )

    def note(
        self,
        action: Action,
        details: dict[str, Detail],
        *,
        guest_id: str | None = None,
        outcome: Outcome = Outcome.DONE,
    ) -> None:
        """Tell the trail what was done."""
        event = AuditEvent(
            event_id=self.here.entropy.token(EVENT_ID_BYTES),
            at=self.here.clock.now(),
            action=action,
            outcome=outcome,
            actor=self.operator,
            guest_id=guest_id,
            details=details,
        )
        self.records.trail.note(event)


def run(options: argparse.Namespace, settings: Settings, here: Services) -> int:
    """Do what was asked for; return the exit code."""
    works: dict[str, Callable[[argparse.Namespace, Desk], int]] = {
        "erase": _erase,
        "export": _export,
        "import": _import,
        "gdpr request": _gdpr_request,
        "gdpr status": _gdpr_status,
        "register": _register,
        "prune": _prune,
        "outbox list": _outbox_look,
        "outbox show": _outbox_look,
        "outbox retry": _outbox_retry,
        "outbox discard": _outbox_discard,
    }
    try:
        if here.records is None:
            raise RecordsOffError("no records are kept here: set BFF_RECORDS_URL")
        here.records.prepare()
        try:
            return works[options.work](
                options, Desk(settings=settings, here=here, records=here.records)
            )
        finally:
            here.records.settle()
    finally:
        here.close()


def _erase(options: argparse.Namespace, desk: Desk) -> int:
    found, order = _found(options, desk), _order(options, desk)
    if not options.yes:
        for guest in found:
            print(order.preview(guest))
        print(NOT_DONE)
        return 0
    if options.certificate is not None:
        refuse_unwritable(options.certificate)  # before anything that cannot be taken back
    failed = order.carry_out(found)
    remains = desk.remains() if any(one.is_erased for one in order.done) else []
    for left in remains:
        _say(f"remains: {left}")
    if options.certificate is not None:
        text = issued(
            order.done,
            records=desk.records,
            remains=remains,
            made_at=desk.here.clock.now(),
            service=desk.settings.public_url,
            operator=desk.operator.name,
        )
        write_private(options.certificate, text)
    if failed is not None:
        raise failed
    return 0


def _order(options: argparse.Namespace, desk: Desk) -> EraseOrder:
    there = AtGenesys(
        filing=GdprFiling(desk.foundation, desk.records.keys),
        requests=lambda: GdprRequests(desk.platform()),
        note=desk.note,
        again=options.file_again,
        phone=options.phone,
    )
    return EraseOrder(
        guests=desk.records.guests,
        asker=Asker(actor=desk.operator),
        out=print,
        err=_say,
        at_genesys=there if options.gdpr else None,
        take_unverified=options.unverified,
    )


def _found(options: argparse.Namespace, desk: Desk) -> list[FoundGuest]:
    """Return whom the operator means. Raises GuestUnknownError."""
    # Who has just come may wait to be written.
    desk.records.settle()
    if options.guest is not None:
        return [FoundGuest(guest_id=options.guest, is_verified=None)]
    search = desk.records.guests.search
    if options.email is not None:
        what, found = "has this e-mail", search.by_email(options.email)
    elif options.person is not None:
        what, found = "is this person", search.by_person(_subjects(options.person, desk))
    else:
        what, found = "has this number", search.by_phone(options.phone, progress=_progress)
    waiting = len(desk.records.outbox.waiting())
    if waiting:
        _say(f"{_many(waiting, 'event')} could not be written yet: a guest may be missing here")
    if not found:
        raise GuestUnknownError(f"no guest {what}")
    for guest in found:
        if guest.is_verified is None:
            _say(f"{guest.guest_id}: it is not known whether this was verified")
    return sorted(found, key=lambda guest: guest.is_verified is False)


def _subjects(person: str, desk: Desk) -> set[str]:
    return pairwise_subjects(
        person,
        email=normal_email(person),
        subjects=desk.here.subjects,
        issuers=[provider.issuer for provider in desk.settings.providers.values()],
        sessions=desk.here.book.everyone(),
    )


def _export(options: argparse.Namespace, desk: Desk) -> int:
    records, known = desk.records, []
    for guest in _found(options, desk):
        known.append(
            export_guest(
                guest.guest_id,
                guests=records.guests,
                keeper=records.keeper,
                purposes=records.keys,
            )
        )
        if guest.is_verified is False:
            _say(f"{guest.guest_id}: mind whom you give it to: {UNVERIFIED}")
        desk.note(Action.PROFILE_EXPORTED, {}, guest_id=guest.guest_id)
    # One is an object, as if it had been named by its id; several are a list of them.
    print(json.dumps(known[0] if len(known) == 1 else known, indent=2, ensure_ascii=False))
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _progress(done: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{_many(done, 'guest')} looked at", end="", file=sys.stderr)


def _import(options: argparse.Namespace, desk: Desk) -> int:
    settings = desk.settings
    work = GuestImport(
        desk.records.guests,
        desk.platform(),
        path=settings.import_path,
        page_size=settings.import_page_size,
        clock=desk.here.clock,
    )
    at = work.begin(anew=options.anew)
    if at.next_page > 1:
        print(f"going on from page {at.next_page}", file=sys.stderr)
    reached = [at]

    def progress(row: ImportRow, pages: int | None) -> None:
        reached.append(row)
        if sys.stderr.isatty():
            of = "" if pages is None else f" of {pages}"
            print(f"\rpage {row.next_page - 1}{of}: {row.sums}", end="", file=sys.stderr)

    code, outcome = 0, Outcome.DONE
    try:
        work.run(at, progress=progress)
    except KeyboardInterrupt:
        code, outcome = EXIT_INTERRUPTED, Outcome.FAILED
    except BffError:
        _told(desk, reached[-1], Outcome.FAILED)
        raise
    _told(desk, reached[-1], outcome)
    return code


def _told(desk: Desk, row: ImportRow, outcome: Outcome) -> None:
    """Say what came of an import, here and in the trail."""
    if sys.stderr.isatty():
        print(file=sys.stderr)
    pages, counts = row.next_page - 1, row.counts
    desk.note(Action.IMPORT_RUN, {"pages": pages, **counts}, outcome=outcome)
    print(f"{_many(pages, 'page')}: {row.sums}")
    if outcome is not Outcome.DONE:
        print("stopped: the next `guests import` goes on from here", file=sys.stderr)


def _gdpr_request(options: argparse.Namespace, desk: Desk) -> int:
    subject = _subject(options, desk)
    spelled = json.dumps(subject.spelled(), ensure_ascii=False)
    if not options.yes:
        print(f"Genesys would be asked to delete {spelled}\n{NOT_DONE}")
        return 0
    requests = GdprRequests(desk.platform())
    state = noted(desk.note, subject, options.guest, lambda: requests.delete(subject))
    print(f"{state.request_id}: {state.status}")
    print(f"follow it with `messenger-bff gdpr status {state.request_id} --wait`")
    return 0


def _subject(options: argparse.Namespace, desk: Desk) -> Subject:
    for kind in SubjectKind:
        value = getattr(options, kind.value)
        if value:
            return Subject(kind=kind, value=value)
    found = _found(options, desk)
    return one_subject(desk.records.guests, found, take_unverified=options.unverified)


def _gdpr_status(options: argparse.Namespace, desk: Desk) -> int:
    requests = GdprRequests(desk.platform())
    state = requests.state(options.request)
    while options.wait and not state.over:
        print(f"{state.request_id}: {state.status}", file=sys.stderr)
        desk.here.clock.sleep(POLL)
        state = requests.state(options.request)
    print(f"{state.request_id}: {state.status}")
    return EXIT_FAULT if state.failed else 0


def _register(options: argparse.Namespace, desk: Desk) -> int:
    parts = urlsplit(options.url)
    safe = parts.scheme == "https" or is_loopback_name(parts.hostname or "")
    if not parts.hostname or parts.username or not safe:
        raise RequestRefusedError("URL is not one such as https://…/webhooks/guest-deletion")
    if desk.settings.deletion_secret is None:
        print("BFF_DELETION_SECRET is not set: nobody will be answered there", file=sys.stderr)
    path = desk.settings.callbacks_path
    name = register_callback(desk.platform(), path=path, url=options.url)
    print(f"registered{f' as {name}' if name else ''}: {options.url}")
    return 0


def _prune(options: argparse.Namespace, desk: Desk) -> int:
    here, records = desk.here, desk.records
    records.settle()  # who was here may wait to be written
    work = Retention(
        records.guests, records.keeper, records.trail, clock=here.clock, entropy=here.entropy
    )
    before = work.before(options.older_than or desk.settings.profile_retention)
    count = work.count(before)
    if not options.yes:
        print(
            f"{_many(count, 'guest')} last seen before {before:%Y-%m-%d %H:%M UTC} would be erased;"
        )
        print("addresses that older events came from would be forgotten as well")
        print(NOT_DONE)
        return 0

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {count}", end="", file=sys.stderr)

    pruned = work.prune(before, actor=desk.operator, progress=progress)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    gone, events = _many(pruned.guests, "guest"), _many(pruned.sources, "event")
    print(f"{gone} erased, addresses of {events} forgotten")
    return 0


def _outbox_look(options: argparse.Namespace, desk: Desk) -> int:
    report = OutboxReport(desk.records.outbox)
    lines = report.about(options.letter) if options.work == "outbox show" else report.listing()
    for line in lines:
        print(line)
    return 0


def _outbox_retry(options: argparse.Namespace, desk: Desk) -> int:
    report = OutboxReport(desk.records.outbox)
    names = report.outbox.dead.ids() if options.all else [options.letter]
    done, left = report.retried(names)
    if done:
        desk.note(Action.OUTBOX_RETRIED, {"events": len(done)})
    desk.records.settle()
    print(f"{_many(len(done), 'event')} put back; {report.outbox.length} pending now")
    for name in left:
        print(f"{name} still cannot be decrypted, and stays", file=sys.stderr)
    again = sorted(set(report.outbox.dead.ids()) - set(left))
    for name in again:
        print(f"{name} is set aside: see `messenger-bff outbox show {name}`", file=sys.stderr)
    return EXIT_FAULT if left or again else 0


def _outbox_discard(options: argparse.Namespace, desk: Desk) -> int:
    dead = OutboxReport(desk.records.outbox).found(options.letter)
    if not options.yes:
        print(f"{dead.id} would be deleted for good\n{NOT_DONE}")
        return 0
    details: dict[str, Detail] = {"letter": dead.id, "kind": dead.desk, "why": dead.why}
    desk.note(Action.OUTBOX_DISCARDED, details)
    desk.records.outbox.dead.drop(dead.id)
    print(f"{dead.id} is deleted")
    return 0


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
