"""One address for a service and its gateways, as a reverse proxy in front of both gives them."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from bff.simulator.serving import LOOPBACK

GUESTS: Final = b"/ws/guest"
CHUNK: Final = 65_536


class FrontProxy:
    """Sends guest sockets to `guests_at` and everything else to `service_at`, byte by byte."""

    def __init__(self, *, port: int, service_at: int) -> None:
        self.service_at = service_at
        self.guests_at = service_at
        self._door = socket.create_server((LOOPBACK, port))
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                browser, _ = self._door.accept()
                threading.Thread(target=self._carry, args=(browser,), daemon=True).start()

    def _carry(self, browser: socket.socket) -> None:
        with browser, suppress(OSError):
            self._open.add(browser)
            head = browser.recv(CHUNK)
            is_guest = GUESTS in head.partition(b"\r\n")[0]
            port = self.guests_at if is_guest else self.service_at
            with socket.create_connection((LOOPBACK, port)) as server:
                self._open.add(server)
                server.sendall(head)
                back = threading.Thread(target=_pump, args=(server, browser), daemon=True)
                back.start()
                _pump(browser, server)
                back.join()

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, and break what is open."""
        for each in (self._door, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._door.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
