"""Keyed fingerprints, each purpose under a key of its own: equal without a key means nothing."""

import hmac
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
LENGTH_BYTES: Final = 4


class PurposeKeys:
    """Derives a key for each purpose from one secret (HKDF, RFC 5869).

    A device id, an e-mail or a name can be guessed, and a plain hash of it with it. Under a key
    that lies in the settings, a dictionary of the world's device ids is of no use.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._derived: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return "PurposeKeys(...)"

    def key(self, purpose: str) -> bytes:
        """Return the 32 bytes for one purpose, the same each time."""
        known = self._derived.get(purpose)
        if known is None:
            info = b"messenger-bff/records/" + purpose.encode()
            known = HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(self._secret)
            self._derived[purpose] = known
        return known

    def fingerprint(self, purpose: str, *parts: str) -> str:
        """Return HMAC-SHA256 of the parts, hexadecimal; each part has its length before it."""
        framed = b"".join(
            len(raw).to_bytes(LENGTH_BYTES, "big") + raw for raw in map(str.encode, parts)
        )
        return hmac.digest(self.key(purpose), framed, "sha256").hex()

    def pseudonym(self, guest_id: str) -> str:
        """Return what a guest is called in the audit trail."""
        return self.fingerprint("audit-guest", guest_id)[:32]
