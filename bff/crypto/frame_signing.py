"""Signs and checks frames: HMAC-SHA256 over length-framed parts, most of it worked out once.

The bytes that are signed, each part with its length before it (4 bytes, big-endian):

    label | purpose | session id | connection | seq (8 bytes, big-endian) | payload

Everything up to the connection never changes on one connection, so it is absorbed, together with
the key, when the signer is made; a frame costs a copy of that state and the hash of its own bytes.
"""

import binascii
import hmac
from struct import Struct
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

LABEL: Final = b"messenger-frame/1"
KEY_BYTES: Final = 32
MAX_SEQ: Final = 2**53 - 1
"""The largest integer that a page counts to without losing any (JavaScript's)."""

_LENGTH: Final = Struct(">I")
_SEQ_BYTES: Final = 8
_NUMBERS: Final = Struct(">IQI")
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_SIGNATURE_CHARS: Final = 43


class ForgedFrameError(Exception):
    """The signature is not ours. One class for every way to be wrong."""


def framed(*parts: bytes) -> bytes:
    """Return `parts` joined so that no other division of the same bytes gives the same."""
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


class FrameSigner:
    """Signs and checks the frames of one purpose, direction, session and connection."""

    __slots__ = ("_begun",)

    def __init__(self, key: bytes, *, purpose: bytes, session_id: str, connection: str) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a frame key has {KEY_BYTES} bytes")
        self._begun = HMAC(key, SHA256())
        self._begun.update(framed(LABEL, purpose, session_id.encode(), connection.encode()))

    def sign(self, seq: int, payload: bytes) -> bytes:
        """Return the signature as base64url text without padding (43 characters)."""
        mac = self._begun.copy()
        mac.update(_NUMBERS.pack(_SEQ_BYTES, seq, len(payload)) + payload)
        text = binascii.b2a_base64(mac.finalize(), newline=False)
        return text.translate(_URL_SAFE)[:_SIGNATURE_CHARS]

    def check(self, unverified: str, *, seq: int, payload: bytes) -> None:
        """Raise ForgedFrameError unless the signature is ours. There is no bool to misread.

        The text is compared, not what it decodes to: base64 spells some bytes in several ways.
        """
        if not hmac.compare_digest(
            self.sign(seq, payload), unverified.encode("utf-8", "surrogatepass")
        ):
            raise ForgedFrameError
