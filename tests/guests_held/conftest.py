from collections.abc import Iterator
from pathlib import Path

import pytest
from held_rig import HeldRig, running_held


@pytest.fixture
def held(tmp_path: Path) -> Iterator[HeldRig]:
    with running_held(tmp_path) as rig:
        yield rig
