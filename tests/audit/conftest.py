"""The same trail on SQLite and on a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from trail_rig import KINDS, TrailPlaces, TrailRig, trail_rig


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> TrailPlaces:
    return TrailPlaces(tmp_path_factory.mktemp("template"), postgres)


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, tmp_path: Path, places: TrailPlaces) -> Iterator[TrailRig]:
    made = trail_rig(places.new(request.param, tmp_path), tmp_path)
    yield made
    made.records.close()


@pytest.fixture
def on_file(tmp_path: Path, places: TrailPlaces) -> Iterator[TrailRig]:
    """For what does not depend on the database."""
    made = trail_rig(places.new("sqlite", tmp_path), tmp_path)
    yield made
    made.records.close()
