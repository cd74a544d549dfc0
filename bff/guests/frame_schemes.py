"""What a conversation asks of a way to sign frames; `PageKeys` and `SharedSecret` are two."""

from dataclasses import dataclass, field
from typing import Protocol

from bff.guests.frames import InitPayload, SignedFrame


class Verifier(Protocol):
    """Knows the frames of one connection by their signatures."""

    def check(self, frame: SignedFrame, payload: bytes) -> None:
        """Raise ForgedFrameError unless the signature is right. `payload` is its text in UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How frames will be checked, and what the other end is told so that it can sign them."""

    verifier: Verifier = field(repr=False)
    public_key: str | None = None
    salt: str | None = None
    token: str | None = field(default=None, repr=False)


class Handshake(Protocol):
    """An agreement that waits for the session that it is about."""

    def agree(self, *, session_id: str, connection: str) -> Agreement:
        """Finish it. `session_id` is the encrypted one, as frames will carry it."""


class Scheme(Protocol):
    """One way to sign frames."""

    def begin(self, payload: InitPayload) -> Handshake:
        """Take what the other end offers. Raises FrameRefusedError if it cannot be used."""
