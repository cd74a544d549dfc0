"""The key of a connection: agreed by ECDH P-256, derived by HKDF-SHA256, known to two ends only.

One key for each direction, told apart by the label, so that no signature of one end can ever be
shown to it as the other's. Pages sign; the label of our direction is kept for the day we do.
"""

import base64
import binascii
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bff.crypto.frame_signing import KEY_BYTES, LABEL, FrameSigner, framed
from bff.guests.frame_errors import FrameCode, FrameRefusedError
from bff.guests.frame_schemes import Agreement
from bff.guests.frames import InitPayload, Message, SignedFrame
from bff.ports import Entropy

SALT_BYTES: Final = 32
POINT_BYTES: Final = 65
POINT_CHARS: Final = 87

# Half as long again as the order of the curve: the remainder is then even enough (FIPS 186-5, A.2).
_SCALAR_BYTES: Final = 48
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Direction(StrEnum):
    """Whose frames a key signs."""

    TO_SERVER = "c2s"
    TO_PAGE = "s2c"


def parsed_point(unverified: str) -> ec.EllipticCurvePublicKey:
    """Return the public key of an uncompressed P-256 point in base64url.

    Raises ValueError for everything else: a point that is not on the curve would let its sender
    learn our key bit by bit (SEC 1, section 3.2.2.1).
    """
    if len(unverified) != POINT_CHARS or not unverified.isascii():
        raise ValueError(f"a public key has {POINT_CHARS} characters")
    try:
        point = base64.b64decode(unverified + "=", altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("a public key is base64url") from None
    if encoded(point) != unverified:
        raise ValueError("a public key has one spelling")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def encoded(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def frame_key(
    shared: bytes, *, salt: bytes, direction: Direction, session_id: str, connection: str
) -> bytes:
    """Return the key of one direction of one connection of one session."""
    info = framed(LABEL, direction.encode(), session_id.encode(), connection.encode())
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(shared)


class PageFrames:
    """Keeps `frame_schemes.Verifier` for the frames of one page on one connection."""

    __slots__ = ("_about", "_key", "_messages")

    def __init__(self, key: bytes, *, session_id: str, connection: str) -> None:
        self._key = key
        self._about = (session_id, connection)
        self._messages = self._signer(b"message")

    def check(self, frame: SignedFrame, payload: bytes) -> None:
        """Raise ForgedFrameError unless the page of this connection signed this very frame."""
        # A session ends once: its signer is not kept ready on every idle connection.
        signer = self._messages if type(frame) is Message else self._signer(b"end")
        signer.check(frame.signature, seq=frame.seq, payload=payload)

    def _signer(self, purpose: bytes) -> FrameSigner:
        session_id, connection = self._about
        return FrameSigner(self._key, purpose=purpose, session_id=session_id, connection=connection)


class _PageHandshake:
    """Holds the page's point until the session is there."""

    def __init__(self, page: ec.EllipticCurvePublicKey, entropy: Entropy) -> None:
        self._page = page
        self._entropy = entropy

    def agree(self, *, session_id: str, connection: str) -> Agreement:
        """Make our half of the key, use it once and forget it."""
        scalar = int.from_bytes(self._entropy.bytes(_SCALAR_BYTES)) % (_ORDER - 1) + 1
        ours = ec.derive_private_key(scalar, ec.SECP256R1())
        salt = self._entropy.bytes(SALT_BYTES)
        key = frame_key(
            ours.exchange(ec.ECDH(), self._page),
            salt=salt,
            direction=Direction.TO_SERVER,
            session_id=session_id,
            connection=connection,
        )
        point = ours.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return Agreement(
            verifier=PageFrames(key, session_id=session_id, connection=connection),
            public_key=encoded(point),
            salt=encoded(salt),
        )


class PageKeys:
    """Keeps `frame_schemes.Scheme`: the default, for pages."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    def begin(self, payload: InitPayload) -> _PageHandshake:
        """Take the page's half. Raises FrameRefusedError if it is not a point of the curve."""
        try:
            return _PageHandshake(parsed_point(payload.public_key or ""), self._entropy)
        except ValueError:
            raise FrameRefusedError(FrameCode.PUBLIC_KEY_REFUSED) from None
