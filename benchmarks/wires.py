"""What the load generator speaks: the peer's wire, ours for pages, and ours for servers.

All frames have about the same size. They are signed before a window begins, so that the generator
has nothing to do in it but to send and to count.
"""

import base64
import hmac
import json
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from shared_secret_client import SharedSecretClient

from bff.crypto.frame_signing import FrameSigner
from bff.guests.frame_keys import Direction, encoded, frame_key, parsed_point

FRAME_BYTES: Final = 346
SIGNATURE_CHARS: Final = 43

DELIVERED_BY_US: Final = b'{"type":"message_delivered"'
DELIVERED_BY_THE_PEER: Final = b'{"type":"message","class":"StructuredMessage"'


class Wire(Protocol):
    """One connection's side of a protocol. `delivered` is how an echo from upstream begins."""

    delivered: bytes

    def init(self) -> bytes:
        """Return the first frame."""

    def learn(self, created: dict[str, Any]) -> None:
        """Take the answer to it."""

    def frame(self) -> bytes:
        """Return the next frame, signed."""


class PeerWire:
    """The peer's: a hexadecimal HMAC of token and session id, the same for each frame."""

    delivered = DELIVERED_BY_THE_PEER

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._head: dict[str, Any] = {}
        self._number = 0

    def init(self) -> bytes:
        """Return the first frame."""
        return _spelled({"type": "init", "payload": {}})

    def learn(self, created: dict[str, Any]) -> None:
        """Take token and session id, and sign them."""
        token, session_id = created["token"], created["sessionId"]
        signature = hmac.new(self._secret, (token + session_id).encode(), "sha256").hexdigest()
        self._head = {
            "type": "message",
            "token": token,
            "sessionId": session_id,
            "signature": signature,
        }

    def frame(self) -> bytes:
        """Return the next frame."""
        self._number += 1
        payload = {"type": "Text", "id": f"{self._number:036}", "text": ""}
        frame = {**self._head, "payload": payload}
        payload["text"] = "m" * (FRAME_BYTES - len(_spelled(frame)))
        return _spelled(frame)


class PageWire:
    """Ours: a key for the connection, and a signature of each frame, its place and its body."""

    delivered = DELIVERED_BY_US

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._signer: FrameSigner | None = None
        self._session_id = ""
        self._seq = 0
        self._room = 0

    def init(self) -> bytes:
        """Return the first frame, with our half of the key."""
        point = self._private.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        return _spelled({"type": "init", "payload": {"publicKey": encoded(point)}})

    def learn(self, created: dict[str, Any]) -> None:
        """Derive the key, as a page does."""
        self._session_id = created["encryptedSessionId"]
        about = {"session_id": self._session_id, "connection": created["connection"]}
        key = frame_key(
            self._private.exchange(ec.ECDH(), parsed_point(created["publicKey"])),
            salt=base64.urlsafe_b64decode(created["salt"] + "="),
            direction=Direction.TO_SERVER,
            **about,
        )
        self._signer = FrameSigner(key, purpose=b"message", **about)
        bare = self._spell(1, _message(1, 0), "s" * SIGNATURE_CHARS)
        self._room = FRAME_BYTES - len(bare) + 1

    def frame(self) -> bytes:
        """Return the next frame."""
        if self._signer is None:
            raise SystemExit("a frame before the session")
        self._seq += 1
        payload = _message(self._seq, self._room)
        signature = self._signer.sign(self._seq, payload.encode()).decode()
        return self._spell(self._seq, payload, signature)

    def _spell(self, seq: int, payload: str, signature: str) -> bytes:
        head = {"type": "message", "sessionId": self._session_id, "seq": seq}
        return _spelled({**head, "payload": payload, "signature": signature})


class SharedWire:
    """Ours for servers: what the peer checks, and the order besides."""

    delivered = DELIVERED_BY_US

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._client = SharedSecretClient(secret)
        self._number = 0
        self._room = 0

    def init(self) -> bytes:
        """Return the first frame."""
        return self._client.init()

    def learn(self, created: dict[str, Any]) -> None:
        """Take the token."""
        self._client.learn(created)
        sample = SharedSecretClient(self._secret)
        sample.learn(created)
        self._room = FRAME_BYTES - len(sample.message(_said(0, 0))) + 1

    def frame(self) -> bytes:
        """Return the next frame."""
        self._number += 1
        return self._client.message(_said(self._number, self._room))


def _message(number: int, room: int) -> str:
    return _spelled(_said(number, room)).decode()


def _said(number: int, room: int) -> dict[str, Any]:
    return {"type": "Text", "text": "m" * max(1, room), "metadata": {"id": f"{number:036}"}}


def _spelled(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
