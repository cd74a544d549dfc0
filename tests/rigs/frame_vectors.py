"""Known answers for frame signatures, for every language that speaks on the socket.

Run it to write `tests/vectors/frame_vectors.json` anew; a test compares the file with this.
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from frame_page import connection_key, signed_bytes, unpadded

FILE: Final = Path(__file__).parent.parent / "vectors" / "frame_vectors.json"

PAGE_SCALAR: Final = int.from_bytes(hashlib.sha256(b"the page's half").digest(), "big")
SERVER_SCALAR: Final = int.from_bytes(hashlib.sha256(b"the server's half").digest(), "big")
SALT: Final = hashlib.sha256(b"the salt").digest()
CONNECTION: Final = hashlib.sha256(b"the connection").digest()[:16]
SESSION_ID: Final = unpadded(hashlib.sha512(b"the sealed id").digest())

FRAMES: Final = (
    ("message", 1, '{"type":"Text","text":"hello"}'),
    ("message", 2, '{"type":"Text","text":"Grüße ☃ 😀 \\"quoted\\"\\n"}'),
    ("message", 3, ""),
    ("message", 2**32 + 5, '{"type":"Text","text":"a number of more than 32 bits"}'),
    ("message", 2**53 - 1, '{"type":"Text","text":"' + "x" * 4096 + '"}'),
    ("end", 4, ""),
)


def made() -> dict[str, Any]:
    page = ec.derive_private_key(PAGE_SCALAR, ec.SECP256R1())
    server = ec.derive_private_key(SERVER_SCALAR, ec.SECP256R1())
    shared = page.exchange(ec.ECDH(), server.public_key())
    connection = unpadded(CONNECTION)
    keys = {
        direction: connection_key(
            shared,
            salt=SALT,
            direction=direction,
            session_id=SESSION_ID,
            connection=connection,
        )
        for direction in ("c2s", "s2c")
    }
    return {
        "about": "Private keys of tests only. How to read this: docs/guest-socket.md",
        "page": _half(page),
        "server": _half(server),
        "salt": unpadded(SALT),
        "sessionId": SESSION_ID,
        "connection": connection,
        "sharedSecret": unpadded(shared),
        "keys": {direction: unpadded(key) for direction, key in keys.items()},
        "frames": [
            _frame(keys["c2s"], connection, purpose, seq, payload)
            for purpose, seq, payload in FRAMES
        ],
    }


def _half(private: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = private.private_numbers()
    public = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        "privateKey": unpadded(numbers.private_value.to_bytes(32, "big")),
        "publicKey": unpadded(public),
        "x": unpadded(public[1:33]),
        "y": unpadded(public[33:]),
    }


def _frame(key: bytes, connection: str, purpose: str, seq: int, payload: str) -> dict[str, Any]:
    text = signed_bytes(
        purpose=purpose,
        session_id=SESSION_ID,
        connection=connection,
        seq=seq,
        payload=payload,
    )
    return {
        "purpose": purpose,
        "seq": seq,
        "payload": payload,
        "signedSha256": hashlib.sha256(text).hexdigest(),
        "signature": unpadded(hmac.new(key, text, hashlib.sha256).digest()),
    }


def spelled() -> str:
    return json.dumps(made(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(spelled(), "utf-8")
