"""The command `messenger-bff`: serve, gateway, demo, check, snippet, sessions, keys, audit, db."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bff.audit_arguments import add_audit, add_database
from bff.errors import BffError, SettingsError
from bff.record_arguments import add_records

# Everything else is imported where it is used: `serve` must patch the standard library for
# gevent before anything that opens a socket is imported.
if TYPE_CHECKING:
    from bff.settings import Settings
    from bff.web.doorway import Services

    Choices = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no other name

DISTRIBUTION: Final = "messenger-bff"
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
        settings = "1 setting" if len(lines) == 1 else f"{len(lines)} settings"
        print(f"messenger-bff cannot start: {settings} to mend", file=sys.stderr)
        for line in lines:
            print(f"  - {line}", file=sys.stderr)
        return EXIT_USAGE
    except BffError as error:
        # `message` is written for customers; whoever reads a terminal needs the other half.
        print(f"messenger-bff: {error.detail or error.message} [{error.code}]", file=sys.stderr)
        return EXIT_FAULT
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="messenger-bff",
        description="Sign in once, chat as yourself in the Messenger.",
        epilog="Try `messenger-bff demo` first: it needs no settings. For your own site, set the "
        "variables BFF_… (the README lists them) and run `messenger-bff check`.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version(DISTRIBUTION)}")
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help="TOML file; the environment goes first"
    )
    commands = _choices(parser, "COMMAND")
    serve = commands.add_parser("serve", help="run the service")
    serve.add_argument("--workers", type=int, help="processes; more than one needs Redis")
    serve.set_defaults(command=_serve)
    gateway = commands.add_parser("gateway", help="carry guest sockets, beside `serve`")
    gateway.add_argument("--host", help="address to listen on")
    gateway.add_argument("--port", help="port to listen on")
    gateway.set_defaults(command=_gateway)
    demo = commands.add_parser("demo", help="run everything on this machine, with stand-ins")
    demo.add_argument("--fast", action="store_true", help="JWT of 10 s, access token of 20 s")
    demo.add_argument("--check", action="store_true", help="drive it headless; exit 0 or 1")
    demo.add_argument(
        "--passthrough", action="store_true", help="let Genesys redeem the sign-in service's codes"
    )
    demo.set_defaults(command=_demo)
    check = commands.add_parser("check", help="look at settings, store, providers, Genesys")
    check.set_defaults(command=_check)
    _add_snippet(commands.add_parser("snippet", help="print the script tag for your pages"))
    _add_sessions(commands.add_parser("sessions", help="list and revoke sessions"))
    _add_keys(commands.add_parser("keys", help="list, rotate and make keys"))
    audit = commands.add_parser("audit", help="verify the audit trail, and report from it")
    add_audit(_choices(audit, "ACTION"), command=_audit)
    database = commands.add_parser("db", help="tables and rights of the guest records")
    add_database(_choices(database, "ACTION"), command=_database)
    add_records(commands, offer=_choices, command=_records)
    return parser


def _choices(parser: argparse.ArgumentParser, what: str) -> "Choices":
    """Offer what is added; whoever names none of it is shown what there is."""

    def none_named(_: argparse.Namespace) -> int:
        parser.print_help(sys.stderr)
        return EXIT_USAGE

    parser.set_defaults(command=none_named)
    return parser.add_subparsers(metavar=what)


def _add_snippet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--deployment", metavar="ID", help="Messenger deployment; default BFF_GENESYS_DEPLOYMENT_ID"
    )
    parser.add_argument("--surface", choices=("redirect", "popup"), help="how people sign in")
    parser.add_argument("--nonce", action="store_true", help="for a policy of nonces")
    parser.set_defaults(command=_snippet)


def _add_sessions(parser: argparse.ArgumentParser) -> None:
    actions = _choices(parser, "ACTION")
    listing = actions.add_parser("list", help="who is signed in")
    listing.add_argument("--person", help="only this e-mail address or provider subject")
    listing.set_defaults(command=_sessions_list)
    revoke = actions.add_parser("revoke", help="end sessions now; their pages are told")
    revoke.add_argument(
        "session", nargs="?", help="id as listed, or its beginning: 8 characters or more"
    )
    revoke.add_argument("--person", help="all sessions of this e-mail address or subject")
    revoke.add_argument("--everyone", action="store_true", help="all sessions there are")
    revoke.set_defaults(command=_sessions_revoke)


def _add_keys(parser: argparse.ArgumentParser) -> None:
    actions = _choices(parser, "ACTION")
    actions.add_parser("new", help="print a new random key").set_defaults(command=_keys_new)
    actions.add_parser("list", help="every key and its state").set_defaults(command=_keys_list)
    rekey = actions.add_parser(
        "rekey", help="encrypt every keyring under BFF_MASTER_KEY, after it was changed"
    )
    rekey.set_defaults(command=_keys_rekey)
    rotate = actions.add_parser("rotate", help="new keys from now on; old ones still open")
    rotate.set_defaults(command=_keys_rotate)


def _serve(options: argparse.Namespace) -> int:
    from gevent import monkey  # noqa: PLC0415 - must come first, and only here

    monkey.patch_all()
    from bff.production import ProductionServer  # noqa: PLC0415 - after the patch
    from bff.wiring import build  # noqa: PLC0415 - after the patch

    over = {} if options.workers is None else {"BFF_WORKERS": str(options.workers)}
    settings = _settings(options, over)
    logging.getLogger().setLevel(settings.log_level)
    # What cannot work is told once, here, and not by every worker that fails to boot.
    here = build(settings)
    try:
        if here.records is not None:
            here.records.prepare()
    finally:
        here.close()
    print(
        f"messenger-bff serves {settings.public_url} on {settings.host}:{settings.port}",
        flush=True,
    )
    ProductionServer(settings).run()
    return 0


def _gateway(options: argparse.Namespace) -> int:
    from bff.gateway_command import serve_guests  # noqa: PLC0415 - see the top

    chosen = {"BFF_GATEWAY_HOST": options.host, "BFF_GATEWAY_PORT": options.port}
    over = {name: value for name, value in chosen.items() if value is not None}
    settings = _settings(options, over)
    logging.getLogger().setLevel(settings.log_level)
    serve_guests(settings)
    return 0


def _demo(options: argparse.Namespace) -> int:
    from bff.demo import run_demo  # noqa: PLC0415 - stand-ins are loaded for the demo only

    return run_demo(fast=options.fast, check=options.check, passthrough=options.passthrough)


def _check(options: argparse.Namespace) -> int:
    from bff.adapters.system import SystemClock  # noqa: PLC0415 - see the top
    from bff.checkup import examine, summary  # noqa: PLC0415 - see the top
    from bff.findings import Verdict  # noqa: PLC0415 - see the top

    seen: list[Verdict] = []
    for finding in examine(_settings(options), SystemClock()):
        print(f"{finding.verdict.value:8} {finding.what}")
        if finding.fix:
            print(f"{'':8} → {finding.fix}")
        seen.append(finding.verdict)
    print(summary(seen))
    return EXIT_FAULT if Verdict.FAULT in seen else 0


def _snippet(options: argparse.Namespace) -> int:
    from bff.snippet import SnippetPlan, snippet  # noqa: PLC0415 - see the top

    settings = _settings(options)
    plan = SnippetPlan(
        public_url=settings.public_url,
        deployment=options.deployment or settings.genesys_deployment_id,
        surface=options.surface,
        with_nonce=options.nonce,
    )
    print(snippet(plan))
    return 0


def _sessions_list(options: argparse.Namespace) -> int:
    from bff.operator_tables import session_table  # noqa: PLC0415 - see the top

    here = _services(options)
    print(session_table(here.book.everyone(), person=options.person))
    here.close()
    return 0


def _sessions_revoke(options: argparse.Namespace) -> int:
    from bff.operator_tables import NoSessionChosenError, chosen_sessions  # noqa: PLC0415 - see the top

    if [bool(options.session), bool(options.person), options.everyone].count(True) != 1:
        print(
            "messenger-bff: name one session, one person with --person, or --everyone; "
            "`messenger-bff sessions list` shows who there is",
            file=sys.stderr,
        )
        return EXIT_USAGE
    here = _services(options)
    try:
        if options.everyone:
            # Also those that this version cannot read.
            keys = here.book.keys()
        else:
            chosen = chosen_sessions(
                here.book.everyone(), prefix=options.session, person=options.person
            )
            keys = [session.key for session in chosen]
    except NoSessionChosenError as error:
        print(f"messenger-bff: {error}; nothing was revoked", file=sys.stderr)
        return EXIT_FAULT
    else:
        ended = here.sign_out.revoke_all(keys)
        print("1 session revoked" if ended == 1 else f"{ended} sessions revoked")
        return 0 if ended else EXIT_FAULT
    finally:
        here.close()


def _keys_new(_: argparse.Namespace) -> int:
    from bff.adapters.system import SystemEntropy  # noqa: PLC0415 - see the top

    print(SystemEntropy().token())
    return 0


def _keys_list(options: argparse.Namespace) -> int:
    from bff.operator_tables import key_table  # noqa: PLC0415 - see the top

    here = _services(options)
    print(key_table(here.rings, here.signing_keys))
    here.close()
    return 0


def _keys_rekey(options: argparse.Namespace) -> int:
    # Every start does it; here it is done without one, and told.
    here = _services(options)
    for use, ring in here.rings.items():
        under = ring.master_key()
        if under is not None:
            done = "encrypted anew" if use in here.rekeyed else "as it was"
            print(f"{use}: {done}, under {under.name}")
    here.close()
    return 0


def _keys_rotate(options: argparse.Namespace) -> int:
    here = _services(options)
    here.key_ring.rotate()
    here.signing_keys.rotate()
    if here.session_ids is not None:
        here.session_ids.rotate()
    if here.records is not None:
        from bff.audit_commands import rotate_head_key  # noqa: PLC0415 - see the top

        here.records.guests.keys.rotate()
        rotate_head_key(here, here.records)
    here.close()
    return _keys_list(options)


def _audit(options: argparse.Namespace) -> int:
    from bff import audit_commands  # noqa: PLC0415 - see the top

    return audit_commands.run(options, _services(options))


def _database(options: argparse.Namespace) -> int:
    from bff import audit_commands  # noqa: PLC0415 - see the top

    return audit_commands.run_database(options, _settings(options))


def _records(options: argparse.Namespace) -> int:
    from bff import record_commands  # noqa: PLC0415 - see the top
    from bff.wiring import build  # noqa: PLC0415 - see the top

    settings = _settings(options)
    return record_commands.run(options, settings, build(settings))


def _settings(options: argparse.Namespace, over: dict[str, str] | None = None) -> "Settings":
    from bff.settings import Settings  # noqa: PLC0415 - see the top

    settings = Settings.read(file=options.settings, over=over)
    # An operator's command says on its own what it did; `serve` logs as much as it was told to.
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    # It announces each second try; what comes of it is told anyway.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    return settings


def _services(options: argparse.Namespace) -> "Services":
    from bff.wiring import build  # noqa: PLC0415 - see the top

    return build(_settings(options))


if __name__ == "__main__":
    sys.exit(main())
