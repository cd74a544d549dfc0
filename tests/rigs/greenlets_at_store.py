"""Run as a program: greenlets press on one SQLite store under gevent's monkey patching."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - patching comes before everything else
from datetime import timedelta  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402

from bff.adapters.sqlite_store import SqliteStore  # noqa: E402
from bff.adapters.system import SystemClock, SystemEntropy  # noqa: E402

MINUTE = timedelta(minutes=1)
GREENLETS = 40
ROUNDS = 10


def press(store: SqliteStore, number: int) -> list[int]:
    counted = []
    for turn in range(ROUNDS):
        counted.append(store.count("all", window=MINUTE).value)
        store.publish("news", f"{number}/{turn}".encode())
        gevent.sleep(0)
    return counted


def hear(store: SqliteStore, expected: int) -> int:
    heard = 0
    with store.subscribe("news") as subscription:
        READY.set()
        while heard < expected and subscription.receive(timedelta(seconds=20)):
            heard += 1
    return heard


READY = Event()


def main(path: str) -> None:
    store = SqliteStore(path, SystemClock(), SystemEntropy())
    listener = gevent.spawn(hear, store, GREENLETS * ROUNDS)
    READY.wait(20)
    workers = [gevent.spawn(press, store, number) for number in range(GREENLETS)]
    gevent.joinall([*workers, listener], timeout=40, raise_error=True)
    counted = sorted(value for worker in workers for value in worker.value)
    if counted != list(range(1, GREENLETS * ROUNDS + 1)):
        sys.exit("a count was lost")
    if listener.value != GREENLETS * ROUNDS:
        sys.exit(f"heard {listener.value}")
    store.close()


if __name__ == "__main__":
    main(sys.argv[1])
