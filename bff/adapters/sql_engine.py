"""The database of the guest records: SQLite's file by default, PostgreSQL with one pool."""

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import QueuePool

from bff.adapters import sql_migrations
from bff.adapters.sql_examination import examine, is_newest, not_upgradable
from bff.adapters.sql_refusals import first_line, refusal
from bff.adapters.sql_rights import extend
from bff.adapters.sql_strangers import restore_indexes
from bff.adapters.sql_triggers import restore
from bff.adapters.sqlite_connections import checkpoint, write_anew
from bff.errors import RecordsDownError, RecordsRefusedError, SettingsError
from bff.migrations.audit_strays import set_aside
from bff.trail_ports import DatabaseFinding, Weight

log = logging.getLogger(__name__)

RETRY_AFTER: Final = timedelta(seconds=5)
LONGEST_CONNECTION_S: Final = 1800
PREPARED_FROM: Final = 5  # uses of a statement
SCHEMA_LOCK: Final = 0x6D736267  # any number that nobody else locks with

_REFUSALS: Final = frozenset(
    {
        *(sqlite3.SQLITE_ERROR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH),
        *(sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FULL),
    }
)
_AWAY: Final = ("08", "40", "53300", "55P03", "57")
"""Beginnings of PostgreSQL's SQLSTATE: no connection, overtaken, too many, locked, cancelled."""
_OF_THE_ROW: Final = ("54", "P0001")
"""Longer than an index holds; refused by a trigger."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsPlace:
    """Where the records are and how many connections may go there.

    `url` is `sqlite:///FILE` or `postgresql://…`; `patience` bounds waiting for a connection, for
    a lock and for a statement.
    """

    url: str
    pool: int = 5
    patience: timedelta = timedelta(seconds=5)
    prepared_statements: int = 100


class SqlRecords:
    """One database. Every call is one transaction; RecordsDownError if it cannot be had."""

    def __init__(self, place: RecordsPlace) -> None:
        self._place = place
        self._url = _driven(place.url)
        self.embedded: Final = self._url.get_backend_name() == "sqlite"
        self.name: Final = _name_of(self._url)
        """Tells this database from another, the same in every process; nothing secret."""

        self.engine: Final = _engine(self._url, place)

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction: all of it or nothing.

        On SQLite it is alone from its first statement on, so that what it read is still so.
        """
        return self._run(work, begin="BEGIN IMMEDIATE")

    def insist(self, work: Callable[[Connection], Result]) -> Result:
        """Do the same for what waits in the outbox: it must not be thrown away for any trouble.

        Whatever is the matter with the database as a whole (no right, no table, no column, read
        only, corrupt, full) is RecordsDownError: a reason to wait. What is left may be the
        matter of what was to be written: a constraint, a value out of range.
        """
        try:
            return self.write(work)
        except (IntegrityError, DataError):
            raise
        except DBAPIError as error:
            if _is_about_the_row(error):
                raise
            raise self._down(error) from error
        except RecordsDownError as error:
            cause = error.__cause__
            if isinstance(cause, DBAPIError) and _is_about_the_row(cause):
                raise cause from None
            raise

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work`, which changes nothing, on one state of the database."""
        return self._run(work, begin="BEGIN")

    def upgrade(self) -> list[str]:
        """Bring the tables up to date; return what an operator should know of it.

        Raises SettingsError, in one line, if this database cannot be brought up to date.
        """

        def steps(connection: Connection) -> list[str]:
            if is_newest(connection):
                return []
            return [*sql_migrations.upgrade(connection), *extend(connection)]

        return self._change(steps)

    def restore(self) -> list[str]:
        """Make anew what the audit log has lost of its protection; return what that was.

        Rows that were put there to end it are set aside, and indexes that are gone come back.
        """

        def steps(connection: Connection) -> list[str]:
            said = [*restore(connection), *set_aside(connection)]
            return [*said, *restore_indexes(connection)] if is_newest(connection) else said

        return self._change(steps)

    def _change(self, work: Callable[[Connection], list[str]]) -> list[str]:
        def steps(connection: Connection) -> list[str]:
            if not self.embedded:
                connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": SCHEMA_LOCK})
                # A long log takes its time, and nobody else's request waits for it.
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            found = not_upgradable(connection)
            if found is not None:
                raise SettingsError(f"{found.what}: {found.fix}")
            return work(connection)

        try:
            return self.write(steps)
        except RecordsDownError as error:
            why = refusal(error.__cause__)
            if why is None:
                raise
            raise SettingsError(f"the tables were not brought up to date: {why}") from error
        except (SQLAlchemyError, CommandError) as error:
            why = first_line(error)
            if refusal(error) is not None and not self.embedded:
                why += ": run it as a role that owns the tables, or may make some"
            raise SettingsError(f"the tables were not brought up to date: {why}") from error

    def is_current(self) -> bool:
        """Say whether the tables are those of this version."""
        return all(one.weight is not Weight.FAULT for one in self.examine())

    def examine(self) -> list[DatabaseFinding]:
        """Return what is wrong with this database, the worst first.

        Raises RecordsDownError if it is away; one that refuses us is not away.
        """
        try:
            # For a file that cannot be written this fails, as it should.
            return self._run(examine, begin="BEGIN IMMEDIATE")
        except RecordsDownError as error:
            why = refusal(error.__cause__)
            if why is None:
                raise
        except SQLAlchemyError as error:
            why = refusal(error) or first_line(error)
        return [
            DatabaseFinding(
                what=f"the database refuses us: {why}",
                fix="look at BFF_RECORDS_URL, and at the rights of this account and role",
            )
        ]

    def figures(self) -> dict[str, int]:
        """Return how the pool is used, for the metrics."""
        pool = self.engine.pool
        if not isinstance(pool, QueuePool):
            return {}
        return {"size": pool.size(), "in_use": pool.checkedout(), "overflow": pool.overflow()}

    def scrub(self) -> bool:
        """Let nothing of what was deleted stay behind in a file of our own.

        SQLite overwrites what it deletes, but first in a log beside the file: here the log is
        written back and cut, and a file that is not too large is written anew before. False if
        a reader or a writer prevented it. On PostgreSQL, whose files are its own, it does nothing.
        """
        if not self.embedded:
            return True
        try:
            connection = self.engine.raw_connection()
        except (SQLAlchemyError, DBAPIError) as error:
            raise self._down(error) from error
        try:
            driver = cast("sqlite3.Connection", connection.driver_connection)
            write_anew(driver)
            return checkpoint(driver)
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()

    def close(self) -> None:
        """Close what is idle. Idempotent."""
        self.engine.dispose()

    def _run(self, work: Callable[[Connection], Result], *, begin: str) -> Result:
        try:
            with self.engine.connect() as connection:
                connection.info["begin"] = begin
                with connection.begin():
                    return work(connection)
        except (OperationalError, TimeoutError) as error:
            raise self._down(error) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise self._down(error) from error
            raise
        except SQLAlchemyError as error:
            if "QueuePool limit" in str(error):
                raise self._down(error) from error
            raise

    def _down(self, error: Exception) -> RecordsDownError:
        cause = getattr(error, "orig", None) or error
        # The words of a driver may hold the URL, and the URL a password.
        why = refusal(error)
        told = type(cause).__name__ if why is None else f"{type(cause).__name__}: {why}"
        refused = why is not None or is_refusal(cause)
        kind = RecordsRefusedError if refused else RecordsDownError
        return kind(f"records: {told}", retry_after=RETRY_AFTER)


def is_refusal(cause: BaseException) -> bool:
    """Say whether a database answered, and refused; else it is away, or busy for too long."""
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _REFUSALS
    state = getattr(cause, "sqlstate", None)
    return state is not None and not state.startswith(_AWAY)


def _is_about_the_row(error: DBAPIError) -> bool:
    """Say whether PostgreSQL may have refused this row, for being what it is, and no other."""
    return str(getattr(error.orig, "sqlstate", None) or "").startswith(_OF_THE_ROW)


def _driven(url: str) -> URL:
    made = make_url(url)
    return made.set(drivername="postgresql+psycopg") if made.drivername == "postgresql" else made


def _name_of(url: URL) -> str:
    name = url.database
    if name and url.get_backend_name() == "sqlite" and not name.startswith((":", "file:")):
        name = str(Path(name).absolute())
    place = (url.get_backend_name(), url.host, url.port, name)
    return sha256("|".join(map(str, place)).encode()).hexdigest()[:16]


def _engine(url: URL, place: RecordsPlace) -> Engine:
    seconds = place.patience.total_seconds()
    if url.get_backend_name() == "sqlite":
        engine = create_engine(
            url,
            hide_parameters=True,
            poolclass=QueuePool,
            pool_size=place.pool,
            max_overflow=0,
            pool_timeout=seconds,
            connect_args={"timeout": seconds, "check_same_thread": False},
        )
        event.listen(engine, "do_connect", _make_private)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    limit = f"{round(seconds * 1000)}"
    engine = create_engine(
        url,
        pool_size=place.pool,
        max_overflow=0,
        pool_timeout=seconds,
        pool_pre_ping=True,
        hide_parameters=True,
        pool_recycle=LONGEST_CONNECTION_S,
        connect_args={
            "connect_timeout": max(2, round(seconds)),
            # Else a server of another encoding answers in bytes, to the question of its version.
            "client_encoding": "utf8",
            "options": f"-c statement_timeout={limit} -c lock_timeout={limit} -c timezone=UTC",
            "prepare_threshold": PREPARED_FROM if place.prepared_statements else None,
        },
    )

    def keep_prepared(connection: Any, _: Any) -> None:
        connection.prepared_max = place.prepared_statements

    event.listen(engine, "connect", keep_prepared)
    return engine


def _make_private(_: Any, __: Any, arguments: Any, ___: Any) -> None:
    """Let nobody else on this machine read a file that we begin; SQLite would ask the umask."""
    if arguments and not str(arguments[0]).startswith(":"):
        with suppress(OSError):  # it is there, or SQLite will say why it cannot be
            os.close(os.open(arguments[0], os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
        # Without it INSERT OR REPLACE slips past the triggers that refuse to delete.
        "recursive_triggers = ON",
        # What is erased is overwritten, and not only forgotten.
        "secure_delete = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.info.get("begin", "BEGIN"))
