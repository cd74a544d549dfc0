"""The same promises, asked of each store; Redis is the real server, alone and with sentinels."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis_sentinels import RedisSentinels
from store_rigs import StoreRig, redis_rig, redis_server, sqlite_rig

from bff.ports import Store

__all__ = ["redis_server", "rig", "sentinels", "store"]


@pytest.fixture(scope="session")
def sentinels() -> Iterator[RedisSentinels]:
    """One site with Sentinel for all tests that leave it as they found it."""
    with RedisSentinels() as started:
        yield started


@pytest.fixture(params=["sqlite", "redis", "sentinel"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreRig]:
    if request.param == "sqlite":
        made = sqlite_rig(tmp_path)
    elif request.param == "redis":
        made = redis_rig(request.getfixturevalue("redis_server"))
    else:
        site: RedisSentinels = request.getfixturevalue("sentinels")
        made = redis_rig(site.primary, url=site.url)
    yield made
    made.store.close()


@pytest.fixture
def store(rig: StoreRig) -> Store:
    return rig.store
