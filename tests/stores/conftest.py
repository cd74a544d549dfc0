"""The same promises, asked of each store; Redis is the real server."""

import pytest
from store_rigs import StoreRig, redis_server, rig

from bff.ports import Store

__all__ = ["redis_server", "rig", "store"]


@pytest.fixture
def store(rig: StoreRig) -> Store:
    return rig.store
