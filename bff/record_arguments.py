"""What can be typed to erase, export, import and prune guests, and to ask Genesys about them."""

import argparse
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Choices = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no other name
    Command = Callable[[argparse.Namespace], int]
    Offer = Callable[[argparse.ArgumentParser, str], Choices]

_AGE: Final = re.compile(r"([1-9][0-9]{0,5})([dhm])", re.ASCII)
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes"}


def add_records(commands: "Choices", *, offer: "Offer", command: "Command") -> None:
    """Offer everything of it."""
    erase = commands.add_parser("erase", help="erase a guest: says what it would do, until --yes")
    _name_guest(erase)
    erase.add_argument("--yes", action="store_true", help="do it; it cannot be taken back")
    erase.add_argument(
        "--gdpr", action="store_true", help="file a GDPR request at Genesys first, then erase"
    )
    erase.add_argument(
        "--file-again", action="store_true", help="with --gdpr: also if an answer was lost before"
    )
    erase.add_argument(
        "--certificate", type=Path, metavar="FILE.json", help="write down what was done"
    )
    _take_unverified(erase)
    export = commands.add_parser("export", help="all that is known of a guest, as JSON")
    _name_guest(export)
    guests = offer(commands.add_parser("guests", help="take guests over"), "ACTION")
    taking = guests.add_parser("import", help="from BFF_IMPORT_PATH, where it was left off")
    taking.add_argument("--anew", action="store_true", help="from the first page")
    gdpr = offer(commands.add_parser("gdpr", help="delete a person at Genesys itself"), "ACTION")
    asking = gdpr.add_parser("request", help="file the request: says which, until --yes")
    _name_subject(asking)
    status = gdpr.add_parser("status", help="how far a request is")
    status.add_argument("request", metavar="ID", help="as `gdpr request` printed it")
    status.add_argument("--wait", action="store_true", help="until it is over")
    callbacks = offer(commands.add_parser("callbacks", help="be told of deletions"), "ACTION")
    register = callbacks.add_parser("register", help="ask at BFF_CALLBACKS_PATH to be called")
    register.add_argument("url", metavar="URL", help="…/webhooks/guest-deletion of this service")
    records = offer(commands.add_parser("records", help="keep no more than is needed"), "ACTION")
    prune = records.add_parser("prune", help="erase guests unseen for long: counts, until --yes")
    prune.add_argument(
        "--older-than", type=age, metavar="AGE", help="365d, 48h, 90m; or BFF_PROFILE_RETENTION"
    )
    prune.add_argument("--yes", action="store_true", help="do it; it cannot be taken back")
    outbox = offer(
        commands.add_parser("outbox", help="events that wait for the records, and dead letters"),
        "ACTION",
    )
    listing = outbox.add_parser("list", help="pending events by lane, and every dead letter")
    showing = outbox.add_parser("show", help="what is known of a dead letter")
    showing.add_argument("letter", metavar="ID", help="as `outbox list` prints it")
    retrying = outbox.add_parser("retry", help="deliver dead letters again")
    chosen = retrying.add_mutually_exclusive_group(required=True)
    chosen.add_argument("letter", nargs="?", metavar="ID", help="as `outbox list` prints it")
    chosen.add_argument("--all", action="store_true", help="every dead letter")
    discarding = outbox.add_parser("discard", help="delete a dead letter: not without --yes")
    discarding.add_argument("letter", metavar="ID", help="as `outbox list` prints it")
    discarding.add_argument("--yes", action="store_true", help="do it; it cannot be taken back")
    works = {
        "outbox list": listing,
        "outbox show": showing,
        "outbox retry": retrying,
        "outbox discard": discarding,
        "erase": erase,
        "export": export,
        "import": taking,
        "gdpr request": asking,
        "gdpr status": status,
        "register": register,
        "prune": prune,
    }
    for work, parser in works.items():
        parser.set_defaults(command=command, work=work)


def age(text: str) -> timedelta:
    """Return a length of time such as 365d."""
    found = _AGE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age such as 365d, 48h or 90m")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _name_guest(parser: argparse.ArgumentParser) -> None:
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("guest", nargs="?", metavar="GUEST", help="id of the guest")
    whom.add_argument("--email", metavar="ADDRESS", help="every guest with this e-mail")
    whom.add_argument(
        "--person", metavar="WHO", help="every guest of this subject, or e-mail of a session"
    )
    whom.add_argument("--phone", metavar="NUMBER", help="every guest with this number kept")


def _take_unverified(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--unverified",
        action="store_true",
        help="also by an e-mail that only a page has claimed, and nobody verified",
    )


def _name_subject(parser: argparse.ArgumentParser) -> None:
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("guest", nargs="?", metavar="GUEST", help="by the e-mail of this guest")
    whom.add_argument("--person", metavar="WHO", help="by the e-mail of this subject's guests")
    whom.add_argument("--email", metavar="ADDRESS")
    whom.add_argument("--phone", metavar="NUMBER")
    whom.add_argument("--external-contact", metavar="ID", help="id of an external contact")
    whom.add_argument("--external-id", metavar="ID")
    parser.add_argument("--yes", action="store_true", help="file it; it cannot be taken back")
    _take_unverified(parser)
