from collections.abc import Iterator
from pathlib import Path

import pytest
from bff_rig import BffRig, running_bff


@pytest.fixture
def bff(tmp_path: Path) -> Iterator[BffRig]:
    with running_bff(tmp_path) as rig:
        yield rig
