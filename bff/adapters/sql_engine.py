"""The database of the guest records: SQLite's file by default, PostgreSQL with one pool."""

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from bff.adapters import sql_migrations
from bff.adapters.sqlite_connections import checkpoint, write_anew
from bff.errors import RecordsDownError, RecordsRefusedError

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
        self.engine: Final = _engine(self._url, place)

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction: all of it or nothing.

        On SQLite it is alone from its first statement on, so that what it read is still so.
        """
        return self._run(work, begin="BEGIN IMMEDIATE")

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work`, which changes nothing, on one state of the database."""
        return self._run(work, begin="BEGIN")

    def upgrade(self) -> None:
        """Bring the tables up to date."""

        def steps(connection: Connection) -> None:
            if not self.embedded:
                connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": SCHEMA_LOCK})
            sql_migrations.upgrade(connection)

        self.write(steps)

    def is_current(self) -> bool:
        """Say whether the tables are those of this version."""
        return self.read(sql_migrations.is_current)

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
        kind = RecordsRefusedError if is_refusal(cause) else RecordsDownError
        # The words of a driver may hold the URL, and the URL a password.
        return kind(f"records: {type(cause).__name__}", retry_after=RETRY_AFTER)


def is_refusal(cause: BaseException) -> bool:
    """Say whether a database answered, and refused; else it is away, or busy for too long."""
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _REFUSALS
    state = getattr(cause, "sqlstate", None)
    return state is not None and not state.startswith(_AWAY)


def _driven(url: str) -> URL:
    made = make_url(url)
    return made.set(drivername="postgresql+psycopg") if made.drivername == "postgresql" else made


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
