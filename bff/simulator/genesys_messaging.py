"""Web messaging without a socket: text in, deliveries out. Not thread-safe: its owner locks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bff.ports import Clock, Entropy
from bff.simulator import genesys_frames as frames
from bff.simulator import genesys_limits as limits
from bff.simulator.genesys_errors import PlatformRefusal
from bff.simulator.genesys_faults import Door, Faults
from bff.simulator.genesys_frames import Delivery, Frame, FrameRefused
from bff.simulator.genesys_requests import (
    ErrorCode,
    SocketRequest,
    message_of,
    parse,
    request_from,
    tracing_id_of,
)
from bff.simulator.genesys_sessions import GuestSession, SessionBook
from bff.simulator.genesys_settings import GenesysSettings
from bff.simulator.genesys_talk import INBOUND, Talk
from bff.simulator.genesys_tokens import Identity, TokenDesk


@dataclass(slots=True, kw_only=True)
class Connection:
    """One open socket."""

    name: str
    opened_at: datetime
    token: str | None = field(default=None, repr=False)
    session_id: str | None = None


@dataclass(slots=True, kw_only=True)
class SocketCounters:
    """What happened on sockets so far."""

    configured_guest: int = 0
    configured_authenticated: int = 0
    unauthorized: int = 0
    stepped_up: int = 0


class WebMessaging:
    """The guest API: sessions, connections, messages, presence, limits."""

    def __init__(
        self,
        settings: Callable[[], GenesysSettings],
        desk: TokenDesk,
        faults: Faults,
        *,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self.book = SessionBook(clock, entropy, life=settings().session_life)
        self.counters = SocketCounters()
        self.connections: dict[str, Connection] = {}
        self._settings = settings
        self._desk = desk
        self._faults = faults
        self._clock = clock
        self._entropy = entropy
        self._windows = limits.Windows(clock)
        self.talk = Talk(settings, self.book, self._windows, clock=clock, entropy=entropy)
        self._actions: dict[str, Callable[[Connection, SocketRequest], list[Delivery]]] = {
            "configureSession": self._configure_guest,
            "configureAuthenticatedSession": self._configure_person,
            "onMessage": self._listen,
            "echo": self._health_check,
            "getJwt": self._history_jwt,
            "closeSession": self._close_session,
            "getConfiguration": self._configuration,
            "disconnectCustomer": self._disconnect,
        }

    def open(self, deployment_id: str) -> str | None:
        """Admit a connection and return its name, or None if too many came in this minute."""
        if self._windows.wait(limits.CONNECTIONS, deployment_id) is not None:
            return None
        name = self._entropy.token(9)
        self.connections[name] = Connection(name=name, opened_at=self._clock.now())
        return name

    def receive(self, name: str, text: str) -> list[Delivery]:
        """Answer one frame of a client."""
        connection = self.connections.get(name)
        if connection is None:
            return []
        tracing_id = None
        try:
            raw = parse(text)
            tracing_id = tracing_id_of(raw)
            self._windows.admit(limits.REQUESTS, connection.name)
            request = request_from(raw)
            return self._actions.get(request.action, _unavailable)(connection, request)
        except FrameRefused as refusal:
            answer = frames.response(
                "string", refusal.text, tracing_id=tracing_id, code=int(refusal.code)
            )
        except limits.TooFast as fast:
            answer = frames.too_many(fast.wait, fast.what, tracing_id=tracing_id)
        return [Delivery(connection=name, frame=answer)]

    def close(self, name: str) -> None:
        """Forget a connection that is gone; its session stays."""
        connection = self.connections.pop(name, None)
        self._windows.forget(name)
        session = self._session_of(connection) if connection else None
        if session is not None and name in session.connections:
            session.connections.remove(name)

    def log_out(self, subject: str) -> list[Delivery]:
        """Tell every connection of a person that the session is over for good."""
        deliveries = []
        for session in self.book.all():
            if session.identity is not None and session.identity.subject == subject:
                deliveries += self.talk.to(session, frames.pushed("LogoutEvent", {}))
        return deliveries

    def cut(self, names: Iterable[str] | None = None) -> list[Delivery]:
        """End connections without a word: all of them, or those named."""
        chosen = list(self.connections) if names is None else list(names)
        return [Delivery(connection=name, closes=True) for name in chosen]

    def sweep(self) -> list[Delivery]:
        """End the connections that have been open for two hours."""
        oldest = self._clock.now() - self._settings().connection_life
        return self.cut(c.name for c in self.connections.values() if c.opened_at <= oldest)

    def say(self, text: str) -> list[Delivery]:
        """Let the agent say something in every conversation."""
        deliveries: list[Delivery] = []
        for session in self.book.all():
            deliveries += self.talk.speak(session, text)
        return deliveries

    def history(self, session_id: str) -> list[dict[str, Any]] | None:
        """Return the messages of a session, newest first, or None if it is gone."""
        session = self.book.by_id(session_id)
        return None if session is None else list(reversed(session.messages))

    def reset_counters(self) -> None:
        """Count from nought again."""
        self.counters = SocketCounters()

    def admit_history(self, session_id: str) -> timedelta | None:
        """Count one more look at the history; return how long to wait if it is one too many."""
        return self._windows.wait(limits.HISTORY, session_id)

    # Configuring

    def _configure_guest(self, connection: Connection, request: SocketRequest) -> list[Delivery]:
        self._begin_configuring(request)
        session = self.book.find(request.token)
        if session is not None and session.identity is not None:
            raise FrameRefused(
                ErrorCode.CANNOT_DOWNGRADE, "Cannot downgrade to an unauthenticated session"
            )
        is_new = self._must_begin(session, request)
        session = self.book.begin(request.token) if session is None or is_new else session
        return self._attach(connection, session, request, is_new=is_new)

    def _configure_person(self, connection: Connection, request: SocketRequest) -> list[Delivery]:
        self._begin_configuring(request)
        identity = self._identity(request)
        session = self.book.find(request.token)
        if session is not None and session.identity is None and not self.book.expired(session):
            return self._step_up(connection, session, request, identity)
        if (
            session is not None
            and session.identity is not None
            and session.identity.subject != identity.subject
        ):
            raise FrameRefused(ErrorCode.FORBIDDEN, "Session authentication failed")
        # A person has one conversation: another browser with another token joins it.
        session = self.book.of_person(identity.subject) or session
        is_new = self._must_begin(session, request)
        if session is None or is_new:
            self._end_of_person(identity)
            session = self.book.begin(request.token)
        self.book.adopt(session, request.token)
        session.identity = identity
        return self._attach(connection, session, request, is_new=is_new)

    def _step_up(
        self,
        connection: Connection,
        session: GuestSession,
        request: SocketRequest,
        identity: Identity,
    ) -> list[Delivery]:
        existing = self.book.of_person(identity.subject)
        deliveries = []
        if existing is not None:
            deliveries += self.talk.to(existing, frames.pushed("SessionClearedEvent", {}))
            self.book.drop(existing)
        for name in [other for other in session.connections if other != connection.name]:
            closing = frames.pushed("ConnectionClosedEvent", {"reason": "signedIn"})
            deliveries.append(Delivery(connection=name, frame=closing, closes=True))
            session.connections.remove(name)
        session.identity = identity
        self.counters.stepped_up += 1
        deliveries += self._attach(
            connection, session, request, is_new=False, cleared_existing=existing is not None
        )
        signed_in = {"type": "Event", "events": [frames.presence("SignIn")]}
        extra = {"metadata": {"authenticated": "true", "correlationId": self._entropy.token(9)}}
        return deliveries + self.talk.say_as(session, {**signed_in, **extra}, direction=INBOUND)

    def _begin_configuring(self, request: SocketRequest) -> None:
        self._windows.admit(limits.CONFIGURES, request.token)
        if request.text_of("deploymentId") != self._settings().deployment_id:
            raise FrameRefused(ErrorCode.BAD_REQUEST, "Request failed.")
        try:
            self._faults.strike(Door.CONFIGURE)
        except PlatformRefusal as refusal:
            raise FrameRefused(refusal.status, refusal.message) from refusal

    def _identity(self, request: SocketRequest) -> Identity:
        data = request.body.get("data")
        code = data.get("code") if isinstance(data, dict) else None
        if not isinstance(code, str):
            raise FrameRefused(ErrorCode.MISSING_PARAMETER, "Missing required parameter: data.code")
        try:
            return self._desk.identity_of(code)
        except PlatformRefusal as refusal:
            self.counters.unauthorized += 1
            raise FrameRefused(ErrorCode.UNAUTHORIZED, "User is unauthorized") from refusal

    def _must_begin(self, session: GuestSession | None, request: SocketRequest) -> bool:
        if session is None or self.book.expired(session):
            return True
        return session.read_only and request.body.get("startNew") is True

    def _end_of_person(self, identity: Identity) -> None:
        existing = self.book.of_person(identity.subject)
        if existing is not None:
            self.book.drop(existing)

    def _attach(
        self,
        connection: Connection,
        session: GuestSession,
        request: SocketRequest,
        *,
        is_new: bool,
        cleared_existing: bool = False,
    ) -> list[Delivery]:
        deliveries = self._make_room(connection, session)
        connection.token = request.token
        if session.identity is None:
            self.counters.configured_guest += 1
        else:
            self.counters.configured_authenticated += 1
        connection.session_id = session.session_id
        answer = self._session_answer(
            session, request, is_new=is_new, cleared_existing=cleared_existing
        )
        return [*deliveries, Delivery(connection=connection.name, frame=answer)]

    def _make_room(self, connection: Connection, session: GuestSession) -> list[Delivery]:
        """A fourth connection of a session closes the oldest."""
        if connection.name in session.connections:
            return []
        session.connections.append(connection.name)
        if len(session.connections) <= limits.MAX_CONNECTIONS:
            return []
        oldest = session.connections.pop(0)
        closing = frames.pushed("ConnectionClosedEvent", {})
        return [Delivery(connection=oldest, frame=closing, closes=True)]

    def _session_answer(
        self,
        session: GuestSession,
        request: SocketRequest,
        *,
        is_new: bool,
        cleared_existing: bool = False,
        connected: bool = True,
    ) -> Frame:
        return frames.session_response(
            connected=connected,
            new_session=is_new,
            read_only=session.read_only,
            cleared_existing=cleared_existing,
            duration=self.book.life,
            ends_at=self.book.ends_at(session),
            tracing_id=request.tracing_id,
        )

    # Everything else

    def _listen(self, connection: Connection, request: SocketRequest) -> list[Delivery]:
        return self.talk.listen(self._configured(connection, request), request)

    def _health_check(self, connection: Connection, request: SocketRequest) -> list[Delivery]:
        self._windows.admit(limits.HEALTH_CHECKS, connection.name)
        session = self._configured(connection, request)
        message = message_of(request)
        body = {
            "text": message.get("text", ""),
            "type": "Text",
            "direction": INBOUND,
            "id": "echo_id",
            "metadata": {
                "durationSeconds": str(int(self.book.life.total_seconds())),
                "expirationDate": str(int(self.book.ends_at(session).timestamp())),
            },
        }
        return self._answer(connection, request, "StructuredMessage", body)

    def _history_jwt(self, connection: Connection, request: SocketRequest) -> list[Delivery]:
        session = self._configured(connection, request)
        raw, ends_at = self._desk.history_jwt(session.session_id)
        return self._answer(connection, request, "JwtResponse", {"jwt": raw, "exp": ends_at})

    def _close_session(self, connection: Connection, request: SocketRequest) -> list[Delivery]:
        session = self._configured(connection, request)
        deliveries = []
        if request.body.get("closeAllConnections") is True:
            for name in [other for other in session.connections if other != connection.name]:
                closing = frames.pushed("ConnectionClosedEvent", {})
                deliveries.append(Delivery(connection=name, frame=closing, closes=True))
                session.connections.remove(name)
        session.read_only = True
        answer = self._session_answer(session, request, is_new=False, connected=False)
        return [*deliveries, Delivery(connection=connection.name, frame=answer)]

    def _configuration(self, connection: Connection, request: SocketRequest) -> list[Delivery]:
        body = frames.configuration_body(self.book.life)
        return self._answer(connection, request, "GetConfigurationResponse", body)

    def _disconnect(self, connection: Connection, request: SocketRequest) -> list[Delivery]:
        return self.talk.end(self._configured(connection, request))

    def _answer(
        self, connection: Connection, request: SocketRequest, name: str, body: dict[str, Any]
    ) -> list[Delivery]:
        frame = frames.response(name, body, tracing_id=request.tracing_id)
        return [Delivery(connection=connection.name, frame=frame)]

    def _configured(self, connection: Connection, request: SocketRequest) -> GuestSession:
        session = self._session_of(connection)
        if session is None or connection.token != request.token:
            raise FrameRefused(ErrorCode.SESSION_NOT_FOUND, "session not found error message")
        if self.book.expired(session):
            raise FrameRefused(ErrorCode.SESSION_EXPIRED, "session expired error message")
        return session

    def _session_of(self, connection: Connection) -> GuestSession | None:
        return self.book.by_id(connection.session_id or "")


def _unavailable(_: Connection, request: SocketRequest) -> list[Delivery]:
    raise FrameRefused(ErrorCode.FEATURE_UNAVAILABLE, f"Feature unavailable: {request.action}")
