"""Redis behind sentinels: a primary that dies, one that is swapped, and sentinels that are away."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from redis_sentinels import RedisSentinels
from redis_server import LOOPBACK, free_port
from store_calls import EVERY_CALL

from bff.adapters.redis_store import RedisStore
from bff.errors import SettingsError, StoreDownError

MINUTE = timedelta(minutes=1)
SOON = timedelta(seconds=5)
FAILED_OVER_S = 15.0
CANARY = "c4n4ry-p4ssw0rd"


@pytest.fixture
def site() -> Iterator[RedisSentinels]:
    with RedisSentinels(password=CANARY) as started:
        yield started


def until_up(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return the first answer, and after how many seconds it came."""
    began, said = time.monotonic(), ""
    while time.monotonic() - began < FAILED_OVER_S:
        try:
            return call(), time.monotonic() - began
        except StoreDownError as error:
            said += error.detail
    pytest.fail(said.replace(CANARY, "a password!"))


def kept_twice(site: RedisSentinels) -> None:
    """Wait until the replica has all that was written."""
    with redis.Redis.from_url(site.primary.url) as raw:
        assert raw.execute_command("WAIT", 1, 5000) == 1


@pytest.mark.parametrize("how", ["fail", "swap"])
def test_another_primary_is_found_and_goes_on_with_what_was_stored(
    site: RedisSentinels, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It may be for a second that we are still where we were: not here.
    monkeypatch.setattr("bff.adapters.redis_links.LOOK_SECONDS", 0.0)
    store = RedisStore(site.url)
    version = store.put("k", b"of the first", ttl=MINUTE)
    subscription = store.subscribe("news")
    kept_twice(site)
    getattr(site, how)()

    entry, _ = until_up(lambda: store.get("k"))
    again, _ = until_up(lambda: store.put("k", b"of the second", ttl=MINUTE))

    assert entry is not None
    assert entry.version == version
    assert again > version
    fresh = RedisStore(site.primary.url)
    assert fresh.take("k") == b"of the second"
    fresh.close()
    with pytest.raises(StoreDownError):
        subscription.receive(2 * SOON)
    with until_up(lambda: store.subscribe("news"))[0] as heard:
        store.publish("news", b"v")
        assert heard.receive(SOON) == ("news", b"v")
    for call in EVERY_CALL.values():
        call(store)
    store.close()


def test_sentinels_that_are_away_are_passed_over(sentinels: RedisSentinels) -> None:
    store = RedisStore(sentinels.url.replace("//", f"//{LOOPBACK}:{free_port()},"))
    store.put("k", b"v", ttl=MINUTE)

    assert store.take("k") == b"v"
    store.close()


@pytest.mark.parametrize("place", [f"{LOOPBACK}:1,{LOOPBACK}:2", f"{LOOPBACK}:1"])
def test_without_any_sentinel_the_store_is_down_and_no_password_told(place: str) -> None:
    store = RedisStore(f"redis+sentinel://user:{CANARY}@{place}/sessions")
    began = time.monotonic()

    with pytest.raises(StoreDownError) as caught:
        store.get("k")

    assert time.monotonic() - began < 1.0
    assert CANARY not in caught.value.detail + repr(store)
    assert "'sessions'" in caught.value.detail


def test_a_primary_of_another_name_is_not_there(sentinels: RedisSentinels) -> None:
    store = RedisStore(sentinels.url + "-of-another")

    with pytest.raises(StoreDownError) as caught:
        store.ping()

    assert "MasterNotFoundError" in caught.value.detail
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        f"redis+sentinel://:{CANARY}@h:26379",
        f"redis+sentinel://:{CANARY}@h:26379/",
        f"redis+sentinel://:{CANARY}@h:port,h/sessions",
        f"redis+sentinel://:{CANARY}@h,,h/sessions",
        f"redis+sentinel://:{CANARY}@/sessions",
        f"redis+sentinel://:{CANARY}@h/sessions/x",
        f"redis+sentinel://:{CANARY}@h/sessions?nonsense=1",
        f"redis+sentinel://:{CANARY}@h/sessions?socket_timeout=60",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        RedisStore(url)

    assert CANARY not in caught.value.detail
