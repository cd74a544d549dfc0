"""The store is away: 503 with Retry-After within a second, cookies untouched, nobody signed out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bff_rig import BffRig, error_of, running_bff
from redis_server import RedisServer

from bff.adapters.system import SystemClock

DOORS = [
    ("GET", "/auth/session"),
    ("GET", "/auth/login"),
    ("GET", "/auth/events"),
    ("GET", "/readyz"),
    ("POST", "/messenger/code"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/logout"),
    ("POST", "/auth/transactions"),
]


@contextmanager
def on_redis(folder: Path, redis: RedisServer) -> Iterator[BffRig]:
    with running_bff(folder, provider={"clock": SystemClock()}, BFF_STORE_URL=redis.url) as bff:
        yield bff


@pytest.mark.parametrize("how", ["paused", "killed"])
def test_an_outage_of_redis_signs_nobody_out(tmp_path: Path, how: str) -> None:
    with RedisServer() as redis, on_redis(tmp_path, redis) as bff:
        browser = bff.browser()
        browser.sign_in()
        cookie = browser.cookie()
        redis.pause() if how == "paused" else redis.kill()

        for method, path in DOORS:
            began = time.monotonic()
            answer = browser.get(path) if method == "GET" else browser.post(path)
            took = time.monotonic() - began

            assert (answer.status_code, error_of(answer)) == (503, "store_unavailable"), path
            assert int(answer.headers["Retry-After"]) >= 1
            assert "Set-Cookie" not in answer.headers
            assert took < 1.5, path

        assert browser.get("/healthz").status_code == 200
        if how == "paused":
            redis.resume()
            assert browser.signed_in
        assert browser.cookie() == cookie
