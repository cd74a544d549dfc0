"""Codes and tokens as text: where they lead, how they are stored, how they follow each other."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from bff.ports import Entropy

GRANT_CHARS: Final = 22
SECRET_CHARS: Final = 43

_TEXT: Final = re.compile(rf"[A-Za-z0-9_-]{{{GRANT_CHARS + SECRET_CHARS}}}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class TokenKind(StrEnum):
    """What a token may be used for; part of its hash, so that none passes for another."""

    CODE = "code"
    ACCESS = "access"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaqueToken:
    """The id of a grant (128 bits) and a secret (256 bits), written one after the other."""

    grant: str = field(repr=False)
    text: str = field(repr=False)

    def stored_as(self, kind: TokenKind) -> str:
        """Return the hash that is kept: whoever reads the store learns no token."""
        return fingerprint(kind, self.text)

    def is_stored_as(self, known: str | None, kind: TokenKind) -> bool:
        """Compare with a kept hash, in a time that tells nothing."""
        return known is not None and hmac.compare_digest(known, self.stored_as(kind))


def new_token(grant: str, entropy: Entropy) -> OpaqueToken:
    """Return a fresh token of `grant`."""
    return OpaqueToken(grant=grant, text=grant + entropy.token(32))


def parsed(unverified: str | None) -> OpaqueToken | None:
    """Return the token if the text has its form; whether it is real only the store knows."""
    if unverified is None or not _TEXT.fullmatch(unverified):
        return None
    return OpaqueToken(grant=unverified[:GRANT_CHARS], text=unverified)


def successor(spent: OpaqueToken, *, salt: str, kind: TokenKind) -> OpaqueToken:
    """Return the one token of `kind` that follows `spent`.

    A client whose answer was lost asks again and must get the very same pair, yet no token may
    lie readable in the store. So the pair is made of both: the spent token, which only the client
    has, and a salt, which only we have. Neither alone tells anything about it.
    """
    digest = hmac.digest(spent.text.encode(), f"{kind.value}:{salt}".encode(), "sha256")
    return OpaqueToken(grant=spent.grant, text=spent.grant + _encoded(digest))


def fingerprint(purpose: str, text: str) -> str:
    """Return a hash of `text` that is of use for one purpose only."""
    return _encoded(hashlib.sha256(f"{purpose}:{text}".encode()).digest())


def s256(code_verifier: str) -> str:
    """Return the challenge of a verifier (RFC 7636 section 4.2)."""
    return _encoded(hashlib.sha256(code_verifier.encode()).digest())


def fits(code_verifier: str, challenge: str) -> bool:
    """Say whether the verifier is well formed and belongs to the challenge (RFC 7636 4.6)."""
    well_formed = _VERIFIER.fullmatch(code_verifier) is not None
    return well_formed and hmac.compare_digest(s256(code_verifier), challenge)


def is_s256_challenge(text: str) -> bool:
    """Say whether this can be the S256 challenge of anything."""
    return _CHALLENGE.fullmatch(text) is not None


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
