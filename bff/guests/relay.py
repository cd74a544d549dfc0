"""One page and its session at Genesys as one thing: calls in, work for the shell's hands. No I/O.

One caller at a time; it calls `tick` at `wake_at`, and may forget a relay that is `over`.
"""

from datetime import datetime

from bff.guests.conversation_acts import Ended
from bff.guests.conversation_stages import Stage as PageStage
from bff.guests.frame_errors import FrameCode, GuestEnd
from bff.guests.guest_tasks import Answer
from bff.guests.relay_answers import RelayAnswers
from bff.guests.relay_words import Farewell
from bff.guests.upstream_state import Stage


class GuestRelay(RelayAnswers):
    """Carries one connection of one page; see the module for what its owner must keep."""

    __slots__ = ()

    @property
    def over(self) -> bool:
        """Say whether nothing is left to do: the page is gone, and Genesys has had everything."""
        gone = self._upstream is None or self._upstream.stage is Stage.OVER
        done = not self._tasks and self._end_again is None
        return gone and not self._page_here and done

    @property
    def reading(self) -> bool:
        """Say whether the page's frames are wanted. What is left unread, the page sends again."""
        return self._page_here and not self._draining

    @property
    def wake_at(self) -> datetime | None:
        """Return when `tick` is wanted next. It changes with every call."""
        conversation, upstream = self._conversation, self._upstream
        if upstream is None:
            waiting = self._page_here and conversation.stage is PageStage.NEW
            return self._init_by if waiting else None
        # Asked after every call: no list, no call that is not needed.
        wake, look, end = upstream.wake_at, self._look_at, self._end_again
        if look is not None and (wake is None or look < wake):
            wake = look
        if end is not None and (wake is None or end[0] < wake):
            wake = end[0]
        if self._page_here:
            ends = conversation.deadline
            if ends is not None and (wake is None or ends < wake):
                wake = ends
        return wake

    def start(self) -> None:
        """Begin: from now on the page has 15 s to say who it is."""
        self._init_by = self._plan.clock.now() + self._plan.init_patience

    # The page

    def page_sent(self, raw: bytes | bytearray | memoryview) -> None:
        """Take one whole text message of the page."""
        if self.reading:
            self._do(self._conversation.receive(raw))

    def page_sent_badly(self, code: FrameCode) -> None:
        """Refuse a message that is no frame by its very form, such as a binary one."""
        if self.reading:
            self._do(self._conversation.refuse(code))

    def page_gone(self) -> None:
        """The page's socket is closed: what was accepted still goes to Genesys."""
        self._page_left()

    # Genesys

    def genesys_opened(self) -> None:
        """The socket that was dialled is open."""
        if self._upstream is not None:
            self._hear(self._upstream.opened())

    def genesys_refused(self, status: int) -> None:
        """The upgrade was refused with an HTTP status."""
        if self._upstream is not None:
            self._hear(self._upstream.refused(status))

    def genesys_sent(self, text: bytes | bytearray | memoryview) -> None:
        """Take one whole text message of Genesys."""
        if self._upstream is not None:
            self._hear(self._upstream.received(text))

    def genesys_closed(self, code: int | None = None, reason: str = "") -> None:
        """The socket has closed, or could not be opened."""
        if self._upstream is not None:
            self._hear(self._upstream.closed(code, reason))

    # The shell

    def answered(self, answer: Answer) -> None:
        """Take what came of a task."""
        self._tasks -= 1
        self._ANSWERS[type(answer)](self, answer)

    def heard_of_session(self, reason: GuestEnd | None) -> None:
        """The sign-in has ended; None: it may have, news were missed.

        Where another sign-in took its place the page comes back with that one's cookie: the
        binding decides whether it is still the same person.
        """
        if reason is None:
            self._look_again()
        elif reason is GuestEnd.SOMEBODY_ELSE:
            self._leave_page(Farewell.COME_BACK)
            self._page_left()
        else:
            self._do(self._conversation.hear(Ended(reason=reason)))

    def tick(self) -> None:
        """Look at the clock."""
        now = self._plan.clock.now()
        if self._upstream is None:
            if self._conversation.stage is PageStage.NEW and now >= self._init_by:
                self._leave_page(Farewell.INIT_EXPECTED)
            return
        if self._look_at is not None and now >= self._look_at:
            self._look_again()
        if self._end_again is not None and now >= self._end_again[0]:
            self._try_end_again()
        self._do(self._conversation.look_at_clock())
        self._hear(self._upstream.tick())

    def drain(self) -> None:
        """The process is leaving: finish what is in flight, then send the page elsewhere.

        What the page says meanwhile is not read, so not accepted, so sent again elsewhere.
        """
        self._draining = True
        self._try_end_again()
        if self._upstream is None:
            self._leave_page(Farewell.RESTART)
        else:
            self._hear(self._upstream.drain())

    def _try_end_again(self) -> None:
        if self._end_again is not None:
            task = self._end_again[1]
            self._end_again = None
            self._ask(task)
