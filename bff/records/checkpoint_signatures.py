"""What is signed of the audit log: checkpoints, and statements about the keys that sign them."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bff.crypto.trail_chain import Column, framed
from bff.trail_ports import SignedHead, moment

LABEL: Final = b"messenger-bff/audit-head/v1"
KEY_LABEL: Final = b"messenger-bff/audit-checkpoint-key/v1"
SKEW: Final = timedelta(minutes=5)
"""How far the clocks of two machines may be apart when a key is replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatement:
    """What a key says of itself: whom it replaces, and which event that one signed last.

    `begun` is `first`, `rotated`, `lost` (the key before could not be read any more) or `adopted`
    (a version before this one made it). `last_seq` is 0 if the key before signed nothing here.
    """

    key: str
    begun: str
    replaces: str | None = None
    last_seq: int | None = None
    last_hash: str | None = None

    def text(self) -> bytes:
        """Return what is signed."""
        columns: tuple[Column, ...] = (
            self.key,
            self.begun,
            self.replaces,
            self.last_seq,
            self.last_hash,
        )
        return KEY_LABEL + b"".join(map(framed, columns))


def public_of(seed: str) -> str:
    """Return the public half of a key, which is also its name."""
    return spelled(_private(seed).public_key().public_bytes_raw())


def signed_head(seq: int, digest: bytes, *, seed: str, signed_at: int) -> SignedHead:
    """Return a checkpoint."""
    public = public_of(seed)
    text = _head_text(seq, digest, signed_at, public)
    return SignedHead(
        seq=seq,
        hash=digest,
        signed_at=signed_at,
        key_id=public,
        signature=_private(seed).sign(text),
    )


def signed_statement(statement: KeyStatement, seed: str) -> str:
    """Return the signature of a statement, base64url."""
    return spelled(_private(seed).sign(statement.text()))


def states(public: str, statement: KeyStatement, signature: str) -> bool:
    """Say whether this key signed this statement."""
    try:
        return _holds(public, raw(signature), statement.text())
    except ValueError:
        return False


def fits(head: SignedHead) -> bool:
    """Say whether the key that a checkpoint names has signed it, whosever key that is."""
    try:
        text = _head_text(head.seq, head.hash, head.signed_at, head.key_id)
    except (AttributeError, TypeError, ValueError):  # a database may hold anything
        return False
    return _holds(head.key_id, head.signature, text)


def in_time(head: SignedHead, until: datetime | None) -> bool:
    """Say whether a checkpoint was signed before its key was replaced."""
    if until is None:
        return True
    try:
        return moment(head.signed_at) <= until + SKEW
    except OverflowError:
        return False


def is_genuine(
    head: SignedHead,
    trusted: Mapping[str, datetime | None],
    ends: Mapping[str, int] | None = None,
) -> bool:
    """Say whether one of the trusted keys signed this checkpoint, and while it was in use.

    `trusted` says until when each key signed; None is without an end. `ends` says, for keys that
    were replaced, the last event that they signed: what a thief of an old key says of the time
    is worth nothing.
    """
    if head.key_id not in trusted or not fits(head):
        return False
    last = None if ends is None else ends.get(head.key_id)
    # Where its last event is known, no clock is asked: it may have been wrong, and set since.
    return head.seq <= last if last is not None else in_time(head, trusted[head.key_id])


def spelled(value: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def raw(text: str) -> bytes:
    """Return the bytes of base64url. Raises ValueError."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("is not base64url") from error


def _holds(public: str, signature: bytes, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(raw(public)).verify(signature, text)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _head_text(seq: int, digest: bytes, signed_at: int, public: str) -> bytes:
    columns: tuple[Column, ...] = (seq, digest, signed_at, public)
    return LABEL + b"".join(map(framed, columns))


def _private(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(raw(seed))
