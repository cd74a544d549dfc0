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

from bff.errors import StoreDownError
from bff.ports import Clock, Store, Subscription
from bff.signin.records import EndReason, SessionKey

log = logging.getLogger(__name__)

CHANNEL: Final = "session-news"
LISTEN_TIMEOUT: Final = timedelta(seconds=5)
RETRY_PAUSE: Final = timedelta(seconds=1)
LEAVE_LIMIT_S: Final = 2


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
    """One subscription for the whole process, handed on to the pages that wait in it."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._followers: dict[SessionKey, list[Follower]] = defaultdict(list)
        self._listening = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._subscription: Subscription | None = None

    @property
    def listening(self) -> bool:
        """Say whether anything could be heard at this moment."""
        return self._listening.is_set()

    def start(self) -> None:
        """Begin to listen, before anybody follows. Idempotent."""
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._listen, daemon=True)
                self._thread.start()

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
            subscription, thread = self._subscription, self._thread
        if subscription is not None:
            subscription.close()
        if thread is not None:
            thread.join(LEAVE_LIMIT_S)

    def _add(self, key: SessionKey, told: Follower) -> None:
        with self._lock:
            self._followers[key].append(told)
            closed = self._closed.is_set()
        if closed:
            # It came while the process was leaving: nobody would ever tell it.
            told(None)

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                with self._store.subscribe(CHANNEL) as subscription:
                    self._hear(subscription)
            except StoreDownError:
                if self._listening.is_set():
                    # Something may be missed now: pages come back and ask how things stand.
                    # Told once, and not at each try: there may be thousands of them.
                    self._listening.clear()
                    self._tell_all()
                if not self._closed.is_set():
                    self._clock.sleep(RETRY_PAUSE)

    def _hear(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscription = subscription
            # Who comes from now on hears everything; who was here already missed a while.
            waited = self._everybody()
            self._listening.set()
        for told in waited:
            told(None)
        while not self._closed.is_set():
            heard = subscription.receive(LISTEN_TIMEOUT)
            if heard is not None:
                self._hand_on(heard[1])

    def _hand_on(self, message: bytes) -> None:
        try:
            news = json.loads(message)
            ended = SessionEnded(key=SessionKey(news["key"]), reason=EndReason(news["reason"]))
        except (ValueError, KeyError, TypeError):
            # A newer version may know more reasons. Whatever it said, pages come back and ask.
            log.warning("session news that this version cannot read")
            self._tell_all()
            return
        with self._lock:
            followers = tuple(self._followers.get(ended.key, ()))
        for told in followers:
            told(ended)

    def _tell_all(self) -> None:
        with self._lock:
            everybody = self._everybody()
        for told in everybody:
            told(None)

    def _everybody(self) -> list[Follower]:
        return [told for followers in self._followers.values() for told in followers]
