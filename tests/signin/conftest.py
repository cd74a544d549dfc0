from collections.abc import Iterator

import pytest
from signin_rig import SignInRig, signin_rig


@pytest.fixture
def parts() -> Iterator[SignInRig]:
    made = signin_rig()
    yield made
    made.provider.gate.set()
    made.news.close()
