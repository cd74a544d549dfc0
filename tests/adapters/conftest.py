"""A server that sends what a test wants."""

from collections.abc import Iterator

import pytest
from scripted_server import ScriptedServer, scripted_server


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running
