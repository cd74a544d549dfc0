"""Several real processes at one outbox, on a real Redis and on a file; and many threads of one."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from outbox_jobs import put_and_deliver, writer_at
from outbox_rig import memory_world
from process_crowd import Crowd
from redis_server import RedisServer

PROCESSES = 4
EVENTS = 60


@pytest.fixture(params=["redis", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "file":
        yield str(tmp_path / "store.sqlite3")
        return
    with RedisServer() as server:
        yield server.url


def test_processes_that_put_and_deliver_together_lose_and_disorder_nothing(
    place: str, tmp_path: Path
) -> None:
    written = tmp_path / "written.txt"
    with Crowd(PROCESSES) as crowd:
        jobs = [
            crowd.start(put_and_deliver, place, written, f"process-{index}", EVENTS)
            for index in range(PROCESSES)
        ]
        crowd.go()
        missing = [job.result(60) for job in jobs]
    outbox, writer = writer_at(place, written)
    writer.once()
    assert outbox.waiting() == []
    assert missing == [0] * PROCESSES
    assert sum(outbox.tally.missing.values()) == 0
    lines = written.read_text("utf-8").splitlines()
    assert len(lines) == len(set(lines)) == PROCESSES * EVENTS, "each once"
    order: dict[str, list[int]] = defaultdict(list)
    for line in lines:
        name, number = line.split()
        order[name].append(int(number))
    assert all(numbers == list(range(EVENTS)) for numbers in order.values())


def test_threads_of_one_process_have_numbers_of_their_own() -> None:
    world = memory_world()
    process = world.process()
    together = threading.Barrier(8)

    def work(name: int) -> None:
        together.wait(10)
        for number in range(25):
            process.put(f"{name}-{number}")
            if number % 10 == name:
                process.writer.once()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    process.writer.once()
    assert len(world.database.bodies) == 200
    assert world.database.gaps == []
    assert process.outbox.waiting() == []
