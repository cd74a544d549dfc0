"""A browser over real sockets: its cookies at a served BFF, and the events that it listens to."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from bff_rig import BRAND, CSRF
from provider_visitor import Visitor, plain_session

from bff.web.cookies import SESSION

TIMEOUT_S: Final = 30

Event = tuple[str, dict[str, Any]]


class WireBrowser:
    """Keeps Secure cookies on plain http, as real browsers do for *.localhost."""

    def __init__(self, url: str, *, origin: str = BRAND) -> None:
        self.url = url
        self.origin = origin
        self.cookies: dict[str, str] = {}
        self.visitor = Visitor()

    def get(self, path: str, *, stream: bool = False, **headers: str) -> requests.Response:
        return self._keep(
            plain_session().get(
                self.url + path,
                headers={**self._cookie(), **headers},
                allow_redirects=False,
                stream=stream,
                timeout=TIMEOUT_S,
            )
        )

    def post(self, path: str, json: Any = None) -> requests.Response:
        headers = {**CSRF, "Origin": self.origin, **self._cookie()}
        with plain_session() as http:
            return self._keep(
                http.post(self.url + path, json=json, headers=headers, timeout=TIMEOUT_S)
            )

    def sign_in(self, person: str = "amira") -> None:
        """Go the whole way through the provider."""
        answer = self.visitor.go(self.get("/auth/login").headers["Location"])
        if not answer.is_redirect:
            answer = self.visitor.go(answer.url, {"choice": f"person:{person}"})
        where = urlsplit(answer.headers["Location"])
        done = self.get(f"{where.path}?{where.query}")
        assert done.status_code == 303, done.text
        assert SESSION in self.cookies

    @property
    def signed_in(self) -> bool:
        return bool(self.get("/auth/session").json()["signed_in"])

    @contextmanager
    def listening(self) -> Iterator["Listener"]:
        """Open the event stream; the first event has arrived when the block begins."""
        answer = self.get("/auth/events", stream=True)
        assert answer.status_code == 200, answer.text
        listener = Listener(answer)
        try:
            assert listener.next()[0] == "session"
            yield listener
        finally:
            # Wakes the thread that reads; closing alone would wait for its next line. A stream
            # that has ended has no socket left to shut.
            with suppress(ValueError, OSError, RuntimeError):
                answer.raw.shutdown()
            answer.close()

    def _cookie(self) -> dict[str, str]:
        pairs = [f"{name}={value}" for name, value in self.cookies.items()]
        return {"Cookie": "; ".join(pairs)} if pairs else {}

    def _keep(self, answer: requests.Response) -> requests.Response:
        for cookie in answer.cookies:
            if cookie.value:
                self.cookies[cookie.name] = cookie.value.strip('"')
        return answer


class Listener:
    """Reads an event stream in a thread; None in line means that the stream has ended."""

    def __init__(self, answer: requests.Response) -> None:
        self._answer = answer
        self._heard: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self, *, within_s: float = 10) -> Event:
        """Return the next event. Raises queue.Empty if none comes in time."""
        event = self._heard.get(timeout=within_s)
        assert event is not None, "the stream ended"
        return event

    def ended(self, *, within_s: float = 10) -> bool:
        """Wait for the end of the stream; say whether that is what came next."""
        return self._heard.get(timeout=within_s) is None

    def _read(self) -> None:
        name = ""
        try:
            for line in self._answer.iter_lines(chunk_size=1, decode_unicode=True):
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self._heard.put((name, json.loads(line.removeprefix("data: "))))
        except (requests.RequestException, AttributeError):
            # Closed by this side, or cut by the other: both are an end.
            pass
        finally:
            self._heard.put(None)
