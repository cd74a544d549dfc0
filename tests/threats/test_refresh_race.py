"""One refresh token, three processes, fifty requests, a provider that takes ten seconds."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from bff_process import bff_process
from bff_rig import BffRig, environment, running_bff
from redis_server import RedisServer
from security_model import Asset, Attacker, threat

from bff.adapters.system import SystemClock
from bff.simulator.provider_faults import Fault

PROVIDER_TAKES_S = 10
ALMOST_A_TOKENS_LIFE = timedelta(minutes=14, seconds=30)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[BffRig, dict[str, str]]]:
    """A BFF on a real Redis, and the environment of others like it."""
    with (
        RedisServer() as redis,
        running_bff(tmp_path, provider={"clock": SystemClock()}, BFF_STORE_URL=redis.url) as bff,
    ):
        yield bff, environment(bff.provider.url, BFF_STORE_URL=redis.url)


@threat(
    Attacker.STRANGER,
    Asset.SESSION,
    can="Make fifty requests at once: one refresh token is spent once, nobody is signed out",
)
def test_fifty_requests_in_three_processes_spend_one_refresh_token(
    shared: tuple[BffRig, dict[str, str]],
) -> None:
    bff, variables = shared
    browser = bff.browser()
    browser.sign_in()
    cookie = browser.cookie() or ""
    provider = bff.provider.provider
    with ExitStack() as running:
        others = [
            running.enter_context(bff_process(variables, ahead=ALMOST_A_TOKENS_LIFE))
            for _ in range(3)
        ]
        provider.faults.plant(Fault.SLOW, value=PROVIDER_TAKES_S)
        before = provider.tally["token"]

        with ThreadPoolExecutor(max_workers=50) as crowd:
            asked = [
                crowd.submit(others[number % 3].post, "/messenger/code", cookie)
                for number in range(50)
            ]
            answers = [one.result() for one in asked]

    assert [answer.status_code for answer in answers] == [200] * 50
    assert len({answer.json()["authCode"] for answer in answers}) == 50
    assert provider.tally["token"] - before == 1
    assert provider.tally["refreshes_redeemed"] == 1
    assert browser.signed_in
