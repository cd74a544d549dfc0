"""News of sessions, from whoever ended one to every page that has it open, in any process."""

import json
import logging
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bff.background.jobs import Job, Pulse
from bff.background.runner import BackgroundRunner
from bff.errors import StoreDownError
from bff.ports import Clock, Store, Subscription
from bff.signin.records import EndReason, SessionKey

log = logging.getLogger(__name__)

CHANNEL: Final = "session-news"
LISTEN_TIMEOUT: Final = timedelta(seconds=5)
RETRY_PAUSE: Final = timedelta(seconds=1)
LEAVE_LIMIT: Final = timedelta(seconds=2)
JOB: Final = "session-news"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """One session is over."""

    key: SessionKey
    reason: EndReason


Inbox = queue.SimpleQueue[SessionEnded | None]
"""What one open page is told; None means that news may have been missed."""

Follower = Callable[[SessionEnded | None], None]
"""Is told the same, without a thread that waits for it."""


def announce(store: Store, ended: SessionEnded) -> None:
    """Tell every process."""
    message = json.dumps({"key": ended.key, "reason": ended.reason.value})
    store.publish(CHANNEL, message.encode())


class NewsDesk:
    """One subscription for the whole process, handed on to the pages that wait in it.

    `runner` keeps the listener alive: whatever it dies of, nothing is heard until it is back,
    `listening` says so, and every page is told to come back and ask.
    """

    def __init__(
        self, store: Store, *, clock: Clock, runner: BackgroundRunner | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._runner = runner or BackgroundRunner(clock=clock)
        self._lock = threading.Lock()
        self._followers: dict[SessionKey, list[Follower]] = defaultdict(list)
        self._listening = threading.Event()
        self._closed = threading.Event()
        self._started = False
        self._subscription: Subscription | None = None

    @property
    def listening(self) -> bool:
        """Say whether anything could be heard at this moment."""
        return self._listening.is_set()

    def start(self) -> None:
        """Begin to listen, before anybody follows. Idempotent."""
        with self._lock:
            if self._started or self._closed.is_set():
                return
            self._started = True
        self._runner.start(Job(name=JOB, loop=self._listen))

    @contextmanager
    def inbox(self, key: SessionKey) -> Iterator[Inbox]:
        """Give an inbox that receives what happens to session `key` from now on.

        Raises StoreDownError if nothing can be heard at the moment.
        """
        self.start()
        if not self._closed.is_set() and not self._listening.wait(timeout=1):
            raise StoreDownError("no subscription to session news")
        inbox: Inbox = queue.SimpleQueue()
        self._add(key, inbox.put)
        try:
            yield inbox
        finally:
            self.unfollow(key, inbox.put)

    def follow(self, key: SessionKey, told: Follower) -> None:
        """Have `told` called with what happens to session `key` from now on. Does not wait.

        It is called in the thread of the desk and must neither block nor raise. Who was here
        while nothing could be heard is told None as soon as it can be again.
        """
        self.start()
        self._add(key, told)

    def unfollow(self, key: SessionKey, told: Follower) -> None:
        """Tell `told` nothing more; what is on its way may still arrive. Idempotent."""
        with self._lock:
            followers = self._followers.get(key, [])
            if told in followers:
                followers.remove(told)
            if not followers:
                self._followers.pop(key, None)

    def close(self) -> None:
        """Stop listening; every waiting page is told to come back. Idempotent.

        Returns when the listener is gone: the store may be closed next, and must not be pulled
        away under it.
        """
        self._closed.set()
        self._tell_all()
        with self._lock:
            subscription = self._subscription
        if subscription is not None:
            subscription.close()
        self._runner.stop(JOB, limit=LEAVE_LIMIT)

    def _add(self, key: SessionKey, told: Follower) -> None:
        with self._lock:
            self._followers[key].append(told)
            closed = self._closed.is_set()
        if closed:
            # It came while the process was leaving: nobody would ever tell it.
            told(None)

    def _listen(self, pulse: Pulse) -> None:
        while not self._closed.is_set():
            try:
                with self._store.subscribe(CHANNEL) as subscription:
                    self._hear(subscription, pulse)
            except StoreDownError as error:
                pulse.failed(error)
                self._lost()
                if not self._closed.is_set():
                    self._clock.sleep(RETRY_PAUSE)
            finally:
                # Whatever it was: nothing is heard from here on.
                self._lost()
        while not pulse.stopping:
            # Closed, and about to be stopped: to return before that would be a death.
            pulse.wait(LISTEN_TIMEOUT)

    def _lost(self) -> None:
        """Something may be missed now: pages come back and ask how things stand.

        Told once, and not at each try: there may be thousands of them.
        """
        if self._listening.is_set():
            self._listening.clear()
            self._tell_all()

    def _hear(self, subscription: Subscription, pulse: Pulse) -> None:
        with self._lock:
            self._subscription = subscription
            # Who comes from now on hears everything; who was here already missed a while.
            waited = self._everybody()
            self._listening.set()
        self._tell(waited, None)
        while not self._closed.is_set():
            pulse.beat()
            heard = subscription.receive(LISTEN_TIMEOUT)
            if heard is not None:
                self._hand_on(heard[1])

    def _hand_on(self, message: bytes) -> None:
        ended = _read(message)
        if ended is None:
            self._tell_all()
            return
        with self._lock:
            followers = list(self._followers.get(ended.key, ()))
        self._tell(followers, ended)

    def _tell_all(self) -> None:
        with self._lock:
            everybody = self._everybody()
        self._tell(everybody, None)

    def _tell(self, followers: list[Follower], news: SessionEnded | None) -> None:
        for told in followers:
            try:
                told(news)
            except Exception:
                # A fault of one page's, which must not be everybody's.
                log.exception("a page could not be told of session news")

    def _everybody(self) -> list[Follower]:
        return [told for followers in self._followers.values() for told in followers]


def _read(message: bytes) -> SessionEnded | None:
    """Return what a message says; None if this version cannot read it.

    A newer version may know more reasons. Whatever it said, pages come back and ask.
    """
    try:
        news = json.loads(message)
        key, reason = news["key"], EndReason(news["reason"])
        if isinstance(key, str):
            return SessionEnded(key=SessionKey(key), reason=reason)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        log.warning("session news that this version cannot read: %s", type(error).__name__)
        return None
    log.warning("session news that this version cannot read: no key")
    return None
