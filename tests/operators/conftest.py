from collections.abc import Iterator
from pathlib import Path

import pytest
from command_rig import Serving, Site, brand_site, serving
from redis_server import RedisServer

from bff.settings import Settings
from bff.wiring import build

Served = tuple[Site, Serving]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A provider and settings on an empty SQLite file; nothing is served."""
    with brand_site(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def running_on_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service as it runs on one machine: one process."""
    folder = tmp_path_factory.mktemp("served")
    with brand_site(folder, BFF_SIGN_INS_PER_MINUTE="1000") as site, serving(site) as served:
        yield site, served


@pytest.fixture(scope="module")
def running_on_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service as it runs on several: here three processes."""
    folder = tmp_path_factory.mktemp("served")
    with (
        RedisServer() as redis,
        brand_site(folder, store_url=redis.url, BFF_SIGN_INS_PER_MINUTE="1000") as site,
        serving(site, "--workers", "3") as served,
    ):
        yield site, served


@pytest.fixture
def on_file(running_on_file: Served) -> Iterator[Served]:
    """The service on a file, with nobody signed in."""
    yield running_on_file
    sign_everybody_out(running_on_file[0])


@pytest.fixture(params=["file", "redis"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """The service on each store, with nobody signed in."""
    running: Served = request.getfixturevalue(f"running_on_{request.param}")
    yield running
    sign_everybody_out(running[0])


def sign_everybody_out(site: Site) -> None:
    here = build(Settings.read(site.env))
    for session in here.book.everyone():
        here.sign_out.revoke(session.key)
    here.close()
