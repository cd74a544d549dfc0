from collections.abc import Iterator
from pathlib import Path

import pytest
from bff_rig import BffRig
from passthrough_rig import CodePage, running_passthrough


@pytest.fixture
def bff(tmp_path: Path) -> Iterator[BffRig]:
    with running_passthrough(tmp_path) as rig:
        yield rig


@pytest.fixture
def page(bff: BffRig) -> CodePage:
    return CodePage(bff.browser())
