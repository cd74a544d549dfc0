"""What can be the matter with a database, and how it is put right again. Real SQLite, real SQL."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import Engine, event

SERVICE: Final = "outbox_service"
TABLES: Final = ("guests", "audit_events")
HIGHEST: Final = 9007199254740991
_POISON: Final = (
    "INSERT INTO audit_events (seq, event_id, at, written_at, action, outcome, actor_kind, actor,"
    f" details, previous, hash) VALUES ({HIGHEST}, 'x', 1, 1, 'x', 'x', 'x', 'x', '{{}}',"
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A database, as its owner reaches it, and the engine of the service."""

    url: str
    engine: Engine

    def run(self, *statements: str) -> None:
        """Run SQL as the owner."""
        if self.url.startswith("sqlite"):
            with sqlite3.connect(self.path) as connection:
                for statement in statements:
                    connection.execute(statement)
            connection.close()
            return
        with psycopg.connect(self.url, autocommit=True) as owner:
            for statement in statements:
                owner.execute(statement.encode())

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))


Trouble = Callable[[Place], Any]


def _statements(
    make: Callable[[str], list[str]], mend: Callable[[str], list[str]], *, anew: bool = False
) -> Trouble:
    """Return a trouble of both tables; `anew`: connections that are open do not have it."""

    @contextmanager
    def trouble(place: Place) -> Iterator[None]:
        for step in (make, mend):
            place.run(*(one for table in TABLES for one in step(table)))
            if anew:
                place.engine.dispose()
            if step is make:
                yield

    return trouble


