from collections.abc import Iterator

import pytest
from background_rig import Hurry

from bff.background.runner import BackgroundRunner


@pytest.fixture
def hurry() -> Hurry:
    """Return a runner's surroundings in which nobody waits: pauses of a millisecond."""
    return Hurry()


@pytest.fixture
def runner(hurry: Hurry) -> Iterator[BackgroundRunner]:
    made = hurry.runner()
    yield made
    made.stop()
