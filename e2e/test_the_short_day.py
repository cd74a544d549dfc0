"""A day with every trouble in it, short enough for each run: nobody is asked, nothing is lost."""

import pytest
from playwright.sync_api import Browser
from soak_day import Trouble, script_of
from soak_run import live_a_day
from soak_tally import Tally

HOURS = 1
SEED = 7


@pytest.fixture(scope="module")
def day(browser: Browser) -> Tally:
    return live_a_day(browser, hours=HOURS, seed=SEED, say=lambda _: None)


def test_nobody_is_asked_and_every_message_arrives_once(day: Tally) -> None:
    assert day.misses == []
    assert day.delivered == len(day.typed) > 10


def test_the_day_had_every_trouble_and_several_jwt_lives(day: Tally) -> None:
    assert set(day.troubles) == {trouble.value for trouble in Trouble}
    assert day.least.renewals >= 3
    assert day.refreshes >= day.least.renewals


def test_the_same_seed_is_the_same_day_and_another_is_another() -> None:
    assert script_of(8, SEED) == script_of(8, SEED)
    assert script_of(8, SEED) != script_of(8, SEED + 1)
    assert {one.trouble for one in script_of(8, SEED)} == set(Trouble)
