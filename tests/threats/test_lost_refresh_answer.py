"""A process dies after the provider rotated and before anybody saved: no loop, no limbo."""

from datetime import timedelta
from pathlib import Path

import pytest
from bff_process import bff_process
from bff_rig import BffRig, environment, error_of, running_bff
from redis_server import RedisServer
from requests import ConnectionError as RefusedConnection

from bff.adapters.system import SystemClock

ALMOST_A_TOKENS_LIFE = timedelta(minutes=14, seconds=30)


def killed_between_answer_and_save(bff: BffRig, variables: dict[str, str], cookie: str) -> None:
    with bff_process(variables, ahead=ALMOST_A_TOKENS_LIFE, dies_before_save=True) as doomed:
        with pytest.raises(RefusedConnection):
            doomed.post("/messenger/code", cookie)
        assert doomed.join() == -9
    assert bff.provider.provider.tally["refreshes_redeemed"] == 1


def test_a_strict_provider_ends_the_session_once_and_the_next_sign_in_works(
    tmp_path: Path,
) -> None:
    clock = SystemClock()
    with (
        RedisServer() as redis,
        running_bff(tmp_path, provider={"clock": clock}, BFF_STORE_URL=redis.url) as bff,
    ):
        browser = bff.browser()
        browser.sign_in()
        variables = environment(bff.provider.url, BFF_STORE_URL=redis.url)
        killed_between_answer_and_save(bff, variables, browser.cookie() or "")
        clock.shift = ALMOST_A_TOKENS_LIFE

        answers = [browser.post("/messenger/code") for _ in range(5)]
        asked = bff.provider.provider.tally["token"]
        browser.get(browser.at_provider(browser.start()))
        again = browser.post("/messenger/code")

    assert {error_of(answer) for answer in answers} == {"login_required"}
    # The sign-in, the lost renewal, and one attempt with the token that may have been spent.
    assert asked == 3
    assert again.status_code == 200


def test_a_lenient_provider_lets_the_next_request_recover(tmp_path: Path) -> None:
    clock = SystemClock()
    lenient = {"clock": clock, "refresh_grace": timedelta(minutes=30)}
    with (
        RedisServer() as redis,
        running_bff(tmp_path, provider=lenient, BFF_STORE_URL=redis.url) as bff,
    ):
        browser = bff.browser()
        browser.sign_in()
        variables = environment(bff.provider.url, BFF_STORE_URL=redis.url)
        killed_between_answer_and_save(bff, variables, browser.cookie() or "")
        clock.shift = ALMOST_A_TOKENS_LIFE

        answer = browser.post("/messenger/code")

        assert answer.status_code == 200
        assert browser.signed_in
