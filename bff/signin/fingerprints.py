"""Names for people and secrets that give neither away."""

import base64
import hashlib
import hmac
from typing import Final

from bff.signin.records import SessionKey, SessionToken

TOKEN_CHARS: Final = 43


def session_key(token: SessionToken) -> SessionKey:
    """Return the name under which the session of `token` is stored.

    256 random bits need no salt and no slow hash; looking up by hash leaks no timing about them.
    Hexadecimal, because operators type its beginning: base64 may begin with a dash.
    """
    return SessionKey(hashlib.sha256(_framed(token)).hexdigest())


def hashed(*parts: str) -> str:
    """Return a hash of `parts` that no other division of the same text gives."""
    return base64.urlsafe_b64encode(hashlib.sha256(_framed(*parts)).digest()).rstrip(b"=").decode()


class PairwiseSubjects:
    """Stable ids of people for one relying party (OIDC Core 8.1): never the e-mail, never theirs.

    `salt` must stay the same for ever: another salt makes every customer a stranger at Genesys.
    """

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def subject(self, *, sector: str, issuer: str, subject: str) -> str:
        """Return the id of `subject` at `issuer` for the party `sector`."""
        return self._keyed("pairwise", sector, issuer, subject)

    def page_tag(self, pairwise: str) -> str:
        """Return what a page may remember to notice that somebody else has signed in."""
        return self._keyed("page", pairwise)[:22]

    def _keyed(self, *parts: str) -> str:
        framed = hashed(*parts).encode()
        digest = hmac.digest(self._salt, framed, "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _framed(*parts: str) -> bytes:
    return b"".join(f"{len(part.encode())}:".encode() + part.encode() for part in parts)
