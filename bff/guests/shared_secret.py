"""The `shared-secret` scheme, for clients that are servers themselves. Off unless configured.

It signs neither the message nor its place: that is what the scheme is, and why pages never use
it. TLS protects the message, and `seq` is checked as always. The token is made anew for each
connection, so a signature that was seen on one is of no use on another.
"""

import hmac
from typing import Final

from bff.crypto.frame_signing import ForgedFrameError
from bff.guests.frame_schemes import Agreement
from bff.guests.frames import InitPayload, SignedFrame
from bff.ports import Entropy

# Always of this length, so that `token + sessionId` can be divided in one place only.
TOKEN_BYTES: Final = 32
MIN_SECRET_BYTES: Final = 32
_MIN_DISTINCT_BYTES: Final = 12


def checked_shared_secret(secret: str) -> bytes:
    """Return the secret as bytes. Raises ValueError if it could be guessed."""
    raw = secret.encode()
    if len(raw) < MIN_SECRET_BYTES or len(set(raw)) < _MIN_DISTINCT_BYTES:
        raise ValueError(f"is weak: use at least {MIN_SECRET_BYTES} random characters")
    return raw


def shared_signature(secret: bytes, *, token: str, session_id: str) -> str:
    """Return what the client sends: hex HMAC-SHA256 of `token + sessionId`."""
    return hmac.digest(secret, (token + session_id).encode(), "sha256").hex()


class SharedFrames:
    """Keeps `frame_schemes.Verifier`: one signature for all frames of a connection."""

    __slots__ = ("_signature",)

    def __init__(self, signature: str) -> None:
        self._signature = signature.encode()

    def check(self, frame: SignedFrame, payload: bytes) -> None:
        """Raise ForgedFrameError unless the client knows the secret. There is no bool to misread.

        Of unequal lengths `compare_digest` says that they differ; it raises for text that is not
        ASCII only, and bytes are never that.
        """
        del payload
        if not hmac.compare_digest(self._signature, frame.signature.encode()):
            raise ForgedFrameError


class SharedSecret:
    """Keeps `frame_schemes.Scheme` and its handshake: there is nothing to offer or to wait for."""

    def __init__(self, secret: bytes, entropy: Entropy) -> None:
        self._secret = secret
        self._entropy = entropy

    def __repr__(self) -> str:
        return "SharedSecret(...)"

    def begin(self, payload: InitPayload) -> "SharedSecret":
        """Take nothing: both ends have the secret."""
        del payload
        return self

    def agree(self, *, session_id: str, connection: str) -> Agreement:
        """Make the token of this connection."""
        del connection
        token = self._entropy.token(TOKEN_BYTES)
        signature = shared_signature(self._secret, token=token, session_id=session_id)
        return Agreement(verifier=SharedFrames(signature), token=token)
