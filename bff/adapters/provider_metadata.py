"""A provider's discovery document and keys: fetched, checked, kept for a while, never hammered."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from bff.adapters.http_client import is_loopback_name
from bff.errors import IdentityProviderDownError, ProviderAnswerError
from bff.ports import Clock

METADATA_LIFE: Final = timedelta(hours=1)
REFETCH_PAUSE: Final = timedelta(minutes=1)
DOWN_PAUSE: Final = timedelta(seconds=2)
WELL_KNOWN: Final = "/.well-known/openid-configuration"

_MAX_DOCUMENT_BYTES: Final = 512 * 1024
_ENDPOINTS: Final = (
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "revocation_endpoint",
    "end_session_endpoint",
)
_REQUIRED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


def check_endpoint(url: object, *, issuer: str) -> None:
    """Raise ProviderAnswerError unless `url` is one that this issuer may send us to.

    https always; http only on loopback, and only when the issuer itself is there. The address
    behind the name is checked when it is dialled (`http_client`), so that rebinding is caught too.
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
    except requests.RequestException as error:
        raise IdentityProviderDownError(f"GET {url}: {type(error).__name__}") from error
    if response.status_code >= requests.codes.server_error or response.status_code == 429:  # noqa: PLR2004 - RFC 6585
        raise IdentityProviderDownError(f"GET {url}: {response.status_code}")
    if response.status_code != requests.codes.ok or len(response.content) > _MAX_DOCUMENT_BYTES:
        raise ProviderAnswerError(f"GET {url}: {response.status_code}")
    try:
        document = response.json()
    except ValueError as error:
        raise ProviderAnswerError(f"GET {url}: no JSON") from error
    if not isinstance(document, dict):
        raise ProviderAnswerError(f"GET {url}: not an object")
    return document


class ProviderMetadata:
    """What one issuer publishes about itself (OIDC Discovery 1.0)."""

    def __init__(self, issuer: str, *, http: requests.Session, clock: Clock) -> None:
        self.issuer = issuer
        self._http = http
        self._clock = clock
        self._lock = threading.Lock()
        self._document: Mapping[str, Any] | None = None
        self._keys: KeySet | None = None
        self._document_until = datetime.min.replace(tzinfo=clock.now().tzinfo)
        self._keys_until = self._document_until
        self._next_refetch = self._document_until
        self._silent_until = self._document_until

    def document(self) -> Mapping[str, Any]:
        """Return the checked discovery document.

        Raises IdentityProviderDownError or ProviderAnswerError. A document that is merely old
        is used while the provider is down.
        """
        with self._lock:
            now = self._clock.now()
            if self._document is not None and now < self._document_until:
                return self._document
            try:
                self._document = self._fetch_document(now)
            except IdentityProviderDownError:
                if self._document is None:
                    raise
                self._document_until = now + REFETCH_PAUSE
            else:
                self._document_until = now + METADATA_LIFE
            return self._document

    def _fetch_document(self, now: datetime) -> Mapping[str, Any]:
        if now < self._silent_until:
            raise IdentityProviderDownError(f"{self.issuer} did not answer a moment ago")
        try:
            document = fetch_json(self._http, self.issuer.rstrip("/") + WELL_KNOWN)
        except IdentityProviderDownError:
            # While it is down, hundreds of waiting requests must not each wait for a time-out.
            self._silent_until = now + DOWN_PAUSE
            raise
        if document.get("issuer") != self.issuer:
            # Discovery 4.3: equal to the letter, or another issuer speaks for this one.
            raise ProviderAnswerError(f"discovery names another issuer than {self.issuer}")
        for name in _ENDPOINTS:
            if name in _REQUIRED or document.get(name) is not None:
                check_endpoint(document.get(name), issuer=self.issuer)
        return document

    def endpoint(self, name: str) -> str | None:
        """Return the address of one endpoint, or None if the provider has none."""
        url = self.document().get(name)
        return url if isinstance(url, str) else None

    def keys(self) -> KeySet:
        """Return the signing keys, at most `METADATA_LIFE` old."""
        url = self.endpoint("jwks_uri") or ""
        with self._lock:
            now = self._clock.now()
            if self._keys is None or now >= self._keys_until:
                try:
                    self._keys = self._fetch_keys(url)
                except IdentityProviderDownError:
                    if self._keys is None:
                        raise
                self._keys_until = now + METADATA_LIFE
            return self._keys

    def refetched_keys(self) -> KeySet | None:
        """Fetch the keys anew because one was missing; None if that was done a moment ago.

        Anybody can invent a key id, so the pause is what keeps a flood of forged tokens from
        becoming a flood at the provider.
        """
        url = self.endpoint("jwks_uri") or ""
        with self._lock:
            now = self._clock.now()
            if now < self._next_refetch:
                return None
            self._next_refetch = now + REFETCH_PAUSE
            self._keys = self._fetch_keys(url)
            self._keys_until = now + METADATA_LIFE
            return self._keys

    def _fetch_keys(self, url: str) -> KeySet:
        document = fetch_json(self._http, url)
        try:
            return KeySet.import_key_set(document)  # type: ignore[arg-type]  # checked by joserfc
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise ProviderAnswerError(f"unusable JWKS at {url}: {type(error).__name__}") from error
