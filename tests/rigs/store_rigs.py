"""Both stores for tests, and a hand that moves their time forward."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from hand_clock import HandClock
from redis_server import RedisServer

from bff.adapters.redis_store import RedisStore
from bff.adapters.sqlite_store import SqliteStore
from bff.adapters.system import SystemEntropy
from bff.ports import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAddress:
    """Where a store is, so that another process can open the same one."""

    kind: str
    place: str

    def open(self) -> Store:
        if self.kind == "redis":
            return RedisStore(self.place)
        return SqliteStore(self.place, HandClock(), SystemEntropy())


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRig:
    """One empty store: `forward` lets it age, `another` opens it as another process would."""

    store: Store
    address: StoreAddress
    clock: HandClock
    forward: Callable[[timedelta], None]
    another: Callable[[], Store]


def sqlite_rig(folder: Path) -> StoreRig:
    clock = HandClock()
    path = folder / "store.db"

    def another() -> Store:
        return SqliteStore(path, clock, SystemEntropy())

    return StoreRig(
        store=another(),
        address=StoreAddress(kind="sqlite", place=str(path)),
        clock=clock,
        forward=clock.advance,
        another=another,
    )


def redis_rig(server: RedisServer, *, url: str = "") -> StoreRig:
    """Make a rig of a server that is reached at its own address, or at `url`."""
    clock = HandClock()
    with redis.Redis.from_url(server.url) as raw:
        raw.flushall()

    def another() -> Store:
        return RedisStore(url or server.url)

    def forward(duration: timedelta) -> None:
        clock.advance(duration)
        age_redis(server.url, duration)

    return StoreRig(
        store=another(),
        address=StoreAddress(kind="redis", place=url or server.url),
        clock=clock,
        forward=forward,
        another=another,
    )


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One server for all tests that leave it as they found it."""
    with RedisServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "redis"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreRig]:
    """Each store, empty. A `conftest.py` that wants it imports it."""
    if request.param == "sqlite":
        made = sqlite_rig(tmp_path)
    else:
        made = redis_rig(request.getfixturevalue("redis_server"))
    yield made
    made.store.close()


def age_redis(url: str, duration: timedelta) -> None:
    """Take `duration` from the life of every key, and of every member of a group."""
    step = duration // timedelta(milliseconds=1)
    with redis.Redis.from_url(url) as raw:
        for key in list(raw.scan_iter(count=1000)):
            left = raw.pttl(key)
            if left >= 0:
                _age_members(raw, key, step)
                raw.pexpire(key, max(left - step, -1))


def _age_members(raw: redis.Redis, key: bytes, step: int) -> None:
    if raw.type(key) == b"zset":
        members: Any = raw.zrange(key, 0, -1)
        for member in members:
            raw.zincrby(key, -step, member)
