"""The gateway's process: it listens, and when it is told to go, it lets everybody finish."""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import uvloop
from picows import WSError

from bff.adapters.open_files import make_room_for_files
from bff.background.runner import BackgroundRunner
from bff.errors import SettingsError
from bff.gateway.crowd import Crowd
from bff.gateway.page_door import PageDoor
from bff.gateway.page_protocol import PageProtocol
from bff.guests.guest_house import GuestHouse
from bff.guests.guest_upgrade import UpgradeRules
from bff.ports import Entropy
from bff.signin.session_news import NewsDesk

log = logging.getLogger(__name__)

GRACE: Final = timedelta(seconds=10)
LAST_WORDS: Final = timedelta(milliseconds=500)
GLANCE_S: Final = 0.01
BACKLOG: Final = 1024
COLLECT_AFTER: Final = (50_000, 20, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlan:
    """What a gateway is made of, and where it listens. Port 0 is any."""

    house: GuestHouse
    news: NewsDesk
    entropy: Entropy
    rules: UpgradeRules
    host: str
    port: int
    background: BackgroundRunner = field(default_factory=BackgroundRunner)
    share_port: bool = True
    grace: timedelta = GRACE


class Gateway:
    """A running one, inside a loop. Every method belongs to the thread of that loop."""

    def __init__(self, plan: GatewayPlan) -> None:
        self._plan = plan
        self._told_to_go = asyncio.Event()
        self._server: asyncio.AbstractServer | None = None
        self._pages: set[PageProtocol] = set()
        self.crowd = Crowd(plan.house, plan.news, loop=asyncio.get_running_loop())

    async def listen(self) -> int:
        """Open the door; return the port."""
        plan, loop = self._plan, asyncio.get_running_loop()
        loop.set_exception_handler(_write_down)
        plan.news.start()
        door = PageDoor(self.crowd, plan.rules, plan.entropy, plan.background)
        limit = plan.house.rules.max_frame_bytes
        try:
            self._server = server = await loop.create_server(
                lambda: PageProtocol(door.answer, self._pages, max_frame_bytes=limit),
                plan.host,
                plan.port,
                backlog=BACKLOG,
                reuse_port=plan.share_port and plan.port != 0,
            )
        except OSError as error:
            where = f"BFF_GATEWAY_HOST and BFF_GATEWAY_PORT ({plan.host}, {plan.port})"
            raise SettingsError(f"{where} cannot be listened on: {error.strerror}") from error
        return int(server.sockets[0].getsockname()[1])

    def go(self) -> None:
        """Ask it to go; asked twice, it goes at once."""
        if self._told_to_go.is_set():
            self._cut()
        self._told_to_go.set()

    async def serve(self) -> None:
        """Serve until told to go; then finish what is in flight, within the grace."""
        await self._told_to_go.wait()
        if self._server is not None:
            self._server.close()
        self.crowd.drain()
        if not await self.crowd.emptied(patience=self._plan.grace.total_seconds()):
            log.warning("%d connections were cut off after the grace", len(self.crowd))
        await self._sockets_are_gone(LAST_WORDS)
        self._cut()
        await self._sockets_are_gone(LAST_WORDS)

    def _cut(self) -> None:
        for page in list(self._pages):
            page.cut()
        self.crowd.close()

    async def _sockets_are_gone(self, patience: timedelta) -> None:
        """Closing takes a round trip, and the loop must not end before its sockets."""
        until = self.crowd.loop.time() + patience.total_seconds()
        while (self._pages or self.crowd.links) and self.crowd.loop.time() < until:  # noqa: ASYNC110 - once, at the very end; an event would cost each socket
            await asyncio.sleep(GLANCE_S)


def run_gateway(plan: GatewayPlan, *, ready: Callable[[int], None]) -> None:
    """Run until SIGTERM or SIGINT. `ready` is told the port."""
    make_room_for_files(pages=plan.house.rules.connections)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(plan, ready))


async def _run(plan: GatewayPlan, ready: Callable[[int], None]) -> None:
    gateway = Gateway(plan)
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, gateway.go)
    ready(await gateway.listen())
    _collect_seldom()
    await gateway.serve()


def _collect_seldom() -> None:
    """Look for cycles after many new objects, and never among what was there at the start.

    Messages on their way are what there is most of, and they are in none: looking through them
    all the time took a fifth of the processor's.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _write_down(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what nobody took; but a stranger who says nothing, or breaks a frame, is no fault.

    picows keeps such an exception for who waits for its connection, and nobody does. Genesys'
    end may be one as well: some servers write an HTTP answer behind the last frame.
    """
    if isinstance(context.get("exception"), TimeoutError | WSError) and "future" in context:
        return
    loop.default_exception_handler(context)
