"""A Genesys of few lines: what it heard, what it keeps, what it answers, how fast it may be asked.

It knows nothing of the stand-in: what both allow is what the contract says.
"""

import json
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from hand_clock import START

TOKEN: Final = "11111111-2222-4333-8444-555555555555"
GOOD_JWT: Final = "good-jwt"
PAGE_SIZE: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Whim:
    """What Genesys does with the next message: refuse it as too early, or not."""

    refuses: bool = True
    retry_after: float | None = 1
    names_it: bool = True


class TinyGenesys:
    """One session: what it heard, what it keeps, what it answers."""

    def __init__(self, *, keeps_metadata: bool = True) -> None:
        self.heard: list[str] = []
        self.history: list[dict[str, Any]] = []
        self.began = self.signed_in = False
        self.complaints: list[str] = []
        self._at = START
        self._keeps_metadata = keeps_metadata
        self._requests: deque[datetime] = deque()
        self._messages: deque[datetime] = deque()
        self._health_checks: deque[datetime] = deque()
        self.configured = False
        # Whether it keeps its limits by what arrives, and what it refuses besides.
        self.is_strict = False
        self.whims: deque[Whim] = deque()
        self.refused: Counter[str] = Counter()
        self._arrived: deque[datetime] = deque()

    def connect(self) -> None:
        self.configured = False
        self._requests.clear()

    def hear(
        self, text: bytes, *, at: datetime, late: bool = False, arrives: datetime | None = None
    ) -> list[dict[str, Any]]:
        """Answer one frame. A late one is of a connection that is gone.

        The limits are those of the writer: it cannot know what the wire holds back.
        """
        self._at = at
        request = json.loads(text)
        action = request["action"]
        assert request["token"] == TOKEN
        if not late:
            self._count(self._requests, 60, timedelta(minutes=1), "requests")
        if action.startswith("configure"):
            return self._configure(request)
        if not self.configured and not late:
            self.complaints.append(f"{action} before a SessionResponse")
        match action:
            case "onMessage":
                if not late and request["message"]["type"] != "Event":
                    self._count(self._messages, 5, timedelta(seconds=1), "messages")
                whim = self._whim(arrives or at)
                if whim is not None:
                    return [self._too_early(request, whim)]
                return self._message(request)
            case "getJwt":
                return [self._answer(request, "JwtResponse", {"jwt": "history", "exp": 1})]
            case "echo":
                self._count(self._health_checks, 2, timedelta(minutes=1), "health checks")
                body = {"type": "Text", "text": "ping", "direction": "Inbound", "id": "echo_id"}
                return [self._answer(request, "StructuredMessage", body)]
            case "closeSession":
                over = {"connected": False, "readOnly": True}
                return [self._answer(request, "SessionResponse", over)]
            case _:
                raise AssertionError(action)

    def _configure(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        if request["startNew"]:
            self.complaints.append("startNew")
        if request["action"] == "configureAuthenticatedSession":
            if request["data"]["code"] != GOOD_JWT:
                return [self._answer(request, "string", "User is unauthorized", code=401)]
            self.signed_in = True
        elif self.signed_in:
            return [self._answer(request, "string", "cannot downgrade", code=4017)]
        body: dict[str, Any] = {"connected": True, "newSession": not self.began}
        self.began = self.configured = True
        return [self._answer(request, "SessionResponse", body)]

    # What is said

    def _message(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        message = request["message"]
        if message["type"] == "Event":
            if "typing" not in str(message["events"]):
                self.heard.append(request["tracingId"])
            return []
        self.heard.append(request["tracingId"])
        body = self._keep({**message, "direction": "Inbound"})
        return [{**pushed(body), "tracingId": request["tracingId"]}]

    def take_up(self, arrives: datetime) -> bool:
        """Count a message that arrives, from whichever page; say whether there is room for it."""
        second = timedelta(seconds=1)
        while self._arrived and arrives - self._arrived[0] >= second:
            self._arrived.popleft()
        if len(self._arrived) >= 5:
            return False
        self._arrived.append(arrives)
        return True

    def _whim(self, arrives: datetime) -> Whim | None:
        if self.whims:
            whim = self.whims.popleft()
            if whim.refuses:
                return whim
        if self.is_strict and not self.take_up(arrives):
            return Whim()
        return None

    def _too_early(self, request: dict[str, Any], whim: Whim) -> dict[str, Any]:
        self.refused[request["tracingId"]] += 1
        body: dict[str, Any] = {"errorCode": 4029, "errorMessage": "Message rate too high"}
        if whim.retry_after is not None:
            body["retryAfter"] = whim.retry_after
        frame = self._answer(request, "TooManyRequestsErrorMessage", body, code=429)
        if not whim.names_it:
            del frame["tracingId"]
        return frame

    def say(self, text: str) -> dict[str, Any]:
        body = self._keep({"type": "Text", "text": text, "direction": "Outbound"})
        return pushed(body)

    def _keep(self, message: dict[str, Any]) -> dict[str, Any]:
        count = len(self.history) + 1
        if not self._keeps_metadata:
            message.pop("metadata", None)
        body = {**message, "id": f"id-{count}", "channel": {"messageId": f"uuid-{count}"}}
        self.history.append(body)
        return body

    def page(self, number: int) -> dict[str, Any]:
        newest = self.history[::-1]
        entities = newest[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
        pages = -(-len(newest) // PAGE_SIZE)
        return {"entities": entities, "pageNumber": number, "pageCount": pages}

    def _answer(
        self, request: dict[str, Any], name: str, body: Any, *, code: int = 200
    ) -> dict[str, Any]:
        frame = {"type": "response", "class": name, "code": code, "body": body}
        return {**frame, "tracingId": request["tracingId"]}

    def _count(self, times: deque[datetime], most: int, window: timedelta, what: str) -> None:
        now = self._at
        while times and now - times[0] >= window:
            times.popleft()
        times.append(now)
        if len(times) > most:
            self.complaints.append(f"too many {what}")


def pushed(body: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "class": "StructuredMessage", "code": 200, "body": body}
