"""More callers than connections: they wait in line, and are told at once if nobody answers."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from redis_server import RedisServer

from bff.adapters.redis_store import RedisStore
from bff.adapters.turnstile import Turnstile
from bff.errors import SettingsError, StoreDownError

MINUTE = timedelta(minutes=1)
CALLERS = 500
RIGS = Path(__file__).parents[1] / "rigs"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as started:
        yield started


def together(number: int, call: Callable[[], object]) -> list[object]:
    """Have `number` threads call at the same moment; return what each was told, or its error."""
    ready = threading.Barrier(number)

    def told() -> object:
        ready.wait(30)
        try:
            return call()
        except StoreDownError as error:
            return error

    with ThreadPoolExecutor(number) as pool:
        return [future.result() for future in [pool.submit(told) for _ in range(number)]]


def connections_of(server: RedisServer) -> int:
    with redis.Redis.from_url(server.url) as raw:
        return len(raw.client_list()) - 1


def test_five_hundred_threads_are_all_answered(server: RedisServer) -> None:
    store = RedisStore(server.url, places=8)

    told = together(CALLERS, lambda: store.count("all", window=MINUTE).value)

    assert sorted(told) == list(range(1, CALLERS + 1))  # type: ignore[type-var]  # numbers
    assert connections_of(server) <= 8
    store.close()


def test_five_hundred_greenlets_are_all_answered(server: RedisServer) -> None:
    program = RIGS / "greenlets_at_redis.py"

    ended = subprocess.run(
        [sys.executable, program, server.url], capture_output=True, check=False, timeout=60
    )

    assert (ended.returncode, ended.stderr) == (0, b"")


def test_the_url_may_say_how_many_ask_at_a_time(server: RedisServer) -> None:
    store = RedisStore(f"{server.url}?max_connections=3", places=50)

    told = together(60, lambda: store.count("all", window=MINUTE).value)

    assert sorted(told) == list(range(1, 61))  # type: ignore[type-var]  # numbers
    assert connections_of(server) <= 3
    for one in [store.subscribe("news") for _ in range(5)]:
        one.close()
    store.close()


@pytest.mark.parametrize("said", ["0", "-1", "x", "1.5"])
def test_a_number_that_is_none_is_refused(said: str) -> None:
    with pytest.raises(SettingsError):
        RedisStore(f"redis://:pass-word@127.0.0.1/0?max_connections={said}")


def test_subscriptions_take_nobodys_place(server: RedisServer) -> None:
    store = RedisStore(server.url, places=1)
    subscriptions = [store.subscribe("news") for _ in range(5)]

    store.publish("news", b"v")

    assert [one.receive(timedelta(seconds=5)) for one in subscriptions] == [("news", b"v")] * 5
    for one in subscriptions:
        one.close()
    store.close()


def test_a_line_before_a_redis_that_stands_still_is_told_within_a_second(
    server: RedisServer,
) -> None:
    store = RedisStore(server.url, places=4)
    together(4, store.ping)
    server.pause()
    began = time.monotonic()

    told = together(60, store.ping)

    took = time.monotonic() - began
    server.resume()
    assert {type(one) for one in told} == {StoreDownError}
    assert took < 1.0
    store.ping()
    store.close()


# The line itself


def line_of(places: int, *, patience_s: float = 20) -> Turnstile:
    return Turnstile(
        places, line="the line", patience_s=patience_s, unreachable=(redis.ConnectionError,)
    )


def test_a_place_is_given_back_whatever_happens_inside() -> None:
    turnstile = line_of(1)
    for error in (ValueError, redis.ConnectionError, KeyboardInterrupt):
        with pytest.raises(error), turnstile.passage():
            raise error

    with turnstile.passage():
        pass


def test_who_waits_too_long_is_told_and_leaves_the_line() -> None:
    turnstile = line_of(1, patience_s=0.01)
    with turnstile.passage(), pytest.raises(StoreDownError) as caught, turnstile.passage():
        pytest.fail("there was one place")

    assert "too many ask at once" in caught.value.detail
    assert caught.value.retry_after is not None
    with turnstile.passage():
        pass


def test_one_lost_connection_sends_nobody_away_while_others_are_answered() -> None:
    turnstile = line_of(2)
    inside, answered = threading.Event(), threading.Event()
    told: list[str] = []

    def unlucky() -> None:
        with suppress(redis.ConnectionError), turnstile.passage():
            inside.set()
            answered.wait(10)
            raise redis.ConnectionError("reset")

    def waits() -> None:
        with turnstile.passage():
            told.append("answered")

    first = threading.Thread(target=unlucky)
    first.start()
    inside.wait(10)
    with turnstile.passage():
        line = [threading.Thread(target=waits) for _ in range(10)]
        for one in line:
            one.start()
    answered.set()
    for one in [first, *line]:
        one.join(10)

    assert told == ["answered"] * 10
