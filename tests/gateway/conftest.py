from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from gateway_rig import GatewayRig, Raise, running_gateway
from scripted_house import PAGE, Script, scripted_house

from bff.guests.guest_house import SocketRules
from bff.guests.guest_upgrade import UpgradeRules


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def raise_gateway(script: Script) -> Raise:
    """Run a gateway whose relays follow the script."""

    @contextmanager
    def raised(
        *,
        rules: SocketRules | None = None,
        messaging_url: str = "ws://127.0.0.1:9",
        proxies: int = 0,
        grace: timedelta = timedelta(seconds=2),
        **more: Any,
    ) -> Iterator[GatewayRig]:
        house = scripted_house(script, rules=rules, messaging_url=messaging_url)
        news = script.news()
        origins = UpgradeRules(origins=frozenset({PAGE}), trusted_proxies=proxies)
        try:
            with running_gateway(house, news, origins, grace=grace, **more) as rig:
                yield rig
        finally:
            news.close()

    return raised


@pytest.fixture
def gateway(raise_gateway: Raise) -> Iterator[GatewayRig]:
    with raise_gateway() as rig:
        yield rig
