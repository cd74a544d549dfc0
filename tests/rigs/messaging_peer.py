"""A web messaging host of one socket, in a thread: it does what a test says, and nothing else."""

import queue
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

LIMIT_S: Final = 15


@dataclass(frozen=True)
class MessagingPeer:
    """One that listens; each connection waits in `connections` until the test is done with it."""

    port: int
    tls: bool
    connections: "queue.SimpleQueue[ServerConnection]" = field(default_factory=queue.SimpleQueue)
    finished: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"wss://localhost:{self.port}" if self.tls else f"ws://127.0.0.1:{self.port}"

    def connection(self) -> ServerConnection:
        return self.connections.get(timeout=LIMIT_S)


@contextmanager
def messaging_peer(tls: ssl.SSLContext | None = None) -> Iterator[MessagingPeer]:
    """Listen while the block lasts."""
    peer: list[MessagingPeer] = []

    def carry(connection: ServerConnection) -> None:
        peer[0].connections.put(connection)
        peer[0].finished.wait(LIMIT_S)

    server: Server = serve(
        carry, "127.0.0.1", 0, ssl=tls, compression=None, ping_interval=None, close_timeout=1
    )
    peer.append(MessagingPeer(port=server.socket.getsockname()[1], tls=tls is not None))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield peer[0]
    finally:
        peer[0].finished.set()
        server.shutdown()
        thread.join(LIMIT_S)


class Flood:
    """Sends texts on a connection for as long as somebody takes them in, or `most` bytes."""

    def __init__(self, connection: ServerConnection, text: str, *, most: int) -> None:
        self.sent = 0
        self._connection = connection
        self._text = text
        self._most = most
        self._thread = threading.Thread(target=self._pour, daemon=True)
        self._thread.start()

    def done(self) -> bool:
        """Wait until all of it was taken, or the connection has gone."""
        self._thread.join(LIMIT_S)
        return not self._thread.is_alive()

    def _pour(self) -> None:
        try:
            while self.sent < self._most:
                self._connection.send(self._text)
                self.sent += len(self._text)
        except ConnectionClosed:
            return
