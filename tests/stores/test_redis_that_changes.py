"""A Redis that answers and is not able: a replica, a full one, one that reads its data."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import redis
from hand_clock import HandClock
from moving_address import MovingAddress
from redis_server import LOOPBACK, RedisServer
from store_calls import EVERY_CALL

from bff.adapters.redis_store import RedisStore
from bff.errors import StoreDownError
from bff.store_probe import EVERY, KEY, StoreProbe

MINUTE = timedelta(minutes=1)
SOON = timedelta(seconds=5)
LIMIT_S = 20.0
WRITES = ("put", "add", "acquire_lease", "count", "join")


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as started:
        yield started


@pytest.fixture
def other() -> Iterator[RedisServer]:
    with RedisServer() as started:
        yield started


def tell(server: RedisServer, *command: str) -> Any:
    with redis.Redis.from_url(server.url) as raw:
        return raw.execute_command(*command)


def demote(server: RedisServer, *, behind: RedisServer) -> None:
    tell(server, "REPLICAOF", LOOPBACK, str(behind.port))
    until(lambda: tell(server, "INFO", "replication")["master_link_status"] == "up")


def until(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not happens():
        assert time.monotonic() < deadline, "it does not happen"


def fault_of(call: Callable[[], object]) -> StoreDownError:
    with pytest.raises(StoreDownError) as caught:
        call()
    assert caught.value.retry_after is not None
    return caught.value


@pytest.mark.parametrize("name", WRITES)
def test_a_server_that_was_demoted_is_left_at_the_first_write(
    server: RedisServer, other: RedisServer, name: str
) -> None:
    with MovingAddress(server.port) as address:
        store = RedisStore(address.url)
        for _ in range(3):
            store.put("k", b"v", ttl=MINUTE)
        demote(server, behind=other)
        address.target = other.port

        error = fault_of(lambda: EVERY_CALL[name](store))

        assert error.reason == "read_only"
        EVERY_CALL[name](store)
        assert tell(other, "INFO", "replication")["role"] == "master"
        store.close()


def test_all_idle_connections_leave_it_together(server: RedisServer, other: RedisServer) -> None:
    with MovingAddress(server.port) as address:
        store = RedisStore(address.url, places=8)
        together = threading.Barrier(8)

        def dial() -> None:
            together.wait(LIMIT_S)
            for _ in range(20):
                store.ping()

        threads = [threading.Thread(target=dial) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
        demote(server, behind=other)
        address.target = other.port

        fault_of(lambda: store.put("k", b"v", ttl=MINUTE))

        assert [store.put("k", b"v", ttl=MINUTE) > 0 for _ in range(20)] == [True] * 20
        store.close()


def test_a_dead_primary_behind_the_same_address_costs_one_call(
    server: RedisServer, other: RedisServer
) -> None:
    with MovingAddress(server.port) as address:
        store = RedisStore(address.url)
        store.put("k", b"v", ttl=MINUTE)
        server.pause()
        address.target = other.port

        fault_of(lambda: store.put("k", b"v", ttl=MINUTE))

        assert [store.put("k", b"v", ttl=MINUTE) > 0 for _ in range(20)] == [True] * 20
        server.resume()
        store.close()


def test_a_subscription_leaves_a_server_that_was_demoted(
    server: RedisServer, other: RedisServer
) -> None:
    with MovingAddress(server.port) as address:
        store = RedisStore(address.url)
        subscription = store.subscribe("news")
        store.put("k", b"v", ttl=MINUTE)
        tell(server, "REPLICAOF", LOOPBACK, str(other.port))
        address.target = other.port

        fault_of(lambda: store.put("k", b"v", ttl=MINUTE))

        fault_of(lambda: subscription.receive(SOON))
        with store.subscribe("news") as again:
            store.publish("news", b"v")
            assert again.receive(SOON) == ("news", b"v")
        subscription.close()
        store.close()


def test_a_replica_that_is_promoted_is_written_to(server: RedisServer, other: RedisServer) -> None:
    demote(server, behind=other)
    store = RedisStore(server.url)
    assert fault_of(lambda: store.put("k", b"v", ttl=MINUTE)).reason == "read_only"

    tell(server, "REPLICAOF", "NO", "ONE")

    assert store.put("k", b"v", ttl=MINUTE) > 0
    store.close()


def test_a_full_server_says_so_and_is_read(server: RedisServer) -> None:
    store = RedisStore(server.url)
    store.put("read", b"v", ttl=MINUTE)
    tell(server, "CONFIG", "SET", "maxmemory", "1")

    # Redis lets a script end that has begun to write, which `join` does by taking members out.
    names = [name for name in WRITES if name != "join"]
    errors = [fault_of(partial(EVERY_CALL[name], store)) for name in names]

    assert {error.reason for error in errors} == {"full"}
    assert all("maxmemory" in error.detail for error in errors)
    assert store.get("read") is not None
    tell(server, "CONFIG", "SET", "maxmemory", "0")
    store.put("k", b"new", ttl=MINUTE)
    store.close()


def test_a_server_that_reads_its_data_says_so_and_is_back_by_itself() -> None:
    slow = ("--enable-debug-command", "yes", "--loading-process-events-interval-bytes", "1024")
    with RedisServer(*slow) as server, redis.Redis.from_url(server.url) as raw:
        for number in range(20):
            raw.set(f"k{number}", f"{number}" * 2000)
        raw.config_set("rdbcompression", "no")
        raw.config_set("key-load-delay", 20_000)
        store = RedisStore(server.url)
        store.put("k", b"v", ttl=MINUTE)
        reload = threading.Thread(target=lambda: raw.execute_command("DEBUG", "RELOAD"))
        reload.start()
        reasons: list[str] = []

        def loading() -> bool:
            try:
                store.ping()
            except StoreDownError as error:
                reasons.append(error.reason)
            return bool(reasons)

        until(loading)

        assert set(reasons) == {"loading"}
        reload.join(LIMIT_S)
        assert store.take("k") == b"v"
        store.close()


# What readiness asks


def writes_of(server: RedisServer) -> int:
    found = tell(server, "INFO", "commandstats")
    return int(found.get("cmdstat_evalsha", {"calls": 0})["calls"])


def test_a_busy_prober_writes_once_a_second(server: RedisServer) -> None:
    store, clock = RedisStore(server.url), HandClock()
    probe = StoreProbe(store, clock=clock)
    probe.check()
    before = writes_of(server)

    for _ in range(50):
        probe.check()

    assert writes_of(server) == before
    clock.advance(EVERY)
    probe.check()
    probe.check()
    assert writes_of(server) == before + 1
    store.close()


def test_what_was_written_ends_by_itself(server: RedisServer) -> None:
    store = RedisStore(server.url)

    StoreProbe(store, clock=HandClock()).check()

    with redis.Redis.from_url(server.url) as raw:
        (key,) = [key for key in raw.scan_iter() if key.endswith(KEY.encode())]
        assert 0 < raw.pttl(key) <= 5000
    store.close()


def test_a_store_that_is_able_again_is_ready_at_once(
    server: RedisServer, other: RedisServer
) -> None:
    store = RedisStore(server.url)
    probe = StoreProbe(store, clock=HandClock())
    demote(server, behind=other)
    assert fault_of(probe.check).reason == "read_only"
    assert fault_of(probe.check).reason == "read_only"

    tell(server, "REPLICAOF", "NO", "ONE")

    probe.check()
    store.close()
