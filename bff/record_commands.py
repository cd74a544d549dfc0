"""What `erase`, `export`, `guests`, `gdpr`, `callbacks`, `records` and `outbox` do."""

import argparse
import json
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bff.adapters.http_client import is_loopback_name
from bff.adapters.operator_name import operator_name
from bff.errors import (
    BffError,
    GuestUnknownError,
    RecordsOffError,
    RequestRefusedError,
)
from bff.guest_wiring import platform_client
from bff.guests.gdpr_requests import (
    GdprRequests,
    GdprState,
    Subject,
    SubjectKind,
    register_callback,
)
from bff.guests.platform_client import PlatformClient
from bff.ports import Foundation
from bff.record_ports import ImportRow
from bff.records.audit_events import Action, Actor, ActorKind, AuditEvent, Detail, Outcome
from bff.records.erasure import Asker
from bff.records.guest_export import export_guest
from bff.records.guest_import import GuestImport
from bff.records.outbox_report import OutboxReport
from bff.records.record_house import Records
from bff.records.retention import Retention
from bff.settings import Settings
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

    def platform(self) -> PlatformClient:
        """Return a client of the platform API. Raises SettingsError."""
        here = self.here
        foundation = Foundation(
            store=here.store, sealer=here.key_ring, clock=here.clock, entropy=here.entropy
        )
        return platform_client(self.settings, foundation)

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
        "outbox list": _outbox_list,
        "outbox show": _outbox_show,
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
    guests = desk.records.guests
    chosen = [options.guest] if options.guest else guests.of_email(options.email)
    if not chosen:
        raise GuestUnknownError("no guest has this e-mail")
    for guest_id in chosen:
        if not options.yes:
            print(_what_there_is(guest_id, desk))
        else:
            asker = Asker(actor=desk.operator)
            print(f"{guest_id}: {guests.erasure.ask(guest_id, asker).value.replace('_', ' ')}")
    if not options.yes:
        print(NOT_DONE)
    return 0


def _what_there_is(guest_id: str, desk: Desk) -> str:
    guests = desk.records.guests
    if not guests.erasure.knows(guest_id):
        raise GuestUnknownError(f"nothing is known of {guest_id}")
    row, sessions = guests.rows.find(guest_id), guests.live.of(guest_id)
    seen = "no record" if row is None else f"record, last seen {_minute(row.seen_at)}"
    key = "a key" if guests.keys.find(guest_id) is not None else "no key"
    return f"{guest_id}: {seen}; {key}; open sessions: {len(sessions)}. All of it would go."


def _export(options: argparse.Namespace, desk: Desk) -> int:
    records = desk.records
    records.settle()
    known = export_guest(
        options.guest, guests=records.guests, keeper=records.keeper, purposes=records.keys
    )
    desk.note(Action.PROFILE_EXPORTED, {}, guest_id=options.guest)
    print(json.dumps(known, indent=2, ensure_ascii=False))
    return 0


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
            print(f"\rpage {row.next_page - 1}{of}: {_sums(row)}", end="", file=sys.stderr)

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
    pages = row.next_page - 1
    desk.note(
        Action.IMPORT_RUN,
        {
            "pages": pages,
            "new": row.new,
            "known": row.known,
            "skipped": row.skipped,
            "failed": row.failed,
        },
        outcome=outcome,
    )
    print(f"{_many(pages, 'page')}: {_sums(row)}")
    if outcome is not Outcome.DONE:
        print("stopped: the next `guests import` goes on from here", file=sys.stderr)


def _sums(row: ImportRow) -> str:
    return f"{row.new} new, {row.known} known, {row.skipped} skipped, {row.failed} failed"


def _gdpr_request(options: argparse.Namespace, desk: Desk) -> int:
    subject = _subject(options, desk)
    spelled = json.dumps(subject.spelled(), ensure_ascii=False)
    if not options.yes:
        print(f"Genesys would be asked to delete {spelled}\n{NOT_DONE}")
        return 0
    details: dict[str, Detail] = {"subject": subject.kind.value}
    try:
        state = GdprRequests(desk.platform()).delete(subject)
    except BffError as error:
        failed = {**details, "code": error.code}
        desk.note(Action.GDPR_REQUESTED, failed, guest_id=options.guest, outcome=Outcome.FAILED)
        raise
    details |= {"request": state.request_id, "status": state.status}
    desk.note(Action.GDPR_REQUESTED, details, guest_id=options.guest)
    print(_about(state))
    print(f"follow it with `messenger-bff gdpr status {state.request_id} --wait`")
    return 0


def _subject(options: argparse.Namespace, desk: Desk) -> Subject:
    for kind in SubjectKind:
        value = getattr(options, kind.value)
        if value:
            return Subject(kind=kind, value=value)
    profile = desk.records.guests.memory.profile_of(options.guest)
    if profile is None:
        raise GuestUnknownError(f"nothing is known of {options.guest}")
    if "email" not in profile:
        raise RequestRefusedError("this guest has no e-mail: name the person by another option")
    return Subject(kind=SubjectKind.EMAIL, value=profile["email"])


def _gdpr_status(options: argparse.Namespace, desk: Desk) -> int:
    requests = GdprRequests(desk.platform())
    state = requests.state(options.request)
    while options.wait and not state.over:
        print(_about(state), file=sys.stderr)
        desk.here.clock.sleep(POLL)
        state = requests.state(options.request)
    print(_about(state))
    return EXIT_FAULT if state.failed else 0


def _about(state: GdprState) -> str:
    return f"{state.request_id}: {state.status}"


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
        print(f"{_many(count, 'guest')} last seen before {_minute(before)} would be erased;")
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


def _outbox_list(_: argparse.Namespace, desk: Desk) -> int:
    for line in OutboxReport(desk.records.outbox).listing():
        print(line)
    return 0


def _outbox_show(options: argparse.Namespace, desk: Desk) -> int:
    for line in OutboxReport(desk.records.outbox).about(options.letter):
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


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
