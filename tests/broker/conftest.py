from collections.abc import Iterator
from pathlib import Path

import pytest
from bff_rig import BffRig, running_bff
from broker_rig import BrokerRig, broker_rig


@pytest.fixture
def rig() -> BrokerRig:
    return broker_rig()


@pytest.fixture
def bff(tmp_path: Path) -> Iterator[BffRig]:
    with running_bff(tmp_path) as running:
        yield running
