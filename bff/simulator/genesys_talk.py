"""What is said in a conversation: receipts, the agent's answers, presence. No socket, no lock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from bff.ports import Clock, Entropy
from bff.simulator import genesys_frames as frames
from bff.simulator import genesys_limits as limits
from bff.simulator.genesys_agent import Agent
from bff.simulator.genesys_frames import Delivery, Frame, FrameRefused
from bff.simulator.genesys_requests import ErrorCode, SocketRequest, event_of, message_of
from bff.simulator.genesys_sessions import GuestSession, SessionBook
from bff.simulator.genesys_settings import GenesysSettings
from bff.simulator.genesys_tokens import Identity

INBOUND: Final = "Inbound"
OUTBOUND: Final = "Outbound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Who said what, as the server knows it; journeys assert on this and not on the page."""

    at: str
    text: str
    session_id: str
    identity: Identity | None


class Talk:
    """Carries what one side says to every connection of the session."""

    def __init__(
        self,
        settings: Callable[[], GenesysSettings],
        book: SessionBook,
        windows: limits.Windows,
        *,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self.heard: list[Heard] = []
        self._settings = settings
        self._book = book
        self._windows = windows
        self._clock = clock
        self._entropy = entropy
        self._agent = Agent(settings().agent_name)

    def listen(self, session: GuestSession, request: SocketRequest) -> list[Delivery]:
        """Take an onMessage and answer it. Raises FrameRefused or TooFast."""
        message = message_of(request)
        if session.read_only:
            raise FrameRefused(ErrorCode.READ_ONLY, "The conversation is read-only")
        if message["type"] == "Event":
            return self._event(session, message, request)
        self._windows.admit(limits.MESSAGES, session.session_id)
        receipt = self.say_as(session, message, direction=INBOUND, tracing_id=request.tracing_id)
        text = str(message.get("text") or "")
        self._hear(session, text)
        greeting = [] if session.greeted else self._greet(session)
        answer = self._agent.answer(text, session.first_name)
        return receipt + greeting + self.speak(session, answer)

    def _event(
        self, session: GuestSession, message: dict[str, Any], request: SocketRequest
    ) -> list[Delivery]:
        match event_of(message):
            case ("Typing", _):
                self._windows.admit(limits.TYPING, session.session_id)
                return []
            case ("Presence", "Join"):
                receipt = self.say_as(
                    session, message, direction=INBOUND, tracing_id=request.tracing_id
                )
                return receipt if session.greeted else receipt + self._greet(session)
            case ("Presence", "Disconnect"):
                return self.end(session)
            case ("Presence", "Clear") if self._settings().conversation_clear:
                deliveries = self.to(session, frames.pushed("SessionClearedEvent", {}))
                self._book.drop(session)
                return deliveries
            case ("Presence", "Clear"):
                raise FrameRefused(
                    ErrorCode.FORBIDDEN, "Presence events Conversation Clear are not supported"
                )
            case _:
                raise FrameRefused(ErrorCode.BAD_REQUEST, "Request failed.")

    def _greet(self, session: GuestSession) -> list[Delivery]:
        session.greeted = True
        return self.speak(session, self._agent.greeting(session.first_name))

    def speak(self, session: GuestSession, text: str) -> list[Delivery]:
        """The dots first, then the words."""
        dots = {"type": "Event", "events": [frames.typing_on()]}
        words = {
            "type": "Text",
            "text": text,
            "channel": {"type": "Private", "from": {"nickname": self._agent.name}},
            "originatingEntity": "Human",
        }
        typing = self.say_as(session, dots, direction=OUTBOUND)
        return typing + self.say_as(
            session, words, direction=OUTBOUND, after=self._settings().agent_delay
        )

    def say_as(
        self,
        session: GuestSession,
        body: dict[str, Any],
        *,
        direction: str,
        tracing_id: str | None = None,
        after: timedelta = timedelta(0),
    ) -> list[Delivery]:
        """Record `body` and carry it to every connection of the session."""
        body = {**body}
        if direction == INBOUND and session.identity is not None:
            names = (session.identity.given_name, session.identity.family_name)
            sender = dict(zip(("firstName", "lastName"), names, strict=True))
            body["channel"] = {"from": {k: v for k, v in sender.items() if v}}
        elif direction == INBOUND:
            body.pop("channel", None)
        message = self._book.record(session, body, direction=direction)
        frame = frames.pushed("StructuredMessage", message, tracing_id=tracing_id)
        return self.to(session, frame, after=after)

    def _hear(self, session: GuestSession, text: str) -> None:
        self.heard.append(
            Heard(
                at=frames.wire_time(self._clock.now()),
                text=text,
                session_id=session.session_id,
                identity=session.identity,
            )
        )

    def end(self, session: GuestSession) -> list[Delivery]:
        """End the conversation for writing: it can still be read."""
        session.read_only = True
        event = {
            "type": "Event",
            "metadata": {"correlationId": self._entropy.token(9), "readOnly": "true"},
            "events": [frames.presence("Disconnect")],
        }
        return self.say_as(session, event, direction=OUTBOUND)

    def to(
        self, session: GuestSession, frame: Frame, *, after: timedelta = timedelta(0)
    ) -> list[Delivery]:
        """Return `frame` for every connection of the session."""
        return [Delivery(connection=name, frame=frame, after=after) for name in session.connections]
