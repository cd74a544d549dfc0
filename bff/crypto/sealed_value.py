"""What a sealed value looks like, and the one way to make and to open it.

    version (1 byte) | key id (8) | nonce (12) | AES-256-GCM ciphertext and tag (16 or more)

Version, key id and context are authenticated with the text: a value that is moved to another
place, or told to be of another key, does not open.
"""

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bff.errors import BrokenSealError
from bff.ports import Entropy

VERSION: Final = b"\x01"
KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 8
# The size GCM is made for; any other is hashed first and collides sooner (SP 800-38D, 8.2).
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16

_NONCE_AT: Final = len(VERSION) + KEY_ID_BYTES
_TEXT_AT: Final = _NONCE_AT + NONCE_BYTES


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A key and the name that sealed values carry."""

    id: bytes
    secret: bytes = field(repr=False)
    _cipher: AESGCM = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare the cipher once; AES-256 or nothing."""
        if len(self.id) != KEY_ID_BYTES or len(self.secret) != KEY_BYTES:
            raise ValueError("a key id has 8 bytes, a key 32")
        object.__setattr__(self, "_cipher", AESGCM(self.secret))

    def seal(self, plain: bytes, *, context: str, entropy: Entropy) -> bytes:
        """Encrypt and authenticate `plain`, bound to `context`."""
        header = VERSION + self.id
        nonce = entropy.bytes(NONCE_BYTES)
        return header + nonce + self._cipher.encrypt(nonce, plain, header + context.encode())

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Return the plain bytes of a value that carries this key's id.

        Raises BrokenSealError for tampering and for another context alike.
        """
        header, nonce = sealed[:_NONCE_AT], sealed[_NONCE_AT:_TEXT_AT]
        try:
            return self._cipher.decrypt(nonce, sealed[_TEXT_AT:], header + context.encode())
        except InvalidTag:
            raise BrokenSealError("the tag does not match") from None


def key_id_of(sealed: bytes) -> bytes:
    """Return which key a value claims. Raises BrokenSealError if it cannot be one of ours."""
    if len(sealed) < _TEXT_AT + TAG_BYTES:
        raise BrokenSealError("too short for a sealed value")
    if not sealed.startswith(VERSION):
        raise BrokenSealError("a sealed value of an unknown version")
    return sealed[len(VERSION) : _NONCE_AT]
