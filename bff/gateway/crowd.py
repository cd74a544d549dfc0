"""Everybody who is connected to this gateway, and what they share."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from bff.gateway.carrier import Carrier
from bff.gateway.messaging_link import MessagingHost, MessagingLink
from bff.gateway.outgoing import Outgoing
from bff.guests.guest_house import GuestHouse
from bff.guests.guest_tasks import Answer, EndGuest, FetchHistory, FetchJwt, OpenGuest, Task
from bff.guests.relay_hands import Visitor
from bff.signin.session_news import NewsDesk

log = logging.getLogger(__name__)

THREADS: Final = 16
GLANCE_S: Final = 1.0
TURNED_S: Final = 1.0


class Crowd:
    """The carriers of one process, the threads of their tasks, and the way out."""

    def __init__(
        self, house: GuestHouse, news: NewsDesk, *, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.house = house
        self.news = news
        self.loop = loop
        self.messaging = MessagingHost.at(house.messaging_url)
        self.leaving = False
        self.outgoing = Outgoing(loop)
        self.links: set[MessagingLink] = set()
        self._carriers: set[Carrier] = set()
        self._nobody = asyncio.Event()
        self._nobody.set()
        # Three pools: a Genesys or a gateway that is slow keeps nobody from the store.
        self._opening = _threads("guest-opening")
        self._at_genesys = _threads("guest-genesys")
        self._at_store = _threads("guest-store")
        self._clocks_apart = self._apart()
        self._glance = loop.call_later(GLANCE_S, self._glance_at_clock)

    def __len__(self) -> int:
        return len(self._carriers)

    @property
    def room(self) -> bool:
        """Say whether one more connection may come."""
        return not self.leaving and len(self._carriers) < self.house.rules.connections

    def carrier(self, visitor: Visitor) -> Carrier:
        """Return the carrier of a visitor who was admitted."""
        return Carrier(self, visitor)

    def enter(self, carrier: Carrier) -> None:
        """A page is connected."""
        self._carriers.add(carrier)
        self._nobody.clear()

    def leave(self, carrier: Carrier) -> None:
        """Page and Genesys are both done with."""
        self._carriers.discard(carrier)
        if not self._carriers:
            self._nobody.set()

    def ask(self, task: Task, answered: Callable[[Answer], None]) -> None:
        """Perform a task in a thread; `answered` is called on the loop."""
        with suppress(RuntimeError):  # the process leaves, and everybody was cut off
            self._pool(task).submit(self._perform, task, answered)

    def drain(self) -> None:
        """Have everybody finish what is in flight and go elsewhere."""
        self.leaving = True
        for carrier in list(self._carriers):
            carrier.drain()

    async def emptied(self, *, patience: float) -> bool:
        """Wait until everybody has gone; say whether they have."""
        try:
            async with asyncio.timeout(patience):
                await self._nobody.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Cut off Genesys, and let the threads go."""
        self.leaving = True
        self._glance.cancel()
        for link in list(self.links):
            link.cut()
        for pool in (self._opening, self._at_genesys, self._at_store):
            pool.shutdown(wait=False, cancel_futures=True)

    def _glance_at_clock(self) -> None:
        """Wake everybody if the machine's clock was set: their timers run on the loop's."""
        # First of all: whatever comes of this glance, there is a next one.
        self._glance = self.loop.call_later(GLANCE_S, self._glance_at_clock)
        before, self._clocks_apart = self._clocks_apart, self._apart()
        if abs(self._clocks_apart - before) > TURNED_S:
            for carrier in list(self._carriers):
                try:
                    carrier.wake()
                except Exception:
                    # One page's fault keeps nobody else asleep.
                    log.exception("guest socket: waking")

    def _apart(self) -> float:
        return self.house.plan.clock.now().timestamp() - self.loop.time()

    def _pool(self, task: Task) -> ThreadPoolExecutor:
        match task:
            case OpenGuest():
                return self._opening
            case FetchJwt() | FetchHistory():
                return self._at_genesys
            case EndGuest(session_key=str()):
                return self._at_genesys
            case _:
                return self._at_store

    def _perform(self, task: Task, answered: Callable[[Answer], None]) -> None:
        answer = self.house.desk.perform(task)
        with suppress(RuntimeError):  # the loop has gone
            self.loop.call_soon_threadsafe(answered, answer)


def _threads(name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix=name)
