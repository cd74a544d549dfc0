"""Run as a program: hundreds of greenlets press on one Redis under gevent's monkey patching."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - patching comes before everything else
from datetime import timedelta  # noqa: E402

import gevent  # noqa: E402

from bff.adapters.redis_store import RedisStore  # noqa: E402

MINUTE = timedelta(minutes=1)
GREENLETS = 500
ROUNDS = 4
PLACES = 8


def press(store: RedisStore) -> list[int]:
    return [store.count("all", window=MINUTE).value for _ in range(ROUNDS)]


def main(url: str) -> None:
    store = RedisStore(url, places=PLACES)
    with store.subscribe("news") as subscription:
        workers = [gevent.spawn(press, store) for _ in range(GREENLETS)]
        gevent.joinall(workers, timeout=40, raise_error=True)
        store.publish("news", b"done")
        if subscription.receive(timedelta(seconds=20)) != ("news", b"done"):
            sys.exit("the subscription has heard nothing")
    counted = sorted(value for worker in workers for value in worker.value)
    if counted != list(range(1, GREENLETS * ROUNDS + 1)):
        sys.exit("a count was lost")
    store.close()


if __name__ == "__main__":
    main(sys.argv[1])
