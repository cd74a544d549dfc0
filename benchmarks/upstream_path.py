"""What one message costs on its way through an upstream: sent, echoed, delivered.

Run it with `python benchmarks/upstream_path.py`, with `--profile` for the functions that cost most.
Each stretch is measured in processor time, the smallest of many rounds. The limits of Genesys would
hold a benchmark up, so their numbers are high here; every check and every table is used as always.
"""

import argparse
import cProfile
import json
import pstats
import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import msgspec

from bff.adapters.system import SystemClock, SystemEntropy
from bff.guests.upstream import Upstream
from bff.guests.upstream_news import Action, Delivered, Write
from bff.guests.upstream_policy import UpstreamPolicy
from bff.guests.upstream_state import Stage

MESSAGES: Final = 500
ROUNDS: Final = 60
TOKEN: Final = "11111111-2222-4333-8444-555555555555"  # noqa: S105 - nobody's
UNHURRIED: Final = UpstreamPolicy(messages_a_second=1_000_000, requests_a_minute=1_000_000)
CONNECTION: Final = "c" * 22

_Told = TypeVar("_Told")

_spelled: Final = msgspec.json.Encoder().encode


def main() -> None:
    """Print the table, or the profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true")
    if parser.parse_args().profile:
        profile()
        return
    upstream = live_upstream()
    best = {"send": float("inf"), "wake_at": float("inf"), "echo": float("inf")}
    for number in range(ROUNDS):
        for name, spent in one_round(upstream, number).items():
            best[name] = min(best[name], spent)
    print(f"one message, smallest of {ROUNDS} rounds of {MESSAGES} messages")
    for name, spent in best.items():
        print(f"  {name:10} {spent:6.2f} us")
    print(f"  {'together':10} {best['send'] + best['echo'] + 2 * best['wake_at']:6.2f} us")


def live_upstream() -> Upstream:
    """Return an upstream with a configured session."""
    upstream = Upstream(
        token=TOKEN,
        deployment_id=TOKEN,
        application="benchmark",
        clock=SystemClock(),
        entropy=SystemEntropy(),
        policy=UNHURRIED,
    )
    upstream.start()
    (configure,) = upstream.opened()
    if not isinstance(configure, Write):
        raise SystemExit(f"not asked to configure: {configure}")
    answer = {"type": "response", "class": "SessionResponse", "code": 200}
    body = {"connected": True, "newSession": True}
    tracing_id = json.loads(configure.text)["tracingId"]
    upstream.received(json.dumps({**answer, "body": body, "tracingId": tracing_id}))
    if upstream.stage is not Stage.LIVE:
        raise SystemExit(f"no session: {upstream.stage}")
    return upstream


def one_round(upstream: Upstream, number: int) -> dict[str, float]:
    """Return the microseconds of each stretch."""
    names = [f"{CONNECTION}.{number * MESSAGES + step}" for step in range(MESSAGES)]
    payloads = [payload(name) for name in names]
    spent = {"send": 0.0, "wake_at": 0.0, "echo": 0.0}
    for name, said in zip(names, payloads, strict=True):
        written, took = timed(partial(upstream.send, said, name))
        spent["send"] += took
        spent["wake_at"] += timed(lambda: upstream.wake_at)[1]
        echoed = echo(written)
        told, took = timed(partial(upstream.received, echoed))
        spent["echo"] += took
        if not isinstance(told[-1], Delivered):
            raise SystemExit(f"not delivered: {told}")
    return {name: took / MESSAGES * 1e6 for name, took in spent.items()}


def timed(one: Callable[[], _Told]) -> tuple[_Told, float]:
    """Return what came of it and the seconds it took."""
    began = time.perf_counter()
    told = one()
    return told, time.perf_counter() - began


def payload(name: str) -> bytes:
    """Return a message of the size of the measurements, as a conversation hands it on."""
    return _spelled({"type": "Text", "text": "m" * 50, "metadata": {"id": f"{name:>036.36}"}})


def echo(written: list[Action]) -> bytes:
    """Return how Genesys echoes what was written."""
    (write,) = written
    if not isinstance(write, Write):
        raise SystemExit(f"not written: {write}")
    request = json.loads(write.text)
    number = request["tracingId"]
    body = {
        **request["message"],
        "direction": "Inbound",
        "id": f"{number:>032.32}",
        "channel": {"time": "2026-11-20T10:00:00.000Z", "messageId": f"{number:>036.36}"},
    }
    frame = {"type": "message", "class": "StructuredMessage", "code": 200, "body": body}
    return _spelled({**frame, "tracingId": number})


def profile() -> None:
    """Print where the time goes."""
    upstream = live_upstream()
    profiler = cProfile.Profile()
    for step in range(20 * MESSAGES):
        name = f"{CONNECTION}.{step}"
        said = payload(name)
        profiler.enable()
        written = upstream.send(said, name)
        profiler.disable()
        echoed = echo(written)
        profiler.enable()
        upstream.received(echoed)
        _ = upstream.wake_at
        profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
