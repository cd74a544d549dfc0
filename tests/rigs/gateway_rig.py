"""A gateway in a thread of its own, over real sockets, for whatever house a test gives it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import uvloop

from bff.adapters.system import SystemEntropy
from bff.background.runner import BackgroundRunner
from bff.gateway.gateway_server import Gateway, GatewayPlan
from bff.guests.guest_house import GuestHouse
from bff.guests.guest_upgrade import UpgradeRules
from bff.signin.session_news import NewsDesk

T = TypeVar("T")
LIMIT_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRig:
    """One that runs. `here` does something on its loop and returns what came of it."""

    port: int
    loop: asyncio.AbstractEventLoop
    gateway: Gateway
    thread: threading.Thread

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/guest"

    @property
    def pages(self) -> int:
        return self.here(lambda: len(self.gateway.crowd))

    def here(self, work: Callable[[], T]) -> T:
        done: Future[T] = Future()
        self.loop.call_soon_threadsafe(lambda: done.set_result(work()))
        return done.result(LIMIT_S)

    def drain(self) -> None:
        """Tell it to go, as a signal would."""
        self.loop.call_soon_threadsafe(self.gateway.go)

    def gone(self) -> bool:
        """Wait until it has gone."""
        self.thread.join(LIMIT_S)
        return not self.thread.is_alive()


Raise = Callable[..., AbstractContextManager[GatewayRig]]
"""Runs a gateway; what may be said about it is in the fixture of this name."""


@contextmanager
def running_gateway(
    house: GuestHouse,
    news: NewsDesk,
    rules: UpgradeRules,
    *,
    grace: timedelta = timedelta(seconds=5),
    port: int = 0,
    background: BackgroundRunner | None = None,
) -> Iterator[GatewayRig]:
    """Run one while the block lasts."""
    plan = GatewayPlan(
        house=house,
        news=news,
        entropy=SystemEntropy(),
        rules=rules,
        host="127.0.0.1",
        port=port,
        grace=grace,
        background=background or BackgroundRunner(),
    )
    started: Future[tuple[int, asyncio.AbstractEventLoop, Gateway]] = Future()
    faults: list[BaseException] = []
    thread = threading.Thread(target=_run, args=(plan, started, faults))
    thread.start()
    port, loop, gateway = started.result(LIMIT_S)
    rig = GatewayRig(port=port, loop=loop, gateway=gateway, thread=thread)
    try:
        yield rig
    finally:
        if thread.is_alive():
            rig.drain()
        assert rig.gone(), "the gateway did not go"
    assert not faults, faults


def _run(
    plan: GatewayPlan,
    started: "Future[tuple[int, asyncio.AbstractEventLoop, Gateway]]",
    faults: list[BaseException],
) -> None:
    async def life() -> None:
        loop = asyncio.get_running_loop()
        gateway = Gateway(plan)
        port = await gateway.listen()
        started.set_result((port, loop, gateway))
        await gateway.serve()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(life())
    except BaseException as fault:  # noqa: BLE001 - a thread's fault is shown by its test
        faults.append(fault)
        if not started.done():
            started.set_exception(fault)
