from collections.abc import Iterator
from pathlib import Path

import pytest
from bff_rig import BffRig, running_bff


@pytest.fixture
def everybody(tmp_path: Path) -> Iterator[BffRig]:
    """A BFF where every browser may be recorded, and look at itself."""
    with running_bff(tmp_path, BFF_INSPECTOR="everybody") as rig:
        yield rig


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[BffRig]:
    """A BFF whose one operator is Zoë."""
    operators = {"BFF_INSPECTOR": "operators", "BFF_INSPECTOR_OPERATORS": "main/c-20533"}
    with running_bff(tmp_path, operators) as rig:
        yield rig
