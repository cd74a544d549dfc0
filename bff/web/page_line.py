"""One guest socket in the Flask application: a relay, carried by the thread of its request.

Everything that happens is a call in the queue of this one thread: bytes of the page, bytes of
Genesys, answers of the desk, news. So the relay has one caller, and no lock is held while
anything waits. Under gevent the threads are greenlets.
"""

import logging
import queue
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from bff.adapters.framed_socket import (
    FramedSocket,
    Kind,
    UpgradeFailedError,
    UpgradeRefusedError,
    dialled,
)
from bff.guests.frame_errors import FrameCode
from bff.guests.guest_house import GuestHouse
from bff.guests.guest_tasks import Task
from bff.guests.relay_hands import Visitor
from bff.guests.sign_in_ends import guest_end
from bff.signin.records import SessionKey
from bff.signin.session_news import NewsDesk, SessionEnded

log = logging.getLogger(__name__)

GOING_AWAY: Final = 1001
# A clock can be turned, and a timer of the relay may be wanted earlier than was thought.
LONGEST_NAP: Final = timedelta(seconds=5)


class PageLine:
    """Keeps `relay_hands.Hands` while its connection lasts, and a little longer."""

    def __init__(
        self, house: GuestHouse, page: FramedSocket, visitor: Visitor, news: NewsDesk
    ) -> None:
        self._house = house
        self._clock = house.plan.clock
        self._visitor = visitor
        self._page = page
        self._genesys: FramedSocket | None = None
        self._news = news
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._dial_at: tuple[datetime, str] | None = None
        # Between this thread and the one that dials: which attempt counts, and what came of it.
        self._dialling = threading.Lock()
        self._attempt = 0
        self._fresh: FramedSocket | None = None
        self._page_gone = False
        self._given_up = False
        self._pinged_at: datetime | None = None
        self._heard_at = self._clock.now()
        self._cut_at: datetime | None = None
        self._watched: list[SessionKey] = []
        self._relay = house.relay(self, visitor)

    def run(self) -> None:
        """Carry the connection until page and Genesys are both done with."""
        self._relay.start()
        self._page.listen(lambda chunk: self._later(partial(self._page_brought, chunk)))
        try:
            while not (self._given_up or (self._relay.over and self._page.finished)):
                self._take_next()
        finally:
            self._page.cut()
            self.hang_up(GOING_AWAY)
            for key in self._watched:
                self._news.unfollow(key, self._news_came)

    def drain(self) -> None:
        """Ask it to finish, from any thread."""
        self._later(self._relay.drain)

    def give_up(self) -> None:
        """End it, from any thread, whatever it is waiting for."""
        self._given_up = True
        self._page.cut()
        genesys = self._genesys
        if genesys is not None:
            genesys.cut()
        self._later(lambda: None)

    # relay_hands.Hands

    def to_page(self, text: bytes) -> None:
        """Send the page one text frame. A page that does not read in time is cut off."""
        self._page.send(text)

    def close_page(self, code: int, reason: str) -> None:
        """Say goodbye; the page has a moment to answer."""
        self._page.close(code, reason)
        self._cut_at = self._clock.now() + self._house.rules.close_patience

    def dial(self, path: str, *, after: timedelta) -> None:
        """Open a socket to Genesys in a while."""
        self._dial_at = self._clock.now() + after, path

    def to_genesys(self, text: bytes) -> None:
        """Send Genesys one text frame."""
        if self._genesys is not None:
            self._genesys.send(text)

    def hang_up(self, code: int) -> None:
        """Close the socket to Genesys, or give up dialling."""
        self._dial_at = None
        with self._dialling:
            self._attempt += 1
            fresh, self._fresh = self._fresh, None
        genesys, self._genesys = self._genesys, None
        for one in (fresh, genesys):
            if one is not None:
                one.close(code)
                one.cut()

    def ask(self, task: Task) -> None:
        """Have the desk perform a task elsewhere."""
        self._elsewhere(partial(self._perform, task))

    def watch(self, session_key: str) -> None:
        """Hear what happens to this sign-in, or to this guest."""
        key = SessionKey(session_key)
        self._watched.append(key)
        self._news.follow(key, self._news_came)

    # What comes in

    def _page_brought(self, chunk: bytes) -> None:
        for message in self._page.received(chunk):
            self._heard_at, self._pinged_at = self._clock.now(), None
            if message.kind is Kind.TEXT:
                self._relay.page_sent(message.data)
            elif message.kind is Kind.BINARY:
                self._relay.page_sent_badly(FrameCode.FRAME_NOT_TEXT)

    def _genesys_brought(self, genesys: FramedSocket, chunk: bytes) -> None:
        for message in genesys.received(chunk):
            if message.kind is Kind.TEXT and genesys is self._genesys:
                self._relay.genesys_sent(message.data)
        if genesys is self._genesys and not genesys.open:
            code, reason = genesys.closed_with
            self._genesys = None
            genesys.cut()
            self._relay.genesys_closed(code, reason)

    def _news_came(self, news: SessionEnded | None) -> None:
        self._later(partial(self._relay.heard_of_session, guest_end(news)))

    def _perform(self, task: Task) -> None:
        answer = self._house.desk.perform(task)
        self._later(partial(self._relay.answered, answer))

    # The thread of the request

    def _later(self, call: Callable[[], None]) -> None:
        self._calls.put(call)

    def _elsewhere(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, daemon=True).start()

    def _take_next(self) -> None:
        try:
            call = self._calls.get(timeout=self._nap().total_seconds())
        except queue.Empty:
            pass
        else:
            call()
        self._look_around()

    def _nap(self) -> timedelta:
        now = self._clock.now()
        wakes = [self._relay.wake_at, self._ping_due(), self._cut_at]
        if self._dial_at is not None:
            wakes.append(self._dial_at[0])
        waits = [wake - now for wake in wakes if wake is not None]
        return max(min([*waits, LONGEST_NAP]), timedelta(0))

    def _look_around(self) -> None:
        now = self._clock.now()
        if not self._page.open and not self._page_gone:
            self._page_gone = True
            self._cut_at = self._cut_at or now + self._house.rules.close_patience
            self._relay.page_gone()
        if self._cut_at is not None and now >= self._cut_at:
            self._cut_at = None
            self._page.cut()
        if self._page.open and now >= self._ping_due():
            self._ping_or_cut(now)
        wake = self._relay.wake_at
        if wake is not None and now >= wake:
            self._relay.tick()
        if self._dial_at is not None and now >= self._dial_at[0]:
            self._dial_now(self._dial_at[1])

    def _ping_due(self) -> datetime:
        rules = self._house.rules
        if self._pinged_at is not None:
            return self._pinged_at + rules.pong_patience
        return self._heard_at + rules.ping_every

    def _ping_or_cut(self, now: datetime) -> None:
        if self._pinged_at is not None:
            # No sign of life. A frame that trickles in is none: a pong cannot come in between.
            self._page.cut()
            return
        self._pinged_at = now
        self._page.ping()

    def _dial_now(self, path: str) -> None:
        self._dial_at = None
        with self._dialling:
            self._attempt += 1
            attempt = self._attempt
        self._elsewhere(partial(self._dial_elsewhere, attempt, path))

    def _dial_elsewhere(self, attempt: int, path: str) -> None:
        rules = self._house.rules
        try:
            genesys = dialled(
                self._house.messaging_url + path,
                origin=self._visitor.origin,
                max_bytes=rules.max_genesys_bytes,
                limit=rules.dial_patience,
                clock=self._clock,
            )
        except UpgradeRefusedError as refused:
            self._later(partial(self._not_dialled, attempt, refused.status))
        except UpgradeFailedError:
            self._later(partial(self._not_dialled, attempt, None))
        except Exception:
            # A fault of ours: it is tried again like any other, and nobody waits for ever.
            log.exception("guest socket: dialling failed")
            self._later(partial(self._not_dialled, attempt, None))
        else:
            with self._dialling:
                wanted = attempt == self._attempt
                if wanted:
                    self._fresh = genesys
            if wanted:
                self._later(self._dialled)
            else:
                genesys.cut()

    def _not_dialled(self, attempt: int, status: int | None) -> None:
        if attempt != self._attempt:
            return
        if status is None:
            self._relay.genesys_closed()
        else:
            self._relay.genesys_refused(status)

    def _dialled(self) -> None:
        with self._dialling:
            genesys, self._fresh = self._fresh, None
        if genesys is not None:
            self._genesys = genesys
            genesys.listen(
                lambda chunk: self._later(partial(self._genesys_brought, genesys, chunk))
            )
            self._relay.genesys_opened()
