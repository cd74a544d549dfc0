"""An HTTP server of a few lines that sends exactly what a test wants, at the pace that it wants."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(kw_only=True)
class Scripted:
    """One answer. `body` may be pieces; between them the test decides how long to wait."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Self:
        body = json.dumps(value).encode()
        return cls(status=status, body=body, headers={"Content-Type": "application/json"})


class ScriptedServer:
    """Answers by path; counts what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[], Scripted]] = {}
        self.asked: list[str] = []
        self.over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def always(self, path: str, answer: Scripted) -> None:
        self.answers[path] = lambda: answer

    def count(self, path: str) -> int:
        return self.asked.count(path)

    def run(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        here = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                here.asked.append(self.path)
                answer = here.answers.get(self.path, lambda: Scripted(status=404))()
                self.send_response(answer.status)
                whole = isinstance(answer.body, bytes)
                if whole:
                    self.send_header("Content-Length", str(len(answer.body)))  # type: ignore[arg-type]
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                pieces: Iterable[bytes] = [answer.body] if whole else answer.body  # type: ignore[assignment, list-item]
                try:
                    for piece in pieces:
                        self.wfile.write(piece)
                        self.wfile.flush()
                except OSError:
                    self.close_connection = True

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
