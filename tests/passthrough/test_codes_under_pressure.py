"""Many hands reach for one code of the provider; one gets it, on either store."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from bff_rig import BffRig
from passthrough_rig import CodePage, running_passthrough
from redis_server import RedisServer

Look = Callable[[BffRig], None]
HANDS = 32


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def taken_by_all(page: CodePage, bff: BffRig, transaction: str | None) -> list[int]:
    """Have 32 threads ask at the same moment; return the status of each answer."""
    together = Barrier(HANDS)
    cookie = str(page.browser.cookie())
    secret = str(page.browser.cookie("__Host-bff-browser"))

    def ask(_: int) -> int:
        browser = bff.browser()
        browser.set_cookie("__Host-bff", cookie)
        browser.set_cookie("__Host-bff-browser", secret)
        together.wait(timeout=30)
        body = {} if transaction is None else {"transaction": transaction}
        return browser.post("/messenger/code", body).status_code

    with ThreadPoolExecutor(HANDS) as pool:
        return list(pool.map(ask, range(HANDS)))


def the_first_code(bff: BffRig) -> None:
    page = CodePage(bff.browser())
    page.sign_in()

    taken = taken_by_all(page, bff, None)

    # The others are sent to a frame of their own, as many as one session may have in a minute.
    assert (taken.count(200), taken.count(202), taken.count(429)) == (1, 20, HANDS - 21)


def a_frames_code(bff: BffRig) -> None:
    page = CodePage(bff.browser())
    page.sign_in()
    page.ask()
    key, path = page.channel()
    page.frame(path)

    taken = taken_by_all(page, bff, key)

    assert taken.count(200) == 1
    assert taken.count(401) == HANDS - 1


@pytest.mark.parametrize("look", [the_first_code, a_frames_code])
def test_one_of_32_gets_it_from_the_file(tmp_path: Path, look: Look) -> None:
    with running_passthrough(tmp_path) as bff:
        look(bff)


@pytest.mark.parametrize("look", [the_first_code, a_frames_code])
def test_one_of_32_gets_it_from_redis(tmp_path: Path, redis: RedisServer, look: Look) -> None:
    with running_passthrough(tmp_path, BFF_STORE_URL=redis.url) as bff:
        look(bff)
