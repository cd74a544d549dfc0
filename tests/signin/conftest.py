from collections.abc import Iterator

import pytest
from ending_rig import EndingRig, ending_rig
from signin_rig import SignInRig, signin_rig
from store_rigs import StoreRig, redis_server, rig

__all__ = ["ending", "parts", "redis_server", "rig"]


@pytest.fixture
def parts() -> Iterator[SignInRig]:
    made = signin_rig()
    yield made
    made.provider.gate.set()
    made.news.close()


@pytest.fixture
def ending(rig: StoreRig) -> EndingRig:
    return ending_rig(rig.store, rig.clock)
