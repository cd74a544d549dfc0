from collections.abc import Iterator

import pytest
from platform_rig import PlatformRig, running_platform
from store_rigs import redis_server, rig

__all__ = ["platform", "redis_server", "rig"]


@pytest.fixture
def platform() -> Iterator[PlatformRig]:
    with running_platform() as made:
        yield made
