"""A browser at the guest socket: its cookies, its keys, and a real connection."""

import json
import queue
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from frame_page import FramePage, text_message
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

DEADLINE_S: Final = 15
GUEST: Final = "__Host-bff-guest"


@dataclass(slots=True)
class Jar:
    """The cookies of one browser."""

    cookies: dict[str, str] = field(default_factory=dict)

    def header(self) -> dict[str, str]:
        if not self.cookies:
            return {}
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def keep(self, set_cookie: str | None) -> None:
        if set_cookie:
            name, _, value = set_cookie.partition(";")[0].partition("=")
            self.cookies[name] = value


class GuestPage:
    """One connection. Frames wait in a queue, and in `seen`, in the order in which they came."""

    def __init__(
        self,
        url: str,
        *,
        origin: str | None,
        jar: Jar | None = None,
        compression: str | None = None,
    ) -> None:
        self.jar = jar or Jar()
        self.keys = FramePage()
        self.created: dict[str, Any] = {}
        self.seen: list[dict[str, Any]] = []
        self._frames: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.socket: ClientConnection = connect(
            url,
            origin=None if origin is None else Origin(origin),
            compression=compression,
            proxy=None,
            additional_headers=self.jar.header(),
            open_timeout=DEADLINE_S,
            close_timeout=1,
            legacy=True,
            ping_interval=None,
        )
        response = self.socket.response
        self.jar.keep(response.headers.get("Set-Cookie") if response else None)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Close as a page does that is closed."""
        self.socket.close()
        self._reader.join(DEADLINE_S)

    def vanish(self) -> None:
        """Be gone without a word, as with a lost network."""
        self.socket.socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(DEADLINE_S)

    def send(self, frame: bytes) -> None:
        self.socket.send(frame.decode())

    def open(self, **init: Any) -> dict[str, Any]:
        """Send `init` and take in the answer, which must be a session."""
        self.send(self.keys.init(**init))
        self.created = self.next()
        assert self.created["type"] == "session_created", self.created
        self.keys.learn(self.created)
        return self.created

    def say(self, text: str, *, message_id: str | None = None) -> int:
        """Send a message; return its seq."""
        named = {} if message_id is None else {"metadata": {"id": message_id}}
        self.send(self.keys.message(text_message(text, **named)))
        return self.keys.seq

    def next(self) -> dict[str, Any]:
        """Return the next frame."""
        frame = self._frames.get(timeout=DEADLINE_S)
        assert frame is not None, f"closed with {self.closed_with} after {self.seen}"
        return frame

    def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Skip frames until one of this type comes that has these fields."""
        while True:
            frame = self.next()
            if frame["type"] == kind and all(frame.get(k) == v for k, v in fields.items()):
                return frame

    def until_text(self, text: str) -> dict[str, Any]:
        """Skip frames until one comes that carries these words."""
        while True:
            frame = self.next()
            if (frame.get("body") or {}).get("text") == text:
                return frame

    def until_all(self, *wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Skip frames until each of these has been met, in whatever order."""
        missing = list(wanted)
        while missing:
            frame = self.next()
            missing = [one for one in missing if not one(frame)]

    def until_closed(self) -> tuple[int | None, str | None]:
        """Wait until the server has closed; return its code and reason."""
        while self._frames.get(timeout=DEADLINE_S) is not None:
            pass
        return self.closed_with

    def last(self) -> dict[str, Any]:
        """Return the last frame of a connection that has been closed.

        `send` fails as soon as the close has come: the reader may have frames before it to take in.
        """
        self._reader.join(DEADLINE_S)
        assert not self._reader.is_alive(), "the server has not closed"
        return self.seen[-1]

    @property
    def closed_with(self) -> tuple[int | None, str | None]:
        return self.socket.close_code, self.socket.close_reason

    def _read(self) -> None:
        try:
            while True:
                frame = json.loads(self.socket.recv())
                self.seen.append(frame)
                self._frames.put(frame)
        except (ConnectionClosed, OSError):
            self._frames.put(None)