@contextmanager
def _locked(place: Place) -> Iterator[None]:
    """Somebody holds a lock for longer than anybody waits."""
    if place.url.startswith("sqlite"):
        other = sqlite3.connect(place.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()
        return
    with psycopg.connect(place.url) as holder:
        holder.execute(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE".encode())
        yield
        holder.rollback()


@contextmanager
def _poisoned(place: Place) -> Iterator[None]:
    """The highest number there is stands in the log; the guests' table takes nothing either."""
    sqlite = place.url.startswith("sqlite")
    nothing = "x''" if sqlite else "''"
    if sqlite:
        place.run(
            "DROP TRIGGER IF EXISTS audit_events_no_delete",
            "DROP TRIGGER IF EXISTS audit_events_follows",
            f"{_POISON} {nothing}, {nothing})",
            "CREATE TRIGGER never_at_all BEFORE INSERT ON guests "
            "BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
    else:
        place.run(
            "ALTER TABLE audit_events DISABLE TRIGGER ALL",
            f"{_POISON} {nothing}, {nothing})",
            "ALTER TABLE guests ADD CONSTRAINT nothing CHECK (false) NOT VALID",
        )
    yield
    place.run("DELETE FROM audit_events WHERE event_id = 'x'")
    if sqlite:
        place.run("DROP TRIGGER never_at_all")
    else:
        place.run("ALTER TABLE guests DROP CONSTRAINT nothing")


@contextmanager
def _with_pragma(place: Place, pragma: str, back: str) -> Iterator[None]:
    def set_it(connection: Any, _: Any) -> None:
        connection.execute(pragma)

    place.engine.dispose()
    event.listen(place.engine, "connect", set_it)
    yield
    event.remove(place.engine, "connect", set_it)
    place.engine.dispose()
    place.run(back)


def disk_full(place: Place) -> Any:
    """The file may not grow any more; what fits into its pages is still written."""
    return _with_pragma(place, "PRAGMA max_page_count = 1", "SELECT 1")


@contextmanager
def _corrupt(place: Place) -> Iterator[None]:
    """Every page but the first is overwritten."""
    place.engine.dispose()
    place.run("PRAGMA wal_checkpoint(TRUNCATE)")
    safe = place.path.with_suffix(".safe")
    shutil.copy(place.path, safe)
    size = place.path.stat().st_size
    with place.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\x5a" * (size - 4096))
    yield
    place.engine.dispose()
    for beside in place.path.parent.glob(f"{place.path.name}-*"):
        beside.unlink()
    shutil.copy(safe, place.path)


def _renamed(table: str, *, back: bool) -> list[str]:
    old, new = (f"{table}_gone", table) if back else (table, f"{table}_gone")
    return [f"ALTER TABLE {old} RENAME TO {new}"]


def _column(table: str, *, back: bool) -> list[str]:
    column = {"guests": "seen_at", "audit_events": "details"}[table]
    old, new = ("gone", column) if back else (column, "gone")
    return [f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}"]


def _killing(table: str) -> list[str]:
    """The connection dies in the middle of the commit."""
    return [
        (
            "CREATE OR REPLACE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
        ),
        (
            f"CREATE CONSTRAINT TRIGGER {table}_dies AFTER INSERT ON {table} "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()"
        ),
    ]


def _slow(table: str) -> list[str]:
    return [
        (
            "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "PERFORM pg_sleep(60); RETURN NEW; END $$"
        ),
        (
            f"CREATE TRIGGER {table}_slow BEFORE INSERT ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION slow()"
        ),
    ]


_SQLITE_REFUSES: Final = _statements(
    lambda table: [
        (
            f"CREATE TRIGGER {table}_no BEFORE INSERT ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    ],
    lambda table: [f"DROP TRIGGER {table}_no"],
)

_PASS_OVER: Final = (
    "CREATE OR REPLACE FUNCTION pass_over() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RETURN NULL; END $$"
)


def _passes_over(place: Place, table: str, change: str) -> list[str]:
    if place.url.startswith("sqlite"):
        does = "BEGIN SELECT RAISE(IGNORE); END"
        return [f"CREATE TRIGGER {table}_over BEFORE {change} ON {table} {does}"]
    does = "FOR EACH ROW EXECUTE FUNCTION pass_over()"
    return [_PASS_OVER, f"CREATE TRIGGER {table}_over BEFORE {change} ON {table} {does}"]


@contextmanager
def passing_over(
    place: Place, change: str = "INSERT", tables: Sequence[str] = ("guests",)
) -> Iterator[None]:
    """A trigger lets nothing of it be written, and there is no error."""
    place.run(*(one for table in tables for one in _passes_over(place, table, change)))
    yield
    on = "" if place.url.startswith("sqlite") else " ON {0}"
    place.run(*(f"DROP TRIGGER {table}_over{on.format(table)}" for table in tables))


SQLITE: Final[dict[str, Trouble]] = {
    "passed over by a trigger": lambda place: passing_over(place, tables=TABLES),
    "missing column": _statements(
        lambda table: _column(table, back=False), lambda table: _column(table, back=True)
    ),
    "dropped table": _statements(
        lambda table: _renamed(table, back=False), lambda table: _renamed(table, back=True)
    ),
    "refused by a constraint": _SQLITE_REFUSES,
    "poisoned end": _poisoned,
    "read only": lambda place: _with_pragma(place, "PRAGMA query_only = ON", "SELECT 1"),
    "locked": _locked,
    "corrupt": _corrupt,
}

POSTGRESQL: Final[dict[str, Trouble]] = {
    "no right to insert": _statements(
        lambda table: [f"REVOKE INSERT ON {table} FROM {SERVICE}"],
        lambda table: [f"GRANT INSERT ON {table} TO {SERVICE}"],
    ),
    "no right to select": _statements(
        lambda table: [f"REVOKE SELECT ON {table} FROM {SERVICE}"],
        lambda table: [f"GRANT SELECT ON {table} TO {SERVICE}"],
    ),
    "missing column": SQLITE["missing column"],
    "dropped table": SQLITE["dropped table"],
    "refused by a constraint": _statements(
        lambda table: [f"ALTER TABLE {table} ADD CONSTRAINT never CHECK (false) NOT VALID"],
        lambda table: [f"ALTER TABLE {table} DROP CONSTRAINT never"],
    ),
    "passed over by a trigger": SQLITE["passed over by a trigger"],
    "passed over by a rule": _statements(
        lambda table: [f"CREATE RULE over AS ON INSERT TO {table} DO INSTEAD NOTHING"],
        lambda table: [f"DROP RULE over ON {table}"],
    ),
    "hidden by row security": _statements(
        lambda table: [f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"],
        lambda table: [f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"],
    ),
    "poisoned end": _poisoned,
    "read only": _statements(
        lambda _: [f"ALTER ROLE {SERVICE} SET default_transaction_read_only = on"],
        lambda _: [f"ALTER ROLE {SERVICE} RESET default_transaction_read_only"],
        anew=True,
    ),
    "locked": _locked,
    "too slow": _statements(_slow, lambda table: [f"DROP TRIGGER {table}_slow ON {table}"]),
    "cut in the commit": _statements(
        _killing, lambda table: [f"DROP TRIGGER {table}_dies ON {table}"]
    ),
}
