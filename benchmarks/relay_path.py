"""What one message costs in a relay, from the page's frame to its delivery, without any socket.

Run it with `python benchmarks/relay_path.py`, with `--profile` for the functions that cost most.
Everything is checked as always; the limits alone have other numbers.
"""

import argparse
import cProfile
import json
import pstats
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from upstream_path import UNHURRIED, echo, timed
from wires import PageWire

from bff.adapters.system import SystemClock, SystemEntropy
from bff.guests.conversation_stages import ConversationPolicy
from bff.guests.frame_keys import PageKeys
from bff.guests.guest_binding import GuestSessionId
from bff.guests.guest_tasks import GuestOpened, Task
from bff.guests.relay import GuestRelay
from bff.guests.relay_hands import Visitor
from bff.guests.relay_plan import RelayPlan
from bff.guests.session_pace import SessionPace
from bff.guests.upstream_news import Write

MESSAGES: Final = 500
ROUNDS: Final = 60
UNLIMITED: Final = 1_000_000
LIFETIME: Final = timedelta(hours=1)


class OpenHands:
    """Keeps `Hands`: notes what is said, and does nothing."""

    def __init__(self) -> None:
        self.to_the_page: list[bytes] = []
        self.to_the_genesys: list[bytes] = []
        self.tasks: list[Task] = []

    def to_page(self, text: bytes) -> None:
        """Note it."""
        self.to_the_page.append(text)

    def to_genesys(self, text: bytes) -> None:
        """Note it."""
        self.to_the_genesys.append(text)

    def ask(self, task: Task) -> None:
        """Note it."""
        self.tasks.append(task)

    def close_page(self, code: int, reason: str) -> None:
        """Nobody closes in a benchmark."""
        raise SystemExit(f"closed: {code} {reason}")

    def dial(self, path: str, *, after: timedelta) -> None:
        """Do nothing: the benchmark says when it is open."""

    def hang_up(self, code: int) -> None:
        """Do nothing."""

    def watch(self, session_key: str) -> None:
        """Do nothing."""


def opened_relay() -> tuple[GuestRelay, OpenHands, PageWire]:
    """Return a relay with a session at Genesys, and its page."""
    entropy = SystemEntropy()
    plan = RelayPlan(
        clock=SystemClock(),
        entropy=entropy,
        scheme=PageKeys(entropy),
        deployment_id="benchmark",
        application="benchmark",
        pace=partial(SessionPace, per_second=UNLIMITED, per_minute=UNLIMITED),
        conversation=ConversationPolicy(max_in_flight=MESSAGES),
        upstream=UNHURRIED,
    )
    hands, page = OpenHands(), PageWire()
    visitor = Visitor(origin="https://example.com", address="127.0.0.1", browser_secret="b" * 43)
    relay = GuestRelay(plan, hands, visitor)
    relay.start()
    relay.page_sent(page.init())
    relay.answered(
        GuestOpened(
            session_id=GuestSessionId("s" * 43),
            encrypted_session_id=entropy.token(59),
            guest_id="guest",
            genesys_token="t" * 36,
            expires_at=datetime.now(UTC) + LIFETIME,  # noqa: TID251 - a benchmark's clock
            resumed=False,
        )
    )
    page.learn(json.loads(hands.to_the_page[-1]))
    relay.genesys_opened()
    tracing_id = json.loads(hands.to_the_genesys[-1])["tracingId"]
    answer = {"type": "response", "class": "SessionResponse", "code": 200, "tracingId": tracing_id}
    body = {"connected": True, "newSession": True}
    relay.genesys_sent(json.dumps({**answer, "body": body}).encode())
    return relay, hands, page


def main() -> None:
    """Print the table, or the profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true")
    if parser.parse_args().profile:
        profile()
        return
    relay, hands, page = opened_relay()
    best = {"frame": float("inf"), "echo": float("inf"), "wake_at, twice": float("inf")}
    for _ in range(ROUNDS):
        for name, spent in one_round(relay, hands, page).items():
            best[name] = min(best[name], spent)
    print(f"one message through a relay, smallest of {ROUNDS} rounds of {MESSAGES} messages")
    for name, spent in best.items():
        print(f"  {name:16} {spent:6.2f} us")
    print(f"  {'together':16} {sum(best.values()):6.2f} us")


def one_round(relay: GuestRelay, hands: OpenHands, page: PageWire) -> dict[str, float]:
    """Return the microseconds of each stretch."""
    spent = {"frame": 0.0, "echo": 0.0, "wake_at, twice": 0.0}
    for frame in [page.frame() for _ in range(MESSAGES)]:
        spent["frame"] += timed(partial(relay.page_sent, frame))[1]
        spent["wake_at, twice"] += timed(lambda: relay.wake_at)[1]
        echoed = echo([Write(text=hands.to_the_genesys.pop())])
        spent["echo"] += timed(partial(relay.genesys_sent, echoed))[1]
        spent["wake_at, twice"] += timed(lambda: relay.wake_at)[1]
        delivered = hands.to_the_page.pop()
        if not delivered.startswith(page.delivered):
            raise SystemExit(f"not delivered: {delivered!r}")
    return {name: took / MESSAGES * 1e6 for name, took in spent.items()}


def profile() -> None:
    """Print where the time goes."""
    relay, hands, page = opened_relay()
    profiler = cProfile.Profile()
    for frame in [page.frame() for _ in range(20 * MESSAGES)]:
        profiler.enable()
        relay.page_sent(frame)
        _ = relay.wake_at
        profiler.disable()
        echoed = echo([Write(text=hands.to_the_genesys.pop())])
        profiler.enable()
        relay.genesys_sent(echoed)
        _ = relay.wake_at
        profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(32)


if __name__ == "__main__":
    main()
