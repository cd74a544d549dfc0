"""Every test here is asked of both shells, over real connections."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from guest_shell import Shell, ShellRig, running_shell


@pytest.fixture(params=list(Shell), ids=lambda shell: shell.value)
def shell(request: pytest.FixtureRequest) -> Shell:
    chosen: Shell = request.param
    return chosen


@pytest.fixture
def rig(shell: Shell, tmp_path: Path) -> Iterator[ShellRig]:
    with running_shell(shell, tmp_path) as running:
        yield running
