"""The same promises, asked of SQLite and of a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from erasure_rig import ErasureRig, erasure_rig
from postgres_server import PostgresServer
from records_rig import database


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
def rig(records_url: str, tmp_path: Path) -> Iterator[ErasureRig]:
    with erasure_rig(tmp_path, records_url) as running:
        yield running


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[ErasureRig]:
    """For what does not depend on the database."""
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'records.sqlite3'}") as running:
        yield running
