"""One guest socket in the gateway: page, relay and Genesys on one loop, and no task of its own.

Whatever happens is a callback of the loop, so the relay has one caller. There is one timer for
a connection: it is set anew only for something earlier, and otherwise finds out when it fires
that there is still time.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from bff.gateway.messaging_link import MessagingLink
from bff.gateway.page_socket import NEVER, PageSocket
from bff.gateway.wire_words import GOING_AWAY
from bff.guests.frame_errors import FrameCode
from bff.guests.guest_tasks import Answer, Task
from bff.guests.relay_hands import Visitor
from bff.guests.sign_in_ends import guest_end
from bff.signin.records import SessionKey
from bff.signin.session_news import SessionEnded

if TYPE_CHECKING:
    import asyncio

    from bff.gateway.crowd import Crowd

SHORTEST_NAP_S: Final = 0.005
_LONG_AFTER: Final = datetime.max.replace(tzinfo=UTC)


class Carrier:
    """Keeps `relay_hands.Hands`, and hears both sockets."""

    __slots__ = (
        "_clock",
        "_crowd",
        "_link",
        "_loop",
        "_origin",
        "_over",
        "_relay",
        "_timer",
        "_wakes_at",
        "_watched",
        "page",
    )

    def __init__(self, crowd: "Crowd", visitor: Visitor) -> None:
        self._crowd = crowd
        self._loop = crowd.loop
        self._clock = crowd.house.plan.clock
        self._origin = visitor.origin
        self._link: MessagingLink | None = None
        self._watched: tuple[SessionKey, ...] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = _LONG_AFTER
        self._over = False
        self.page = PageSocket(
            self, crowd.house.rules, outgoing=crowd.outgoing, now=crowd.loop.time
        )
        self._relay = crowd.house.relay(self, visitor)

    def drain(self) -> None:
        """The process is leaving."""
        self._relay.drain()
        self.page.read(wanted=self._relay.reading)
        self._settle()

    # relay_hands.Hands

    def to_page(self, text: bytes) -> None:
        """Send the page one text frame."""
        self.page.send(text)

    def close_page(self, code: int, reason: str) -> None:
        """Close the page's socket behind what was sent."""
        self.page.close(code, reason)
        self._look_soon()

    def dial(self, path: str, *, after: timedelta) -> None:
        """Open a socket to Genesys in a while."""
        crowd = self._crowd
        link = MessagingLink(
            self,
            crowd.messaging,
            origin=self._origin,
            rules=crowd.house.rules,
            outgoing=crowd.outgoing,
            where=crowd.links,
        )
        if self._link is not None:
            self._link.hang_up(GOING_AWAY)
        self._link = link
        link.read(wanted=not self.page.stuffed)
        link.dial(path, after=after)

    def to_genesys(self, text: bytes) -> None:
        """Send Genesys one text frame."""
        if self._link is not None:
            self._link.send(text)

    def hang_up(self, code: int) -> None:
        """Close the socket to Genesys, or give up dialling."""
        if self._link is not None:
            self._link.hang_up(code)
            self._link = None

    def ask(self, task: Task) -> None:
        """Have the desk perform a task in a thread."""
        self._crowd.ask(task, self.answered)

    def watch(self, session_key: str) -> None:
        """Hear what happens to this sign-in, or to this guest."""
        key = SessionKey(session_key)
        self._watched = (*self._watched, key)
        self._crowd.news.follow(key, self._news_came)

    # The page

    def page_came(self) -> None:
        """The socket is open."""
        self._crowd.enter(self)
        self._relay.start()
        self._look_soon()
        self._settle()

    def page_sent(self, text: bytes) -> None:
        """One whole text message. The hot path: nothing here makes a task or a timer."""
        self._relay.page_sent(text)
        self._settle()

    def page_sent_badly(self, code: FrameCode) -> None:
        """One whole message that is no text."""
        self._relay.page_sent_badly(code)
        self._settle()

    def page_left(self) -> None:
        """Nobody listens any more; Genesys still has its say about what was accepted."""
        self._relay.page_gone()
        if self._link is not None:
            self._link.read(wanted=True)
        self._look_soon()
        self._settle()

    def page_finished(self) -> None:
        """The page's connection is gone."""
        self._settle()

    def page_stuffed(self, *, stuffed: bool) -> None:
        """Let TCP slow Genesys down while the page does not read."""
        if self._link is not None:
            self._link.read(wanted=not stuffed)
        if stuffed:
            self._look_soon()

    # Genesys

    def genesys_opened(self) -> None:
        """The socket is open."""
        self._relay.genesys_opened()
        self._settle()

    def genesys_refused(self, status: int) -> None:
        """The upgrade was answered with a status."""
        self._link = None
        self._relay.genesys_refused(status)
        self._settle()

    def genesys_sent(self, text: bytes) -> None:
        """One whole text message."""
        self._relay.genesys_sent(text)
        self._settle()

    def genesys_closed(self, code: int | None, reason: str) -> None:
        """The socket has closed, or nobody is there."""
        self._link = None
        self._relay.genesys_closed(code, reason)
        self._settle()

    # Threads and the clock

    def answered(self, answer: Answer) -> None:
        """Take what came of a task."""
        self._relay.answered(answer)
        self._settle()

    def _news_came(self, news: SessionEnded | None) -> None:
        """Called in the thread of the news desk."""
        with suppress(RuntimeError):  # the loop has gone, and every page with it
            self._loop.call_soon_threadsafe(self._heard, news)

    def _heard(self, news: SessionEnded | None) -> None:
        if not self._over:
            self._relay.heard_of_session(guest_end(news))
            self._settle()

    def _settle(self) -> None:
        """After each call of the relay: is it over, does it want to be woken earlier."""
        if self._over:
            return
        relay = self._relay
        wake = relay.wake_at
        if wake is not None and wake < self._wakes_at:
            self._sleep_until(self._seconds(wake))
        if relay.over and self.page.finished:
            self._end()

    def _look_soon(self) -> None:
        """Something about the page has changed that has a patience of its own."""
        now = self._loop.time()
        by = self.page.look(now)
        if by is not NEVER:
            self._sleep_until(by - now)

    def _seconds(self, wake: datetime) -> float:
        return (wake - self._clock.now()).total_seconds()

    def _sleep_until(self, seconds: float) -> None:
        """Wake after so many seconds, or earlier."""
        nap = max(seconds, SHORTEST_NAP_S)
        wakes_at = self._clock.now() + timedelta(seconds=nap)
        if self._timer is not None:
            if wakes_at >= self._wakes_at:
                return
            self._timer.cancel()
        self._wakes_at = wakes_at
        self._timer = self._loop.call_later(nap, self.wake)

    def wake(self) -> None:
        """Look at the clock, and at the page's patience."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._wakes_at = _LONG_AFTER
        if self._over:
            return
        wake = self._relay.wake_at
        if wake is not None and wake <= self._clock.now():
            self._relay.tick()
        self._look_soon()
        self._settle()

    def _end(self) -> None:
        self._over = True
        self.hang_up(GOING_AWAY)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for key in self._watched:
            self._crowd.news.unfollow(key, self._news_came)
        self._crowd.leave(self)
