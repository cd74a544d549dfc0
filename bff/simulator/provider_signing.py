"""The stand-in provider's signing keys, and every way to sign wrongly."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Mapping
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from bff.ports import Entropy

ALGORITHM: Final = "RS256"
KEY_BITS: Final = 2048


def generate_key() -> RSAKey:
    """Return a fresh signing key. Slow (a tenth of a second): tests share one."""
    return RSAKey.generate_key(KEY_BITS)


class SigningKeys:
    """The current key signs; the published ones verify; the known ones read our old hints."""

    def __init__(self, *, entropy: Entropy, first: RSAKey | None = None) -> None:
        self._entropy = entropy
        self._lock = threading.Lock()
        key = self._named(first or generate_key(), with_kid=True)
        self._current = key
        self._published = [key]
        self._known = [key]

    def rotate(
        self, *, with_kid: bool = True, keep_old: bool = False, new: RSAKey | None = None
    ) -> None:
        """Sign with a new key from now on; `keep_old` goes on publishing the ones before."""
        key = self._named(new or generate_key(), with_kid=with_kid)
        with self._lock:
            self._current = key
            self._published = [key, *self._published] if keep_old else [key]
            self._known.append(key)

    def published(self) -> dict[str, Any]:
        """Return the JWKS."""
        with self._lock:
            return {"keys": [key.as_dict(private=False) for key in self._published]}

    def sign(self, claims: Mapping[str, Any], *, header: Mapping[str, Any] | None = None) -> str:
        """Return `claims` signed with the current key; `header` overrides or adds fields."""
        with self._lock:
            key = self._current
        fields = {"alg": ALGORITHM, **({"kid": key.kid} if key.kid else {}), **(header or {})}
        return jwt.encode(
            {name: value for name, value in fields.items() if value is not None},
            dict(claims),
            key,
            algorithms=[ALGORITHM],
            default_type=None,
        )

    def read(self, unverified: str) -> dict[str, Any] | None:
        """Return the claims if we signed this, however long ago; else None."""
        with self._lock:
            known = list(self._known)
        for key in known:
            try:
                return dict(jwt.decode(unverified, KeySet([key]), algorithms=[ALGORITHM]).claims)
            except (JoseError, ValueError):
                continue
        return None

    def _named(self, key: RSAKey, *, with_kid: bool) -> RSAKey:
        kid = {"kid": self._entropy.token(9)} if with_kid else {}
        public_part = {"use": "sig", "alg": ALGORITHM, **kid}
        private = {
            name: value
            for name, value in key.as_dict(private=True).items()
            if name not in {"kid", "use", "alg"}
        }
        return RSAKey.import_key({**private, **public_part})


def _encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(claims: Mapping[str, Any], *, header: Mapping[str, Any] | None = None) -> str:
    """Return `claims` with `alg: none` (RFC 8725 section 2.1)."""
    return f"{_encoded({'typ': 'JWT', **(header or {}), 'alg': 'none'})}.{_encoded(dict(claims))}."


def signed_with_secret(
    claims: Mapping[str, Any], secret: str, *, header: Mapping[str, Any] | None = None
) -> str:
    """Return `claims` under HS256 with the client secret: key confusion (RFC 8725 2.1)."""
    fields = {"typ": "JWT", **(header or {}), "alg": "HS256"}
    body = f"{_encoded(fields)}.{_encoded(dict(claims))}"
    return f"{body}.{_encoded(hmac.digest(secret.encode(), body.encode(), hashlib.sha256))}"


def spoiled(token: str) -> str:
    """Return `token` with one bit of its signature turned."""
    body, _, signature = token.rpartition(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[0] ^= 1
    return f"{body}.{_encoded(bytes(raw))}"
