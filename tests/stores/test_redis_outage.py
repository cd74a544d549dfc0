"""Redis is away: every call says so within a second, and works again once it is back."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from black_holes import never_accepts, never_answers, nobody_listens
from redis_server import RedisServer
from store_calls import EVERY_CALL

from bff.adapters.redis_store import RedisStore
from bff.errors import StoreDownError
from bff.ports import Store

MINUTE = timedelta(minutes=1)
SOON = timedelta(seconds=5)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as started:
        yield started


def seconds_until_down(store: Store, call: Callable[[Store], object]) -> float:
    started = time.monotonic()
    with pytest.raises(StoreDownError):
        call(store)
    return time.monotonic() - started


def seconds_of_each(store: Store) -> dict[str, float]:
    """Return how long each call took, all begun together."""
    with ThreadPoolExecutor(len(EVERY_CALL)) as pool:
        begun = {
            name: pool.submit(seconds_until_down, store, call) for name, call in EVERY_CALL.items()
        }
        return {name: future.result() for name, future in begun.items()}


def test_the_table_of_calls_misses_none() -> None:
    public = {name for name in vars(Store) if not name.startswith("_")}

    assert public - {"close"} == set(EVERY_CALL)


@pytest.mark.parametrize("hole", [nobody_listens, never_accepts, never_answers])
def test_a_redis_that_was_never_there_is_told_within_a_second(
    hole: Callable[[], AbstractContextManager[int]],
) -> None:
    with hole() as port:
        store = RedisStore(f"redis://:secret@127.0.0.1:{port}/0")

        took = seconds_of_each(store)

        store.close()
    assert max(took.values()) < 1.0, took


def test_a_redis_that_stands_still_is_told_within_a_second(server: RedisServer) -> None:
    store = RedisStore(server.url)
    for call in EVERY_CALL.values():
        call(store)
    server.pause()

    took = seconds_of_each(store)

    server.resume()
    store.close()
    assert max(took.values()) < 1.0, took


def test_a_redis_that_was_killed_is_told_within_a_second(server: RedisServer) -> None:
    store = RedisStore(server.url)
    for call in EVERY_CALL.values():
        call(store)
    server.kill()

    took = seconds_of_each(store)

    store.close()
    assert max(took.values()) < 1.0, took


def test_the_store_recovers_when_redis_moves_again(server: RedisServer) -> None:
    store = RedisStore(server.url)
    store.put("k", b"v", ttl=MINUTE)
    server.pause()
    seconds_until_down(store, EVERY_CALL["get"])

    server.resume()

    assert store.take("k") == b"v"
    store.close()


def test_the_store_recovers_when_redis_is_started_again(server: RedisServer) -> None:
    store = RedisStore(server.url)
    store.put("k", b"v", ttl=MINUTE)
    server.kill()
    seconds_until_down(store, EVERY_CALL["put"])

    server.start()

    # Data and scripts are gone; the first call already works.
    assert store.add("k", b"new", ttl=MINUTE)
    assert store.take("k") == b"new"
    store.close()


def test_a_restart_that_nobody_noticed_costs_no_call(server: RedisServer) -> None:
    store = RedisStore(server.url)
    store.put("k", b"v", ttl=MINUTE)
    server.kill()

    server.start()

    store.put("k", b"v", ttl=MINUTE)
    store.close()


def test_an_old_version_does_not_fit_after_redis_lost_everything(server: RedisServer) -> None:
    store = RedisStore(server.url)
    stale = store.put("k", b"v", ttl=MINUTE)
    fenced = store.acquire_lease("l", ttl=MINUTE)
    server.kill()
    server.start()

    assert store.put("k", b"new", ttl=MINUTE) > stale
    again = store.acquire_lease("l", ttl=MINUTE)

    assert store.replace("k", b"stale", version=stale, ttl=MINUTE) is None
    assert fenced is not None
    assert again is not None
    assert again.fence > fenced.fence
    store.close()


def test_a_late_answer_is_not_given_to_the_next_question(server: RedisServer) -> None:
    store = RedisStore(server.url)
    store.put("one", b"1", ttl=MINUTE)
    store.put("two", b"2", ttl=MINUTE)
    server.pause()
    seconds_until_down(store, lambda down: down.get("one"))
    server.resume()

    answers = [store.take("two"), store.take("one")]

    assert answers == [b"2", b"1"]
    store.close()


def test_a_killed_redis_ends_a_subscription(server: RedisServer) -> None:
    store = RedisStore(server.url)
    subscription = store.subscribe("news")
    server.kill()

    with pytest.raises(StoreDownError):
        subscription.receive(SOON)

    # And it stays ended, even when Redis is back: messages may have been missed.
    server.start()
    with pytest.raises(StoreDownError):
        subscription.receive(SOON)
    subscription.close()
    store.close()


def test_a_silent_redis_ends_a_subscription(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bff.adapters.redis_subscription.SILENCE_SECONDS", 0.05)
    store = RedisStore(server.url)
    subscription = store.subscribe("news")
    server.pause()

    with pytest.raises(StoreDownError):
        subscription.receive(SOON)

    server.resume()
    store.close()


def test_a_quiet_channel_is_no_outage(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bff.adapters.redis_subscription.SILENCE_SECONDS", 0.01)
    monkeypatch.setattr("bff.adapters.redis_subscription.PATIENCE_SECONDS", 0.3)
    store = RedisStore(server.url)
    with store.subscribe("news") as subscription:
        assert subscription.receive(timedelta(seconds=0.5)) is None

        store.publish("news", b"at last")

        assert subscription.receive(SOON) == ("news", b"at last")
    store.close()
