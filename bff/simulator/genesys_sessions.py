"""Guest sessions: a token each, an identity once signed in, and what was said."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bff.ports import Clock, Entropy
from bff.simulator.genesys_frames import wire_time
from bff.simulator.genesys_tokens import Identity


@dataclass(slots=True, kw_only=True)
class GuestSession:
    """One conversation. A signed-in person has one, whichever token the browser invented."""

    session_id: str
    last_message_at: datetime
    tokens: set[str] = field(default_factory=set, repr=False)
    identity: Identity | None = None
    connections: list[str] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    read_only: bool = False
    greeted: bool = False

    @property
    def first_name(self) -> str | None:
        """The name the agent may use: only one that the provider vouched for."""
        return self.identity.given_name if self.identity else None


class SessionBook:
    """Finds sessions by token and by person. Not thread-safe: its owner locks."""

    def __init__(self, clock: Clock, entropy: Entropy, *, life: timedelta) -> None:
        self._clock = clock
        self._entropy = entropy
        self._life = life
        self._last_time = clock.now()
        self._sessions: dict[str, GuestSession] = {}
        self._by_token: dict[str, str] = {}

    @property
    def life(self) -> timedelta:
        """How long a session lives after its last message."""
        return self._life

    def all(self) -> list[GuestSession]:
        """Return every session that is not gone."""
        return list(self._sessions.values())

    def find(self, token: str) -> GuestSession | None:
        """Return the session behind `token`, expired or not."""
        return self._sessions.get(self._by_token.get(token, ""))

    def by_id(self, session_id: str) -> GuestSession | None:
        """Return the session of that id."""
        return self._sessions.get(session_id)

    def of_person(self, subject: str) -> GuestSession | None:
        """Return the living session of a signed-in person."""
        for session in self._sessions.values():
            signed_in = session.identity is not None and session.identity.subject == subject
            if signed_in and not self.expired(session):
                return session
        return None

    def expired(self, session: GuestSession) -> bool:
        """Say whether nothing was said for too long."""
        return self._clock.now() - session.last_message_at >= self._life

    def ends_at(self, session: GuestSession) -> datetime:
        """Return when the session ends if nothing more is said."""
        return session.last_message_at + self._life

    def begin(self, token: str) -> GuestSession:
        """Open a new session for `token`, in place of whatever the token meant before."""
        session = GuestSession(session_id=self._hex(), last_message_at=self._clock.now())
        self._sessions[session.session_id] = session
        self.adopt(session, token)
        return session

    def adopt(self, session: GuestSession, token: str) -> None:
        """Let `token` mean `session` from now on."""
        session.tokens.add(token)
        self._by_token[token] = session.session_id

    def drop(self, session: GuestSession) -> None:
        """Forget the session and its tokens."""
        self._sessions.pop(session.session_id, None)
        for token in session.tokens:
            if self._by_token.get(token) == session.session_id:
                del self._by_token[token]

    def record(
        self, session: GuestSession, body: dict[str, Any], *, direction: str
    ) -> dict[str, Any]:
        """Return `body` as it travels, with id and time; texts become part of the history."""
        moment = self._next_time()
        channel = {"time": wire_time(moment), "messageId": self._uuid()}
        message = {**body, "direction": direction, "id": self._hex()}
        message["channel"] = {**channel, **body.get("channel", {})}
        if message["type"] != "Event":
            session.messages.append(message)
            session.last_message_at = moment
        return message

    def _next_time(self) -> datetime:
        # Clients sort by time: two messages never have the same one.
        self._last_time = max(self._clock.now(), self._last_time + timedelta(milliseconds=1))
        return self._last_time

    def _hex(self) -> str:
        return self._entropy.bytes(16).hex()

    def _uuid(self) -> str:
        return str(uuid.UUID(bytes=self._entropy.bytes(16), version=4))
