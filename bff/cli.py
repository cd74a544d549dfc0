"""The command `messenger-bff`: serve, demo, check, sessions, keys."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bff.errors import BffError, SettingsError

# Everything else is imported where it is used: `serve` must patch the standard library for
# gevent before anything that opens a socket is imported.
if TYPE_CHECKING:
    from bff.settings import Settings
    from bff.web.doorway import Services

EXIT_FAULT: Final = 1
EXIT_USAGE: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, 1 for a fault that was found, 2 for one in the settings."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except SettingsError as error:
        lines = error.detail.splitlines()
        print(f"messenger-bff cannot start: {len(lines)} setting(s) to mend", file=sys.stderr)
        for line in lines:
            print(f"  - {line}", file=sys.stderr)
        return EXIT_USAGE
    except BffError as error:
        print(f"messenger-bff: {error.message} [{error.code}] {error.detail}", file=sys.stderr)
        return EXIT_FAULT
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="messenger-bff", description="Sign in once, chat as yourself in the Messenger."
    )
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help="TOML file; the environment goes first"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the service")
    serve.add_argument("--workers", type=int, help="processes; more than one needs Redis")
    serve.set_defaults(command=_serve)
    demo = commands.add_parser("demo", help="run everything on this machine, with stand-ins")
    demo.add_argument("--fast", action="store_true", help="JWT of 10 s, access token of 20 s")
    demo.add_argument("--check", action="store_true", help="drive it headless; exit 0 or 1")
    demo.set_defaults(command=_demo)
    check = commands.add_parser("check", help="look at settings, store and providers")
    check.set_defaults(command=_check)
    _add_sessions(commands.add_parser("sessions", help="list and revoke sessions"))
    _add_keys(commands.add_parser("keys", help="list, rotate and make keys"))
    return parser


def _add_sessions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="who is signed in")
    listing.add_argument("--person", help="only this e-mail address or provider subject")
    listing.set_defaults(command=_sessions_list)
    revoke = actions.add_parser("revoke", help="end sessions now; their pages are told")
    revoke.add_argument("session", nargs="?", help="id, or its first 8 characters or more")
    revoke.add_argument("--person", help="all sessions of this e-mail address or subject")
    revoke.set_defaults(command=_sessions_revoke)


def _add_keys(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("new", help="print a new random key").set_defaults(command=_keys_new)
    actions.add_parser("list", help="every key and its state").set_defaults(command=_keys_list)
    rotate = actions.add_parser("rotate", help="new keys from now on; old ones still open")
    rotate.set_defaults(command=_keys_rotate)


def _serve(options: argparse.Namespace) -> int:
    from gevent import monkey  # noqa: PLC0415 - must come first, and only here

    monkey.patch_all()
    from bff.production import ProductionServer  # noqa: PLC0415 - after the patch

    over = {} if options.workers is None else {"BFF_WORKERS": str(options.workers)}
    settings = _settings(options, over)
    print(f"messenger-bff serves {settings.public_url} on {settings.host}:{settings.port}")
    ProductionServer(settings).run()
    return 0


def _demo(options: argparse.Namespace) -> int:
    from bff.demo import run_demo  # noqa: PLC0415 - stand-ins are loaded for the demo only

    return run_demo(fast=options.fast, check=options.check)


def _check(options: argparse.Namespace) -> int:
    from bff.adapters.system import SystemClock  # noqa: PLC0415 - see the top
    from bff.checkup import Verdict, examine  # noqa: PLC0415 - see the top

    worst = 0
    for finding in examine(_settings(options), SystemClock()):
        print(f"{finding.verdict.value:8} {finding.what}")
        if finding.fix:
            print(f"{'':8} → {finding.fix}")
        worst = EXIT_FAULT if finding.verdict is Verdict.FAULT else worst
    return worst


def _sessions_list(options: argparse.Namespace) -> int:
    from bff.operator_tables import session_table  # noqa: PLC0415 - see the top

    here = _services(options)
    print(session_table(here.book.everyone(), person=options.person))
    here.close()
    return 0


def _sessions_revoke(options: argparse.Namespace) -> int:
    from bff.operator_tables import chosen_sessions  # noqa: PLC0415 - see the top

    if bool(options.session) == bool(options.person):
        print("name either a session or --person", file=sys.stderr)
        return EXIT_USAGE
    here = _services(options)
    chosen = chosen_sessions(here.book.everyone(), prefix=options.session, person=options.person)
    ended = sum(here.sign_out.revoke(session.key) for session in chosen)
    here.close()
    print(f"{ended} session(s) revoked")
    return 0 if ended else EXIT_FAULT


def _keys_new(_: argparse.Namespace) -> int:
    from bff.adapters.system import SystemEntropy  # noqa: PLC0415 - see the top

    print(SystemEntropy().token())
    return 0


def _keys_list(options: argparse.Namespace) -> int:
    from bff.operator_tables import key_table  # noqa: PLC0415 - see the top

    here = _services(options)
    print(key_table(here.key_ring, here.signing_keys))
    here.close()
    return 0


def _keys_rotate(options: argparse.Namespace) -> int:
    here = _services(options)
    here.key_ring.rotate()
    here.signing_keys.rotate()
    here.close()
    return _keys_list(options)


def _settings(options: argparse.Namespace, over: dict[str, str] | None = None) -> "Settings":
    from bff.settings import Settings  # noqa: PLC0415 - see the top

    settings = Settings.read(file=options.settings, over=over)
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    return settings


def _services(options: argparse.Namespace) -> "Services":
    from bff.wiring import build  # noqa: PLC0415 - see the top

    return build(_settings(options))


if __name__ == "__main__":
    sys.exit(main())
