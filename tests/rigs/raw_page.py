"""A page that does with its socket what no browser would."""

import os
import socket
import struct
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from scripted_house import LIMIT_S, PAGE

KEY: Final = "AAECAwQFBgcICQoLDA0ODw=="


class RawPage:
    """Bytes on a socket, past the handshake if it was granted."""

    def __init__(
        self,
        port: int,
        *,
        path: str = "/ws/guest",
        headers: Mapping[str, str | None] | None = None,
        window: int = 0,
    ) -> None:
        self.socket = socket.socket()
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.settimeout(LIMIT_S)
        self.socket.connect(("127.0.0.1", port))
        self._rest = b""
        self.head = self._ask(path, headers or {})
        self.status = int(self.head.split(b" ", 2)[1])

    def _ask(self, path: str, changes: Mapping[str, str | None]) -> bytes:
        asked: dict[str, str | None] = {
            "Host": "auth.brand.example",
            "Upgrade": "websocket",
            "Connection": "keep-alive, Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": KEY,
            "Origin": PAGE,
            **changes,
        }
        lines = [f"{name}: {value}" for name, value in asked.items() if value is not None]
        self.socket.sendall("\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode())
        return self.until(b"\r\n\r\n")

    @property
    def body(self) -> bytes:
        """What stands behind a refusal, to its end."""
        body = self._rest
        while chunk := self.socket.recv(65536):
            body += chunk
        return body

    def until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            chunk = self.socket.recv(65536)
            assert chunk, self._rest
            self._rest += chunk
        found, _, self._rest = self._rest.partition(mark)
        return found

    def exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise EOFError
            self._rest += chunk
        found, self._rest = self._rest[:count], self._rest[count:]
        return found

    def frame(self) -> tuple[int, bytes]:
        """Return the next frame of the server: opcode and payload."""
        first, length = self.exactly(2)
        if length == 126:
            (length,) = struct.unpack("!H", self.exactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.exactly(8))
        return first & 0xF, self.exactly(length)

    def closed_with(self) -> tuple[int, str]:
        """Skip to the close frame."""
        while True:
            opcode, payload = self.frame()
            if opcode == 8:
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    def send(self, opcode: int, payload: bytes = b"", *, fin: bool = True, bits: int = 0) -> None:
        self.socket.sendall(spelled(opcode, payload, fin=fin, bits=bits))

    def ended(self) -> bool:
        """Say whether the server has hung up; skips what it still said."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.socket.close()


def spelled(opcode: int, payload: bytes, *, fin: bool = True, bits: int = 0) -> bytes:
    """Return a masked frame."""
    first = (0x80 if fin else 0) | bits | opcode
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return head(first, len(payload)) + mask + masked


def head(first: int, length: int) -> bytes:
    """Return the beginning of a masked frame, up to its mask."""
    if length < 126:
        return struct.pack("!BB", first, 0x80 | length)
    if length < 65536:
        return struct.pack("!BBH", first, 0x80 | 126, length)
    return struct.pack("!BBQ", first, 0x80 | 127, length)
