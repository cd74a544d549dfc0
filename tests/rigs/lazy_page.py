"""A page that stops reading when it is told to."""

import json
import threading

from guest_page import GuestPage
from websockets.exceptions import ConnectionClosed


class LazyPage(GuestPage):
    """Stops reading when it is told to; whatever comes then stays where it is."""

    def __init__(self, url: str, *, origin: str) -> None:
        self.lazy = threading.Event()
        super().__init__(url, origin=origin)

    def _read(self) -> None:
        while not self.lazy.is_set():
            self._frames.put(json.loads(self.socket.recv()))

    def open_and_stop(self, text: str) -> None:
        """Say something in a session of its own, and read nothing more."""
        self.open()
        self.say(text)
        self.until("message_delivered")
        self.lazy.set()

    def break_off(self) -> None:
        """Be gone."""
        self.socket.socket.close()

    def what_is_left(self) -> int:
        """Read on to the end; return how many bytes came."""
        count = 0
        try:
            while True:
                count += len(self.socket.recv())
        except (ConnectionClosed, OSError):
            return count
