"""The same promises, asked of each store; Redis is the real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis_server import RedisServer
from store_rigs import StoreRig, redis_rig, sqlite_rig

from bff.ports import Store


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "redis"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreRig]:
    if request.param == "sqlite":
        made = sqlite_rig(tmp_path)
    else:
        made = redis_rig(request.getfixturevalue("redis_server"))
    yield made
    made.store.close()


@pytest.fixture
def store(rig: StoreRig) -> Store:
    return rig.store
