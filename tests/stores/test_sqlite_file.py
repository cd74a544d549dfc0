"""The SQLite store's file: rights, restarts, sweeping, other users of it, faults."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import hand_clock
import pytest
from hand_clock import HandClock

from bff.adapters import sqlite_messages
from bff.adapters.sqlite_store import SqliteStore
from bff.adapters.system import SystemEntropy
from bff.errors import StoreDownError

RIGS = Path(hand_clock.__file__).parent
MINUTE = timedelta(minutes=1)
SOON = timedelta(seconds=5)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path, clock: HandClock) -> Iterator[SqliteStore]:
    opened = SqliteStore(path, clock, SystemEntropy())
    yield opened
    opened.close()


def rows_of(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as raw:
        return int(raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_nobody_else_may_read_the_file(store: SqliteStore, path: Path) -> None:
    store.put("k", b"v", ttl=MINUTE)

    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()}

    assert modes == dict.fromkeys(("store.db", "store.db-wal", "store.db-shm"), "0o600")


def test_everything_survives_a_restart(store: SqliteStore, path: Path, clock: HandClock) -> None:
    version = store.put("k", b"v", ttl=MINUTE)
    lease = store.acquire_lease("l", ttl=MINUTE)
    store.count("c", window=MINUTE)
    store.join("g", "m", ttl=MINUTE)
    store.close()

    again = SqliteStore(path, clock, SystemEntropy())

    assert lease is not None
    assert again.renew_lease(lease, ttl=MINUTE)
    assert again.count("c", window=MINUTE).value == 2
    assert again.members("g") == ["m"]
    assert (again.replace("k", b"new", version=version, ttl=MINUTE) or 0) > version
    again.close()


def test_versions_and_fences_go_on_after_a_restart(
    store: SqliteStore, path: Path, clock: HandClock
) -> None:
    version = store.put("k", b"v", ttl=MINUTE)
    lease = store.acquire_lease("l", ttl=MINUTE)
    store.delete("k")
    clock.advance(timedelta(days=1))
    store.close()

    again = SqliteStore(path, clock, SystemEntropy())
    later = again.acquire_lease("l", ttl=MINUTE)

    assert again.put("k", b"v", ttl=MINUTE) > version
    assert lease is not None
    assert later is not None
    assert later.fence > lease.fence
    again.close()


def test_what_a_killed_process_wrote_is_there(path: Path, clock: HandClock) -> None:
    program = (
        "import os, signal, sys\n"
        "from datetime import timedelta\n"
        "from bff.adapters.sqlite_store import SqliteStore\n"
        "from bff.adapters.system import SystemEntropy\n"
        "from hand_clock import HandClock\n"
        "store = SqliteStore(sys.argv[1], HandClock(), SystemEntropy())\n"
        "store.put('k', b'v', ttl=timedelta(minutes=1))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, path],
        check=False,
        env={"PYTHONPATH": str(RIGS)},
        timeout=60,
    )

    store = SqliteStore(path, clock, SystemEntropy())

    assert killed.returncode == -9
    assert store.take("k") == b"v"
    store.close()


def test_writing_sweeps_out_what_has_expired(
    store: SqliteStore, path: Path, clock: HandClock
) -> None:
    for number in range(100):
        store.put(f"k{number}", b"v", ttl=MINUTE)
        store.acquire_lease(f"l{number}", ttl=MINUTE)
        store.count(f"c{number}", window=MINUTE)
        store.join(f"g{number}", "m", ttl=MINUTE)
        store.publish("news", b"v")
    clock.advance(timedelta(hours=1))

    for _ in range(20):
        store.put("k", b"v", ttl=MINUTE)
        store.acquire_lease("l", ttl=MINUTE)
        store.count("c", window=MINUTE)
        store.join("g", "m", ttl=MINUTE)
    store.publish("news", b"v")

    left = {table: rows_of(path, table) for table in ("entries", "leases", "counts", "members")}
    assert left == {"entries": 1, "leases": 1, "counts": 1, "members": 1}
    assert rows_of(path, "messages") < 100


def test_a_listener_that_was_left_behind_is_told(
    store: SqliteStore, path: Path, clock: HandClock
) -> None:
    for _ in range(3):
        store.publish("news", b"v")
    clock.advance(timedelta(hours=1))
    store.publish("news", b"the others are swept out")

    with closing(sqlite3.connect(path)) as raw, pytest.raises(StoreDownError):
        sqlite_messages._news(raw, 1)


def test_a_listener_whose_file_breaks_is_told(store: SqliteStore, path: Path) -> None:
    with store.subscribe("news") as subscription:
        with closing(sqlite3.connect(path)) as raw:
            raw.execute("DROP TABLE messages")

        with pytest.raises(StoreDownError):
            subscription.receive(SOON)


def test_the_reader_leaves_with_the_last_listener(store: SqliteStore) -> None:
    one, two = store.subscribe("news"), store.subscribe("news")
    reader = next(thread for thread in threading.enumerate() if thread.name == "sqlite-feed")
    one.close()
    store.publish("news", b"v")
    assert two.receive(SOON) == ("news", b"v")

    two.close()

    reader.join(timeout=5)
    assert not reader.is_alive()


def test_a_file_that_somebody_keeps_locked_is_told_within_a_second(
    store: SqliteStore, path: Path
) -> None:
    store.put("k", b"v", ttl=MINUTE)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()

        with pytest.raises(StoreDownError) as caught:
            store.put("k", b"new", ttl=MINUTE)

        took = time.monotonic() - started
        entry = store.get("k")
        other.execute("ROLLBACK")

    assert took < 1.0
    assert caught.value.retry_after is not None
    # Reading goes on meanwhile, and writing once the lock is gone.
    assert entry is not None
    assert store.put("k", b"new", ttl=MINUTE) > entry.version


def test_a_writer_waits_for_a_short_lock(store: SqliteStore, path: Path) -> None:
    store.put("k", b"v", ttl=MINUTE)
    locked, writing = threading.Event(), threading.Event()

    def lock_for_a_moment() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            locked.set()
            writing.wait(5)
            other.execute("ROLLBACK")

    thread = threading.Thread(target=lock_for_a_moment)
    thread.start()
    locked.wait(5)
    threading.Timer(0.1, writing.set).start()

    store.put("k", b"new", ttl=MINUTE)

    assert store.take("k") == b"new"
    thread.join(5)


def test_a_folder_that_is_not_there_is_a_store_that_is_down(
    tmp_path: Path, clock: HandClock
) -> None:
    store = SqliteStore(tmp_path / "nowhere" / "store.db", clock, SystemEntropy())

    with pytest.raises(StoreDownError):
        store.ping()


def test_a_file_that_is_no_database_is_a_store_that_is_down(path: Path, clock: HandClock) -> None:
    path.write_bytes(b"a letter to the editor" * 1000)
    store = SqliteStore(path, clock, SystemEntropy())

    with pytest.raises(StoreDownError):
        store.ping()
    with pytest.raises(StoreDownError):
        store.subscribe("news")


def test_a_file_of_a_newer_version_is_left_alone(path: Path, clock: HandClock) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 999")
    store = SqliteStore(path, clock, SystemEntropy())

    with pytest.raises(StoreDownError):
        store.put("k", b"v", ttl=MINUTE)


def test_many_threads_share_one_store(store: SqliteStore) -> None:
    counted: list[int] = []
    start = threading.Barrier(16)

    def press() -> None:
        start.wait(10)
        counted.extend(store.count("c", window=MINUTE).value for _ in range(20))

    threads = [threading.Thread(target=press) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(counted) == list(range(1, 321))


def test_greenlets_share_one_store_under_monkey_patching(path: Path) -> None:
    program = RIGS / "greenlets_at_store.py"

    ended = subprocess.run(
        [sys.executable, program, path], capture_output=True, check=False, timeout=60
    )

    assert (ended.returncode, ended.stderr) == (0, b"")
