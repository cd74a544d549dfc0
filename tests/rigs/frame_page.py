"""A page on the guest socket, written from the docs alone: nothing of `bff` is in it."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def repadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def lengthened(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def hkdf(secret: bytes, *, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 by hand, for one block of output."""
    extracted = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def connection_key(
    shared: bytes, *, salt: bytes, direction: str, session_id: str, connection: str
) -> bytes:
    info = lengthened(
        b"messenger-frame/1", direction.encode(), session_id.encode(), connection.encode()
    )
    return hkdf(shared, salt=salt, info=info)


def signed_bytes(
    *, purpose: str, session_id: str, connection: str, seq: int, payload: str
) -> bytes:
    return lengthened(
        b"messenger-frame/1",
        purpose.encode(),
        session_id.encode(),
        connection.encode(),
        seq.to_bytes(8, "big"),
        payload.encode(),
    )


def text_message(text: str = "hello", **more: Any) -> str:
    return json.dumps({"type": "Text", "text": text, **more}, separators=(",", ":"))


def typing() -> str:
    event = {"eventType": "Typing", "typing": {"type": "On"}}
    return json.dumps({"type": "Event", "events": [event]})


@dataclass
class FramePage:
    """One connection of a page; `seq` is the last number that it gave out."""

    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    seq: int = 0
    key: bytes = b""
    session_id: str = ""
    connection: str = ""

    @property
    def public_key(self) -> str:
        return unpadded(
            self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        )

    def init(self, **more: Any) -> bytes:
        payload = {"publicKey": self.public_key, **more}
        return json.dumps({"type": "init", "payload": payload}).encode()

    def learn(self, created: dict[str, Any], *, direction: str = "c2s") -> None:
        """Take in what `session_created` says."""
        point = ec.EllipticCurvePublicKey.from_encoded_point(
            ec.SECP256R1(), repadded(created["publicKey"])
        )
        self.session_id = created["encryptedSessionId"]
        self.connection = created["connection"]
        self.key = connection_key(
            self.private.exchange(ec.ECDH(), point),
            salt=repadded(created["salt"]),
            direction=direction,
            session_id=self.session_id,
            connection=self.connection,
        )

    def sign(self, seq: int, payload: str, *, purpose: str = "message") -> str:
        text = signed_bytes(
            purpose=purpose,
            session_id=self.session_id,
            connection=self.connection,
            seq=seq,
            payload=payload,
        )
        return unpadded(hmac.new(self.key, text, hashlib.sha256).digest())

    def message(self, payload: str | None = None, *, seq: int | None = None, **more: Any) -> bytes:
        """Return a signed message: the next one, unless `seq` is given. `more` overwrites."""
        if seq is None:
            self.seq += 1
        number = self.seq if seq is None else seq
        text = text_message() if payload is None else payload
        frame = {"sessionId": self.session_id, "seq": number, "payload": text}
        frame["signature"] = self.sign(number, text)
        return json.dumps({"type": "message", **frame, **more}).encode()

    def end(self, *, seq: int | None = None, **more: Any) -> bytes:
        if seq is None:
            self.seq += 1
        number = self.seq if seq is None else seq
        frame = {"sessionId": self.session_id, "seq": number}
        frame["signature"] = self.sign(number, "", purpose="end")
        return json.dumps({"type": "end", **frame, **more}).encode()
