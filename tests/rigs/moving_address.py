"""One address that leads elsewhere from some moment on, as a DNS name or a virtual IP does."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from redis_server import LOOPBACK


class MovingAddress:
    """Hands new connections to `target`; those that are open stay where they are."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._door = socket.create_server((LOOPBACK, 0))
        self.port: int = self._door.getsockname()[1]
        threading.Thread(target=self._welcome, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def _welcome(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._door.accept()
                try:
                    server = socket.create_connection((LOOPBACK, self.target), timeout=5)
                except OSError:
                    caller.close()
                    continue
                server.settimeout(None)
                for one, other in ((caller, server), (server, caller)):
                    threading.Thread(target=_carry, args=(one, other), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()


def _carry(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65_536):
            other.sendall(data)
    for end in (one, other):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
            end.close()
