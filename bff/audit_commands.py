"""What `messenger-bff audit` and `messenger-bff db` do."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bff.adapters import sql_rights
from bff.adapters.operator_name import operator_name
from bff.adapters.private_file import write_private
from bff.crypto import head_lines
from bff.errors import BffError, RecordsOffError, RequestRefusedError
from bff.record_wiring import open_database
from bff.records.audit_events import Action, Actor, ActorKind, AuditEvent
from bff.records.audit_page import person_page
from bff.records.audit_reading import EVENT_ID_BYTES, reading
from bff.records.audit_report import Format, Wanted, checked_guest, events, lines, query_of
from bff.records.audit_verification import Verdict, Verification
from bff.records.record_house import Records
from bff.resources import static_folder, templates_folder
from bff.settings import Settings
from bff.trail_ports import SignedHead
from bff.web.doorway import Services

EXIT_FAULT: Final = 1
EXIT_USAGE: Final = 2
PAGE: Final = "audit_report.html"


def run(options: argparse.Namespace, here: Services) -> int:
    """Do what was asked for; return the exit code."""
    work: dict[str, Callable[[argparse.Namespace, Services, Records], int]] = {
        "verify": _verify,
        "report": _report,
        "page": _page,
        "keys": _keys,
    }
    try:
        if here.records is None:
            raise RecordsOffError("no records are kept here: set BFF_RECORDS_URL")
        here.records.prepare()
        return work[options.work](options, here, here.records)
    except RequestRefusedError as error:
        print(f"messenger-bff: {error.detail}", file=sys.stderr)
        return EXIT_USAGE
    finally:
        here.close()


def rotate_head_key(here: Services, records: Records) -> None:
    """Let a new key sign heads, and write down that all keys were replaced."""
    key = records.head_keys.rotate()
    event = AuditEvent(
        event_id=here.entropy.token(EVENT_ID_BYTES),
        at=here.clock.now(),
        action=Action.KEYS_ROTATED,
        actor=Actor(kind=ActorKind.OPERATOR, name=operator_name()),
        details={"head_key": key},
    )
    # Whoever serves brings it into the trail: for a new key nobody waits for a database.
    records.trail.note(event)


def run_database(options: argparse.Namespace, settings: Settings) -> int:
    """Bring the tables up to date, or give rights on them."""
    database = open_database(settings)
    if database is None:
        raise RecordsOffError("no records are kept here: set BFF_RECORDS_URL")
    try:
        if options.work == "upgrade":
            database.upgrade()
            print("the tables are up to date")
        else:
            for statement in sql_rights.grant(database, options.role):
                print(f"{statement};")
    finally:
        database.close()
    return 0


def _verify(options: argparse.Namespace, here: Services, records: Records) -> int:
    del here
    copies, broken = _copies(options.heads or records.copies_file)
    trusted = {key.public: key.until for key in records.head_keys.known()}
    verdict = Verification(
        records.keeper,
        trusted={**trusted, **dict.fromkeys(options.key)},
        copies=copies,
        progress=_progress() if sys.stderr.isatty() else lambda _done, _all: None,
    ).run()
    for line in (*_told(verdict), *broken):
        print(line)
    if verdict.faults or broken:
        print("The trail is not what was written. Keep this database as it is: it is evidence.")
        return EXIT_FAULT
    print("ok: nothing was changed, removed, moved, added or rewritten")
    return 0


def _told(verdict: Verdict) -> Sequence[str]:
    outside = f", {verdict.copies} copies outside" if verdict.copies else ""
    told = [f"{verdict.events:,} events, {verdict.heads:,} signed heads{outside}"]
    told += [f"FAULT at event {fault.seq}: {fault.meaning}" for fault in verdict.faults]
    if verdict.more:
        told.append(f"… and {verdict.more:,} more faults")
    if verdict.unsigned:
        told.append(
            f"note: {verdict.unsigned:,} events came after the newest head; a cut among them "
            "would not be seen yet"
        )
    if not verdict.copies:
        told.append(
            "note: no heads from outside were compared; whoever can write to the table of heads "
            "could have cut events together with their heads (BFF_AUDIT_HEADS, --heads FILE)"
        )
    return told


def _copies(file: Path | None) -> tuple[list[SignedHead] | None, list[str]]:
    """Return the heads of a file, and what is wrong with its lines."""
    if file is None:
        return None, []
    heads, broken = [], []
    try:
        text = file.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        # Before the first head that is as it should be.
        return [], []
    except OSError as error:
        return [], [f"FAULT: {file}, the outside copy of the heads: {error.strerror}"]
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            heads.append(head_lines.read(line))
        except ValueError as error:
            broken.append(f"FAULT: line {number} of {file} is no signed head: {error}")
    return heads, broken


def _progress() -> Callable[[int, int], None]:
    def tell(done: int, whole: int) -> None:
        end = "\r\x1b[K" if done >= whole else ""
        print(f"\r{done:,} of {whole:,} events{end}", end="", file=sys.stderr, flush=True)

    return tell


def _report(options: argparse.Namespace, here: Services, records: Records) -> int:
    wanted = Wanted(
        since=options.since, until=options.until, action=options.action, guest=options.guest
    )
    query = query_of(wanted, records.keys)
    _note(here, records, wanted, how=options.format)
    try:
        for line in lines(events(records.keeper, query), Format(options.format)):
            sys.stdout.write(line)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough; Python must not complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _page(options: argparse.Namespace, here: Services, records: Records) -> int:
    guest_id = checked_guest(options.guest)
    _note(here, records, Wanted(guest=guest_id), how="page")
    facts = person_page(
        guest_id,
        records.guest_rows.find(guest_id),
        records.profile_of(guest_id),
        keeper=records.keeper,
        keys=records.keys,
        now=here.clock.now(),
    )
    pages = Environment(
        loader=FileSystemLoader(templates_folder()), autoescape=True, undefined=StrictUndefined
    )
    # A file stands alone: what it looks like goes into it.
    style = (static_folder() / "records.css").read_text("utf-8")
    html = pages.get_template(PAGE).render(page=facts, style=style)
    # It is about a person: nobody else on this machine reads it.
    write_private(options.file, html)
    print(f"{options.file}: {len(facts.holdings)} things held, {len(facts.touches)} events")
    return 0


def _keys(options: argparse.Namespace, here: Services, records: Records) -> int:
    del options, here
    records.head_keys.tend()
    for key in records.head_keys.known():
        until = "signs" if key.until is None else f"until {key.until:%Y-%m-%d %H:%M}"
        print(f"{key.public}  since {key.since:%Y-%m-%d %H:%M}  {until}")
    return 0


def _note(here: Services, records: Records, wanted: Wanted, *, how: str) -> None:
    """Write down that somebody read, and bring what waits into what they read."""
    reader = Actor(kind=ActorKind.OPERATOR, name=operator_name())
    records.trail.note(
        reading(wanted, reader, how=how, clock=here.clock, entropy=here.entropy, source=None)
    )
    try:
        records.settle()
    except BffError as error:
        logging.getLogger(__name__).warning("what waits is not in it: %s", error.detail)
