"""The same promises, asked of SQLite and of a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from records_rig import RecordsRig, database, running_records


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def records_url(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer
) -> Iterator[str]:
    with database(request.param, tmp_path, postgres) as url:
        yield url


@pytest.fixture
def rig(records_url: str) -> Iterator[RecordsRig]:
    with running_records(records_url) as running:
        yield running
