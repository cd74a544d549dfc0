"""Hundreds of connections that are granted their upgrade and then send nothing."""

import resource
import selectors
import socket
from collections import Counter
from time import monotonic
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

AT_ONCE: Final = 50
LIMIT_S: Final = 30
GRANTED: Final = b"HTTP/1.1 101"
FILES: Final = 4096


def allow_files() -> None:
    """Let this process have the sockets of a crowd, if the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))


class SilentCrowd:
    """Connections to any number of guest sockets. Each hangs up when it is said goodbye to."""

    def __init__(self, origin: str) -> None:
        allow_files()
        self._origin = origin
        self._sockets: dict[socket.socket, str] = {}

    def __len__(self) -> int:
        return len(self._sockets)

    def grow(self, url: str, count: int) -> Self:
        """Connect so many more to `url`. Every one of them must be let in."""
        for first in range(0, count, AT_ONCE):
            fresh = [self._asked(url) for _ in range(min(AT_ONCE, count - first))]
            for one in fresh:
                head = one.recv(4096)
                assert head.startswith(GRANTED), head
                assert head.endswith(b"\r\n\r\n"), head
                self._sockets[one] = url
        return self

    def _asked(self, url: str) -> socket.socket:
        parts = urlsplit(url)
        one = socket.create_connection((str(parts.hostname), int(parts.port or 0)), LIMIT_S)
        head = (
            f"GET {parts.path} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==",
            f"Origin: {self._origin}",
        )
        one.sendall("\r\n".join([*head, "", ""]).encode())
        return one

    def farewells(self, *, within_s: float) -> Counter[tuple[str, int, str]]:
        """Wait until all are said goodbye to; return how many were told what, and where."""
        told: Counter[tuple[str, int, str]] = Counter()
        until = monotonic() + within_s
        with selectors.DefaultSelector() as waiting:
            for silent in self._sockets:
                waiting.register(silent, selectors.EVENT_READ, silent)
            while waiting.get_map() and monotonic() < until:
                for key, _ in waiting.select(timeout=0.1):
                    one: socket.socket = key.data
                    told[(self._sockets[one], *_farewell(one))] += 1
                    waiting.unregister(one)
                    one.close()
                    del self._sockets[one]
        return told

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for one in self._sockets:
            one.close()


def _farewell(one: socket.socket) -> tuple[int, str]:
    """Return code and reason of a close frame; (0, "") for a hang-up without one."""
    frame = one.recv(4096)
    if len(frame) < 4 or frame[0] != 0x88:
        return 0, ""
    return int.from_bytes(frame[2:4], "big"), frame[4:].decode()
