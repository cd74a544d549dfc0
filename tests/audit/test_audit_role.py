"""A role that may only add to the trail adds to it, and can do nothing else."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from postgres_server import PostgresServer
from psycopg.errors import InsufficientPrivilege
from trail_rig import PATIENCE, TrailPlaces, TrailRig, trail_rig

from bff.adapters import sql_rights
from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.errors import SettingsError

ROLE = 'the "service" %s: role'


@pytest.fixture
def url(tmp_path: Path, places: TrailPlaces) -> str:
    return places.new("postgresql", tmp_path)


@pytest.fixture(scope="module", autouse=True)
def role(postgres: PostgresServer) -> str:
    with psycopg.connect(postgres.url, autocommit=True) as owner:
        owner.execute('CREATE ROLE "the ""service"" %s: role" LOGIN')
    return ROLE


@pytest.fixture
def served(url: str, role: str, tmp_path: Path) -> Iterator[TrailRig]:
    """The trail as the service sees it."""
    owner = SqlRecords(RecordsPlace(url=url, patience=PATIENCE))
    sql_rights.grant(owner, role)
    owner.close()
    rig = trail_rig(as_role(url), tmp_path)
    yield rig
    rig.records.close()


def as_role(url: str) -> str:
    return url.replace("postgres@", "the%20%22service%22%20%25s%3A%20role@")


def test_it_appends_signs_and_reads(served: TrailRig) -> None:
    served.fill(3)
    served.sign()

    assert served.verify().faults == ()
    assert served.keeper.append([served.entry(1)]) == 3


@pytest.mark.parametrize("table", sql_rights.GROWS_ONLY)
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE {} SET seq = 7",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "DROP TABLE {}",
        "ALTER TABLE {} ADD COLUMN x int",
    ],
)
def test_it_cannot_change_what_is_there(served: TrailRig, table: str, change: str) -> None:
    served.fill(2)
    served.sign()

    with psycopg.connect(served.url) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(change.format(table))

    assert served.verify().faults == ()


def test_it_needs_no_more_than_insert_and_select(url: str, tmp_path: Path) -> None:
    name = '"the ""service"" %s: role"'
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"GRANT SELECT, INSERT ON audit_events, audit_heads, audit_sources TO {name}")
    rig = trail_rig(as_role(url), tmp_path)

    rig.fill(2)
    rig.sign()

    assert rig.verify().faults == ()
    rig.records.close()


def test_rights_on_tables_of_its_own_would_be_none(url: str) -> None:
    owner = SqlRecords(RecordsPlace(url=url, patience=PATIENCE))

    with pytest.raises(SettingsError, match="owns the tables"):
        sql_rights.grant(owner, "postgres")

    owner.close()


def test_a_role_that_is_not_there_gets_nothing(url: str) -> None:
    owner = SqlRecords(RecordsPlace(url=url, patience=PATIENCE))

    with pytest.raises(SettingsError, match="does not exist"):
        sql_rights.grant(owner, "nobody; DROP TABLE guests")

    owner.close()
