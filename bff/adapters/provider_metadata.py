"""A provider's discovery document and keys: fetched, checked, kept for a while, never hammered."""

import logging
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from bff.adapters.http_client import (
    AnswerTooLongError,
    InnerAddressError,
    is_loopback_name,
    json_object,
)
from bff.adapters.kept_document import KeptDocument
from bff.errors import IdentityProviderDownError, ProviderAnswerError
from bff.ports import Clock

log = logging.getLogger(__name__)

REFETCH_PAUSE: Final = timedelta(minutes=1)
FETCH_LIMIT_S: Final = 10
"""For one document with a second try: somebody waits for a sign-in meanwhile."""

WELL_KNOWN: Final = "/.well-known/openid-configuration"

_ENDPOINTS: Final = (
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "revocation_endpoint",
    "end_session_endpoint",
)
_KINDS: Final = ("RSA", "EC", "OKP")
_LEAST_MODULUS_CHARS: Final = 342
"""2048 bits in base64url."""

_REQUIRED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


def check_endpoint(url: object, *, issuer: str) -> None:
    """Raise ProviderAnswerError unless `url` is one that this issuer may send us to.

    https always; http only on loopback, and only when the issuer itself is there. The address
    behind the name is checked before it is dialled (`http_client`).
    """
    if not isinstance(url, str):
        raise ProviderAnswerError(f"endpoint is not text: {type(url).__name__}")
    parts = urlsplit(url)
    inside = is_loopback_name(parts.hostname or "")
    issuer_inside = is_loopback_name(urlsplit(issuer).hostname or "")
    secure = parts.scheme == "https" or (parts.scheme == "http" and inside)
    if not parts.hostname or not secure or (inside and not issuer_inside) or parts.username:
        raise ProviderAnswerError(f"endpoint not acceptable: {parts.scheme}://{parts.hostname}")


def fetch_json(http: requests.Session, url: str) -> dict[str, Any]:
    """GET a JSON object. Down for no answer and 5xx, ProviderAnswerError for anything else."""
    try:
        response = http.get(url, headers={"Accept": "application/json"}, allow_redirects=False)
    except (AnswerTooLongError, InnerAddressError) as error:
        raise ProviderAnswerError(f"GET {url}: {error}") from None
    except requests.RequestException as error:
        raise IdentityProviderDownError(f"GET {url}: {type(error).__name__}") from error
    status = response.status_code
    if status >= requests.codes.server_error or status == requests.codes.too_many_requests:
        raise IdentityProviderDownError(f"GET {url}: {status}")
    if response.is_redirect:
        where = urlsplit(response.headers.get("Location", ""))
        raise ProviderAnswerError(
            f"GET {url}: {status}, a redirect to {where.scheme}://{where.hostname}{where.path}; "
            "none is followed: name the address that answers by itself"
        )
    if status != requests.codes.ok:
        raise ProviderAnswerError(f"GET {url}: {status}")
    document = json_object(response)
    if document is None:
        raise ProviderAnswerError(f"GET {url}: no JSON object")
    return document


class ProviderMetadata:
    """What one issuer publishes about itself (OIDC Discovery 1.0)."""

    def __init__(self, issuer: str, *, http: requests.Session, clock: Clock) -> None:
        self.issuer = issuer
        self._http = http
        self._clock = clock
        self._document = KeptDocument(
            self._fetch_document, what=f"discovery of {issuer}", clock=clock
        )
        self._keys = KeptDocument(self._fetch_keys, what=f"keys of {issuer}", clock=clock)
        self._lock = threading.Lock()
        self._next_refetch: dict[bool, datetime] = {}

    def document(self) -> Mapping[str, Any]:
        """Return the checked discovery document.

        Raises IdentityProviderDownError or ProviderAnswerError. A document that is merely old
        is used while no better one can be read.
        """
        return self._document.get()

    def endpoint(self, name: str) -> str | None:
        """Return the address of one endpoint, or None if the provider has none."""
        url = self.document().get(name)
        return url if isinstance(url, str) else None

    def keys(self) -> KeySet:
        """Return the signing keys. Raises as `document` does."""
        return self._keys.get()

    def refetched_keys(self, *, by_stranger: bool) -> KeySet | None:
        """Fetch the keys anew because one was missing; None if that was done a moment ago.

        Anybody can invent a key id, so the pause is what keeps a flood of forged tokens from
        becoming a flood at the provider. What strangers send (`by_stranger`) has a pause of its
        own: it must not delay the keys of a token that the provider itself has just given us.
        """
        with self._lock:
            now = self._clock.now()
            if now < self._next_refetch.get(by_stranger, now):
                return None
            self._next_refetch[by_stranger] = now + REFETCH_PAUSE
        return self._keys.fetch_now()

    def _fetch_document(self) -> Mapping[str, Any]:
        document = fetch_json(self._http, self.issuer.rstrip("/") + WELL_KNOWN)
        if document.get("issuer") != self.issuer:
            # Discovery 4.3: equal to the letter, or another issuer speaks for this one.
            raise ProviderAnswerError(f"discovery names another issuer than {self.issuer}")
        for name in _ENDPOINTS:
            if name in _REQUIRED or document.get(name) is not None:
                check_endpoint(document.get(name), issuer=self.issuer)
        return document

    def _fetch_keys(self) -> KeySet:
        url = self.endpoint("jwks_uri") or ""
        listed = fetch_json(self._http, url).get("keys")
        if not isinstance(listed, list):
            raise ProviderAnswerError(f"GET {url}: `keys` is no list")
        keys = [key for entry in listed if (key := _key(entry)) is not None]
        if not keys:
            raise ProviderAnswerError(f"GET {url}: no key among {len(listed)} that we can use")
        return KeySet(keys)


def _key(entry: object) -> Key | None:
    """Return a key that may verify signatures; None for one that we cannot use.

    RFC 7517 section 5: a key that is not understood, or is meant for something else, is passed
    over, and the others stay good.
    """
    if not isinstance(entry, dict) or not _verifies(entry):
        return None
    try:
        return JWKRegistry.import_key(entry)
    except (JoseError, UnsupportedAlgorithm, ValueError, LookupError, TypeError) as error:
        log.info("a published key is passed over: %s", type(error).__name__)
        return None


def _verifies(entry: dict[str, Any]) -> bool:
    """Say whether the key is meant to verify signatures, and strong enough (RFC 7518 3.3)."""
    if entry.get("use", "sig") != "sig" or entry.get("kty") not in _KINDS:
        return False
    operations = entry.get("key_ops", ["verify"])
    modulus = entry.get("n") if entry["kty"] == "RSA" else _LEAST_MODULUS_CHARS * "A"
    return (
        isinstance(operations, list)
        and "verify" in operations
        and isinstance(modulus, str)
        and len(modulus) >= _LEAST_MODULUS_CHARS
    )
