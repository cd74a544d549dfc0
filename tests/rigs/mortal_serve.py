"""The command `messenger-bff`, whose background jobs die of whatever a file beside it names.

Run as a program: `python mortal_serve.py <folder> serve`. A file `<folder>/kill-<job>` holds the
name of the exception; it is taken away by the death.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from gevent import GreenletExit

from bff.adapters.sqlite_messages import SqliteSubscription
from bff.cli import main
from bff.records.record_house import TrailRounds
from bff.signin.revocation_rounds import RevocationRounds

HERE: Final = Path(__file__)
KINDS: Final[dict[str, type[BaseException]]] = {
    kind.__name__: kind
    for kind in (RuntimeError, RecursionError, MemoryError, SystemExit, GreenletExit)
}


def kill(folder: Path, job: str, kind: str) -> None:
    """Have a job of that process die."""
    _order(folder, job).write_text(kind, "utf-8")


def died(folder: Path, job: str) -> bool:
    """Say whether it has died of that."""
    return not _order(folder, job).exists()


def _order(folder: Path, job: str) -> Path:
    return folder / f"kill-{job}"


def _mortal(owner: Any, name: str, order: Path) -> None:
    real: Callable[..., Any] = getattr(owner, name)

    def work(*arguments: Any, **more: Any) -> Any:
        done = real(*arguments, **more)
        if order.exists():
            kind = order.read_text("utf-8")
            if kind in KINDS:
                order.unlink()
                raise KINDS[kind]("to order")
        return done

    setattr(owner, name, work)


if __name__ == "__main__":
    place = Path(sys.argv.pop(1))
    _mortal(SqliteSubscription, "receive", _order(place, "session-news"))
    _mortal(TrailRounds, "once", _order(place, "outbox"))
    _mortal(RevocationRounds, "once", _order(place, "revocations"))
    sys.exit(main())
