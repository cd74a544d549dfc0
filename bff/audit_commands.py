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
from bff.errors import (
    BffError,
    RecordsDownError,
    RecordsOffError,
    RequestRefusedError,
    SettingsError,
)
from bff.record_wiring import open_database
from bff.records.audit_events import Actor, ActorKind
from bff.records.audit_page import person_page
from bff.records.audit_reading import reading
from bff.records.audit_report import Format, Wanted, checked_guest, events, lines, query_of, shown
from bff.records.audit_verification import Verdict, Verification, remembered_by
from bff.records.checkpoint_reach import Reach
from bff.records.record_house import Records
from bff.resources import static_folder, templates_folder
from bff.settings import Settings
from bff.trail_ports import DatabaseFinding, SignedHead, Weight, micros
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
        "accept": _accept,
    }
    try:
        if here.records is None:
            raise RecordsOffError("no records are kept here: set BFF_RECORDS_URL")
        # A log that has lost its protection is verified and read all the same.
        here.records.prepare(to_read=True)
        return work[options.work](options, here, here.records)
    except RequestRefusedError as error:
        print(f"messenger-bff: {error.detail}", file=sys.stderr)
        return EXIT_USAGE
    finally:
        here.close()


def rotate_head_key(here: Services, records: Records) -> None:
    """Let a new key sign heads, and write down that all keys were replaced."""
    del here
    operator = Actor(kind=ActorKind.OPERATOR, name=operator_name())
    try:
        # After an upgrade: what the old key signed last is what the new one says of it.
        records.signer.last_signed()
    except RecordsDownError as error:
        logging.getLogger(__name__).warning("the log is not asked: %s", error.detail)
    records.head_keys.rotate()
    # Whoever serves brings it into the trail: for a new key nobody waits for a database.
    records.signer.introduce(actor=operator)


def run_database(options: argparse.Namespace, settings: Settings) -> int:
    """Bring the tables up to date, or give rights on them."""
    database = open_database(settings)
    if database is None:
        raise RecordsOffError("no records are kept here: set BFF_RECORDS_URL")
    try:
        if options.work == "upgrade":
            for said in (*database.upgrade(), *database.restore()):
                print(said)
            print("the tables are up to date")
        else:
            _refuse_to_grant(database.examine())
            for statement in sql_rights.grant(database, options.role):
                print(f"{statement};")
    finally:
        database.close()
    return 0


def _refuse_to_grant(found: Sequence[DatabaseFinding]) -> None:
    for one in found:
        if one.weight is Weight.FAULT:
            raise SettingsError(f"no rights were given: {one.what}: {one.fix}")


def _verify(options: argparse.Namespace, here: Services, records: Records) -> int:
    as_of = micros(here.clock.now())
    copies, broken = _copies(options.heads or records.copies_file)
    verdict = Verification(
        records.keeper,
        trusted={**records.head_keys.trusted(), **dict.fromkeys(options.key)},
        ends=records.head_keys.ends(),
        remembered=remembered_by(records.head_keys),
        copies=copies,
        # What an auditor brings was fetched some time ago.
        copies_follow=options.heads is None,
        as_of=as_of,
        progress=_progress() if sys.stderr.isatty() else lambda _done, _all: None,
    ).run()
    broken += _unprotected(records)
    if copies is None:
        broken += _not_posted(records, verdict)
    for line in (*_told(verdict), *_strays(records), *broken):
        print(line)
    if verdict.faults or broken:
        print("The trail is not what was written. Keep this database as it is: it is evidence.")
        return EXIT_FAULT
    print("ok: nothing was changed, removed, moved, added or rewritten")
    return 0


def _unprotected(records: Records) -> list[str]:
    found = records.database.examine()
    return [f"FAULT: {one.what}" for one in found if one.weight is Weight.DAMAGE]


def _not_posted(records: Records, verdict: Verdict) -> list[str]:
    """Say that an address has stopped to take heads, as far as that is known here."""
    newest = max((one.seq for one in verdict.reach), default=0)
    kept = records.signer.copied_up_to()
    if not records.signer.copies_are_kept or (kept or 0) >= newest:
        return []
    return [
        (
            f"FAULT: BFF_AUDIT_HEADS has taken no head after event {kept or 0}, "
            f"and event {newest} was signed"
        )
    ]


def _strays(records: Records) -> list[str]:
    count = records.keeper.strays()
    if not count:
        return []
    return [f"note: {count:,} rows that were no events were set aside (table audit_strays)"]


def _told(verdict: Verdict) -> Sequence[str]:
    outside = f", {verdict.copies} copies outside" if verdict.copies else ""
    told = [f"{verdict.events:,} events, {verdict.heads:,} signed heads{outside}"]
    told += [_reached(one) for one in verdict.reach]
    told += [f"FAULT at event {fault.seq}: {fault.meaning}" for fault in verdict.faults]
    if verdict.more:
        told.append(f"… and {verdict.more:,} more faults")
    if verdict.unsigned:
        told.append(
            f"note: {verdict.unsigned:,} events came after the newest head; a cut among them "
            "would not be seen yet"
        )
    told += [f"note: {words}" for words in verdict.notes]
    if not verdict.copies:
        told.append(
            "note: no heads from outside were compared; whoever can write to the table of heads "
            "and to the store could have cut events together with their heads "
            "(BFF_AUDIT_HEADS, --heads FILE)"
        )
    return told


def _reached(reach: Reach) -> str:
    if not reach.seq:
        return f"{reach.where:7} has no head of this trail: {_events(reach.after)} not covered"
    signed = "" if reach.signed_at is None else f", signed {_at(reach.signed_at)}"
    return f"{reach.where:7} reaches event {reach.seq:,}{signed}; {_events(reach.after)} after it"


def _at(moment: int) -> str:
    return shown(moment)[:16].replace("T", " ")


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count:,} events"


def _accept(options: argparse.Namespace, here: Services, records: Records) -> int:
    """Sign the log as it is: for whoever has restored a backup, and knows what is missing."""
    del here
    newest, last = records.keeper.newest(), records.signer.last_signed()
    ends = 0 if newest is None else newest.seq
    signed = 0 if last is None else last.seq
    print(f"the log ends with event {ends:,}; event {signed:,} was signed last")
    if not options.yes:
        print("nothing was done: say --yes as well")
        return 0
    records.signer.accept(Actor(kind=ActorKind.OPERATOR, name=operator_name()))
    records.settle()
    print("it is signed as it is, and that it was accepted is an event of it")
    return 0


def _copies(file: Path | None) -> tuple[list[SignedHead] | None, list[str]]:
    """Return the heads of a file, and what is wrong with its lines."""
    if file is None:
        return None, []
    heads, broken = [], []
    try:
        text = file.read_text("utf-8-sig", errors="replace")
    except FileNotFoundError:
        # Before the first head that is as it should be.
        return [], []
    except OSError as error:
        return [], [f"FAULT: {file}, the outside copy of the heads: {error.strerror}"]
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
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
