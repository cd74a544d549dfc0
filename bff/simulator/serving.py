"""Serves a WSGI application on loopback in a thread, for the stand-ins and the tests."""

import threading
from types import TracebackType
from typing import Any, Final, Self

from werkzeug.serving import WSGIRequestHandler, make_server

LOOPBACK: Final = "127.0.0.1"


class _QuietHandler(WSGIRequestHandler):
    """One line for each request is for servers that people read; a stand-in keeps quiet."""

    # Long polls and sockets need HTTP/1.1; each connection has its own thread.
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None:
        """Say nothing."""


class Served:
    """A running application: `host` is the name that browsers use, always loopback."""

    def __init__(self, app: Any, *, host: str = LOOPBACK, port: int = 0) -> None:
        self._server = make_server(
            LOOPBACK, port, app, threaded=True, request_handler=_QuietHandler
        )
        self._server.daemon_threads = True  # type: ignore[attr-defined]  # ThreadingMixIn has it
        self.port = self._server.server_port
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def start(self) -> Self:
        """Begin to serve; connections that came since construction are answered too."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop accepting and close the listening socket. Idempotent."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()
