"""News of sessions, from whoever ended one to every page that has it open, in any process."""

import json
import logging
import queue
import threading
from collections import defaultdict
from collections.abc import Iterator
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
        self._inboxes: dict[SessionKey, set[Inbox]] = defaultdict(set)
        self._listening = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._subscription: Subscription | None = None

    @contextmanager
    def inbox(self, key: SessionKey) -> Iterator[Inbox]:
        """Give an inbox that receives what happens to session `key` from now on."""
        self._start()
        inbox: Inbox = queue.SimpleQueue()
        with self._lock:
            self._inboxes[key].add(inbox)
            if self._closed.is_set():
                # It came while the process was leaving: nobody would ever tell it.
                inbox.put(None)
        try:
            yield inbox
        finally:
            with self._lock:
                self._inboxes[key].discard(inbox)
                if not self._inboxes[key]:
                    del self._inboxes[key]

    def close(self) -> None:
        """Stop listening; every waiting page is told to come back. Idempotent.

        Returns when the listener is gone: the store may be closed next, and must not be pulled
        away under it.
        """
        self._closed.set()
        self._tell_all(None)
        with self._lock:
            subscription, thread = self._subscription, self._thread
        if subscription is not None:
            subscription.close()
        if thread is not None:
            thread.join(LEAVE_LIMIT_S)

    def _start(self) -> None:
        if self._closed.is_set():
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, daemon=True)
                self._thread.start()
        if not self._listening.wait(timeout=1):
            raise StoreDownError("no subscription to session news")

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                with self._store.subscribe(CHANNEL) as subscription:
                    with self._lock:
                        self._subscription = subscription
                    self._listening.set()
                    while not self._closed.is_set():
                        heard = subscription.receive(LISTEN_TIMEOUT)
                        if heard is not None:
                            self._hand_on(heard[1])
            except StoreDownError:
                # Something may be missed now: pages come back and ask how things stand.
                self._listening.clear()
                self._tell_all(None)
                if not self._closed.is_set():
                    self._clock.sleep(RETRY_PAUSE)

    def _hand_on(self, message: bytes) -> None:
        try:
            news = json.loads(message)
            ended = SessionEnded(key=SessionKey(news["key"]), reason=EndReason(news["reason"]))
        except (ValueError, KeyError, TypeError):
            # A newer version may know more reasons. Whatever it said, pages come back and ask.
            log.warning("session news that this version cannot read")
            self._tell_all(None)
            return
        with self._lock:
            for inbox in self._inboxes.get(ended.key, ()):
                inbox.put(ended)

    def _tell_all(self, news: None) -> None:
        with self._lock:
            for inboxes in self._inboxes.values():
                for inbox in inboxes:
                    inbox.put(news)
