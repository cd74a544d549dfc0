"""Many ask for one JWT at once; and Genesys calls the very worker that waits for it."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from held_jobs import THREADS, jwts_together
from held_rig import LONG_AGO, HeldRig, at_port, running_held, signed_in
from process_crowd import all_at_once

from bff.adapters.http_client import http_session
from bff.adapters.system import SystemClock, SystemEntropy
from bff.demo import wait_until_ready
from bff.settings import Settings
from bff.simulator.genesys_faults import Door, Fault
from bff.simulator.stage import Stage, StagePlan, raised
from bff.wiring import build

PROCESSES = 2
SLOW = Fault(delay=timedelta(milliseconds=400))
WORKER = Path(__file__).parent.parent / "rigs" / "held_worker.py"
SECONDS_FOR_ALL = 15


@pytest.fixture
def running(tmp_path: Path) -> Iterator[HeldRig]:
    with running_held(tmp_path, clock=SystemClock()) as rig:
        yield rig


def test_twenty_callers_in_two_processes_make_one_exchange(
    running: HeldRig,
) -> None:
    key = running.new_session()
    address = (running.environment, running.stage.genesys_url, key)
    running.stage.genesys.faults.order(Door.EXCHANGE, SLOW)
    jwts = [*chain(*all_at_once(PROCESSES, jwts_together, *address))]

    assert len(jwts) == PROCESSES * THREADS
    assert len(set(jwts)) == 1
    assert running.seen.exchanges == 1
    running.stage.genesys.desk.identity_of(jwts[0])


def test_twenty_threads_that_find_it_expired_make_one_refresh(running: HeldRig) -> None:
    key = running.new_session()
    first = running.tokens.jwt_for(key)
    running.clock.shift += LONG_AGO
    running.stage.genesys.faults.order(Door.REFRESH, SLOW)
    with ThreadPoolExecutor(20) as pool:
        jwts = set(pool.map(lambda _: running.tokens.jwt_for(key), range(20)))

    assert len(jwts) == 1
    assert first not in jwts
    assert (running.seen.exchanges, running.seen.refreshes) == (1, 1)


def test_twenty_threads_that_meet_an_outage_ask_once_and_are_all_told(running: HeldRig) -> None:
    key = running.new_session()
    running.stage.genesys.faults.order(
        Door.EXCHANGE, Fault(status=503, delay=timedelta(milliseconds=400), retry_after=LONG_AGO)
    )

    def code(_: int) -> str:
        with pytest.raises(Exception, match=r"exchange: 503|resting") as told:
            running.tokens.jwt_for(key)
        return str(getattr(told.value, "code", ""))

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(code, range(20))) == {"genesys_unavailable"}
    assert running.stage.genesys.faults.pending() == {}
    assert running.seen.exchanges == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWorker:
    """The production server with a single worker, and sessions that it knows."""

    stage: Stage
    url: str
    keys: list[str]

    def ask(self, key: str) -> dict[str, Any]:
        with http_session() as http:
            answer = http.get(f"{self.url}/held/{key}", timeout=SECONDS_FOR_ALL)
        assert answer.ok, answer.text
        body: dict[str, Any] = answer.json()
        return body


@contextmanager
def one_worker(folder: Path, *, sessions: int) -> Iterator[OneWorker]:
    with (
        raised(StagePlan(), clock=SystemClock(), entropy=SystemEntropy()) as stage,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        environment = at_port(stage, listener.getsockname()[1], folder)
        services = build(Settings.read(environment))
        keys = [signed_in(services) for _ in range(sessions)]
        services.close()
        told = {
            "environment": {**environment, "BFF_LOG_LEVEL": "WARNING"},
            "genesys_url": stage.genesys_url,
            "listener": listener.fileno(),
        }
        with subprocess.Popen(
            [sys.executable, str(WORKER)], stdin=subprocess.PIPE, pass_fds=[listener.fileno()]
        ) as process:
            try:
                assert process.stdin is not None
                process.stdin.write(json.dumps(told).encode())
                process.stdin.close()
                url = environment["BFF_PUBLIC_URL"]
                wait_until_ready(url, process)
                yield OneWorker(stage=stage, url=url, keys=keys)
            finally:
                process.terminate()
                try:
                    process.wait(SECONDS_FOR_ALL)
                except subprocess.TimeoutExpired:
                    process.kill()


def test_a_single_worker_serves_the_redemption_that_it_waits_for(tmp_path: Path) -> None:
    with one_worker(tmp_path, sessions=8) as server:
        alone = server.ask(server.keys[0])
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(server.ask, server.keys * 2))

        desk = server.stage.genesys.desk
        assert {answer["pid"] for answer in answers} == {alone["pid"]}
        assert len({answer["digest"] for answer in answers}) == len(server.keys)
        assert (desk.counters.exchanges, desk.counters.exchanges_refused) == (len(server.keys), 0)
