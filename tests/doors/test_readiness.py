"""/readyz and /metrics tell when something in the background has died, and when it is back."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from background_rig import AT_ONCE, LIMIT_S, Mortal, becomes, eventually
from bff_rig import BffRig, error_of, running_bff
from redis_server import RedisServer

from bff.background.jobs import Job, JobState
from bff.errors import StoreDownError
from bff.service_jobs import start_jobs
from bff.signin.session_news import JOB

TOKEN: Final = "token-of-the-watcher-0123456789"


def test_every_job_is_named_with_its_state(bff: BffRig) -> None:
    _serve(bff)

    answer = bff.browser().get("/readyz")

    assert (answer.status_code, answer.get_json()["status"]) == (200, "ok")
    jobs = answer.get_json()["jobs"]
    assert set(jobs) == {"session-news", "outbox", "revocations", "session-ends"}
    assert {job["state"] for job in jobs.values()} == {"running"}


@pytest.mark.parametrize(
    ("change", "back", "reason"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0"), "full"),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "read_only"),
    ],
)
def test_a_store_that_takes_nothing_is_not_ready_and_says_why(
    tmp_path: Path, change: tuple[str, ...], back: tuple[str, ...], reason: str
) -> None:
    with (
        RedisServer() as server,
        running_bff(tmp_path, BFF_STORE_URL=server.url) as bff,
        redis.Redis.from_url(server.url) as raw,
    ):
        assert bff.browser().get("/readyz").status_code == 200
        raw.execute_command(*change)
        # The hand's clock: a second later the store is written to again.
        bff.clock.advance(timedelta(seconds=1))

        answer = bff.browser().get("/readyz")

        assert (answer.status_code, error_of(answer)) == (503, "store_unavailable")
        assert answer.get_json()["store"] == reason
        assert str(server.port) not in answer.text
        raw.execute_command(*back)
        assert bff.browser().get("/readyz").status_code == 200


def test_a_dead_job_is_not_ready_until_it_is_back(bff: BffRig) -> None:
    background, work = bff.services.background, Mortal()
    alive = threading.Event()

    def once() -> None:
        if not alive.is_set():
            raise RuntimeError("unforeseen, with a secret")
        work.once()

    background.start(Job(name="work", once=once, every=AT_ONCE))
    assert becomes(background, "work", JobState.RESTARTING)
    answer = bff.browser().get("/readyz")

    assert (answer.status_code, error_of(answer)) == (503, "not_ready")
    assert answer.get_json()["jobs"]["work"]["state"] == "restarting"
    assert answer.get_json()["jobs"]["work"]["restarts"] > 0
    assert int(answer.headers["Retry-After"]) > 0
    assert "secret" not in answer.text
    page = bff.browser().get("/readyz", Accept="text/html")
    assert (page.status_code, error_of(page)) == (503, "not_ready")
    alive.set()
    assert work.was_done()
    assert eventually(lambda: bff.browser().get("/readyz").status_code == 200)


def test_a_job_that_hangs_is_not_ready_until_it_goes_on(bff: BffRig) -> None:
    background, inside, go_on = bff.services.background, threading.Event(), threading.Event()

    def hangs() -> None:
        inside.set()
        assert go_on.wait(LIMIT_S)

    background.start(Job(name="hangs", once=hangs, every=AT_ONCE, patience=timedelta(0)))
    assert inside.wait(LIMIT_S)
    answer = bff.browser().get("/readyz")

    assert (answer.status_code, answer.get_json()["jobs"]["hangs"]["state"]) == (503, "stalled")
    go_on.set()


def test_a_store_that_is_away_is_still_told_as_such(bff: BffRig, monkeypatch: Any) -> None:

    def away(*_: object, **__: object) -> None:
        raise StoreDownError("away")

    monkeypatch.setattr(bff.services.store, "put", away)
    answer = bff.browser().get("/readyz")
    assert (answer.status_code, error_of(answer)) == (503, "store_unavailable")


def test_the_figures_tell_of_each_job(tmp_path: Path) -> None:
    with running_bff(tmp_path, BFF_METRICS_TOKEN=TOKEN) as bff:
        _serve(bff)
        background, work = bff.services.background, Mortal(dies_of=[RuntimeError("once")])
        background.start(Job(name="work", once=work.once, every=AT_ONCE))
        assert work.was_done()
        assert becomes(background, "work", JobState.RUNNING)
        died = Mortal(dies_of=[RuntimeError("again") for _ in range(100)])
        background.start(Job(name="died", once=died.once, every=AT_ONCE))
        assert becomes(background, "died", JobState.RESTARTING)
        text = bff.browser().get("/metrics", Authorization=f"Bearer {TOKEN}").text

    assert 'messenger_bff_background_job_up{job="work"} 1.0' in text
    assert 'messenger_bff_background_job_restarts_total{job="work"} 1.0' in text
    seconds = bff.clock.now().timestamp()
    success = 'messenger_bff_background_job_last_success_timestamp_seconds{job="work"} '
    assert float(text.partition(success)[2].splitlines()[0]) == seconds
    assert 'messenger_bff_background_job_up{job="died"} 0.0' in text
    assert f'messenger_bff_background_job_up{{job="{JOB}"}} 1.0' in text


def _serve(bff: BffRig) -> None:
    """Start what the command `serve` starts."""
    here = bff.services
    here.news.start()
    start_jobs(here)
