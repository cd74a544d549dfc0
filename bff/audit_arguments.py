"""What can be typed after `messenger-bff audit` and `messenger-bff db`."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    Choices = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no other name
    Command = Callable[[argparse.Namespace], int]

BOUNDS = (
    "a day, a minute, a second or less: 2026-11-20, 2026-11-20T09:30, 2026-11-20T09:30:00+01:00; "
    "UTC without an offset; all of what it names is included"
)


def add_audit(actions: "Choices", *, command: "Command") -> None:
    """Offer verify, report, page, keys and accept."""
    verify = actions.add_parser("verify", help="say whether the trail is what was written")
    verify.add_argument(
        "--heads", type=Path, metavar="FILE", help="signed heads kept elsewhere; as BFF_AUDIT_HEADS"
    )
    verify.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="PUBLIC",
        help="a public key to trust as well (`audit keys` printed it); may come more than once",
    )
    report = actions.add_parser("report", help="events between two times, oldest first")
    report.add_argument("--from", dest="since", metavar="TIME", help=BOUNDS)
    report.add_argument("--to", dest="until", metavar="TIME", help="the same; default: no end")
    report.add_argument("--action", help="only events of this action")
    report.add_argument("--guest", help="only events of this guest (id, or pseudonym)")
    report.add_argument(
        "--format", choices=("table", "csv", "jsonl"), default="table", help="default: table"
    )
    page = actions.add_parser("page", help="what is held about a guest, and who touched it")
    page.add_argument("guest", metavar="GUEST", help="id of the guest")
    page.add_argument("-o", dest="file", type=Path, metavar="FILE.html", required=True)
    keys = actions.add_parser("keys", help="public keys that signed heads; keep them elsewhere")
    accept = actions.add_parser(
        "accept", help="sign the log as it is now, although it is not what was signed before"
    )
    accept.add_argument("--yes", action="store_true", help="do it; without, say what would be done")
    for parser, work in (
        *((verify, "verify"), (report, "report"), (page, "page"), (keys, "keys")),
        (accept, "accept"),
    ):
        parser.set_defaults(command=command, work=work)


def add_database(actions: "Choices", *, command: "Command") -> None:
    """Offer upgrade and grant."""
    upgrade = actions.add_parser("upgrade", help="bring the tables up to date")
    upgrade.set_defaults(command=command, work="upgrade")
    grant = actions.add_parser(
        "grant", help="PostgreSQL: let a role use the tables, and only add to the trail"
    )
    grant.add_argument("role", metavar="ROLE", help="role that `serve` connects as")
    grant.set_defaults(command=command, work="grant")
