"""The platform API of Genesys Cloud over HTTP: one request for each call, every time bounded."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError
from urllib3.util.retry import Retry

from bff.adapters.http_client import (
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    http_session,
    is_loopback_name,
)
from bff.adapters.retry_after import retry_after
from bff.errors import GenesysDownError, GenesysSilentError, SettingsError
from bff.ports import Clock, GenesysHosts, PlatformAnswer, PlatformRequest

LONGEST_BODY: Final = 1_048_576
CHUNK: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformRegistration:
    """How we are registered at Genesys.

    `auth` is "basic" (what Genesys documents) or "body": id, secret and scope as form fields, for
    gateways that want them there. `hosts` comes from `bff.guests.regions` or is spelled out.
    Genesys reads no scope; rights come from the roles of the client.
    """

    hosts: GenesysHosts
    client_id: str
    client_secret: str = field(repr=False)
    auth: Literal["basic", "body"] = "basic"
    scope: str = ""


class GenesysCloud:
    """A GenesysPlatform (ports) over HTTP. Safe for threads."""

    def __init__(self, registration: PlatformRegistration, *, clock: Clock) -> None:
        for url in (registration.hosts.login_url, registration.hosts.api_url):
            _refuse_in_the_clear(url)
        self.name = f"{registration.client_id} at {registration.hosts.login_url}"
        self._registration = registration
        self._clock = clock
        self._http = _session()

    def request_token(self, *, limit: timedelta) -> PlatformAnswer:
        """Ask for a token with the client's credentials (RFC 6749 section 4.4)."""
        ours = self._registration
        form = {"grant_type": "client_credentials"}
        if ours.scope:
            form["scope"] = ours.scope
        auth = None
        if ours.auth == "body":
            form |= {"client_id": ours.client_id, "client_secret": ours.client_secret}
        else:
            # Not form-encoded first, though RFC 6749 section 2.3.1 wants it: the vendor's own
            # clients send them as they are.
            auth = HTTPBasicAuth(ours.client_id.encode(), ours.client_secret.encode())
        url = f"{ours.hosts.login_url}/oauth/token"
        return self._exchange("POST", url, limit=limit, data=form, auth=auth)

    def send(self, request: PlatformRequest, *, token: str, limit: timedelta) -> PlatformAnswer:
        """Ask the API."""
        if not request.path.startswith("/"):
            # "@evil.example" behind the host would make a user name of it.
            raise ValueError("a path begins with a slash")
        return self._exchange(
            request.method,
            self._registration.hosts.api_url + request.path,
            limit=limit,
            headers={"Authorization": f"Bearer {token}"},
            json=request.body,
        )

    def _exchange(
        self, method: str, url: str, *, limit: timedelta, **content: Any
    ) -> PlatformAnswer:
        ends_at = self._clock.now() + limit
        seconds = max(limit.total_seconds(), 0.001)
        timeouts = (min(CONNECT_TIMEOUT_S, seconds), min(READ_TIMEOUT_S, seconds))
        what = f"{method} {urlsplit(url).path}"
        headers = {"Accept": "application/json", **content.pop("headers", {})}
        request = requests.Request(method, url, headers=headers, **content).prepare()
        try:
            # The adapter itself: no cookies, no redirects, and no compression is asked for.
            with self._http.get_adapter(url).send(
                request, timeout=timeouts, stream=True
            ) as response:
                body = self._read(response, ends_at, what)
                wait = retry_after(response.headers, now=self._clock.now())
                return PlatformAnswer(status=response.status_code, body=body, retry_after=wait)
        except (requests.RequestException, HTTPError) as error:
            # No cause: requests' errors carry the prepared request with secret or token.
            if _was_not_sent(error):
                raise GenesysDownError(f"{what}: {type(error).__name__}") from None
            raise GenesysSilentError(f"{what}: {type(error).__name__}") from None

    def _read(self, response: requests.Response, ends_at: datetime, what: str) -> Mapping[str, Any]:
        """Read piece by piece: the read time-out alone never ends for a byte a second."""
        body = bytearray()
        while piece := response.raw.read1(CHUNK, decode_content=False):
            body += piece
            if len(body) > LONGEST_BODY:
                raise GenesysSilentError(f"{what}: the answer is too long")
            if self._clock.now() > ends_at:
                raise GenesysSilentError(f"{what}: the answer takes too long")
        try:
            spelled = json.loads(bytes(body))
        except (ValueError, RecursionError):
            return {}
        return spelled if isinstance(spelled, dict) else {}


def _session() -> requests.Session:
    session = http_session()
    # Who repeats what, and when, is decided in bff.guests, with one deadline for everything.
    for adapter in session.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            adapter.max_retries = Retry(0, read=False)
    return session


def _was_not_sent(error: Exception) -> bool:
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError):
        return True
    reason = error.args[0] if error.args else None
    return isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError)


def _refuse_in_the_clear(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback_name(parts.hostname or ""):
        raise SettingsError(f"{url!r}: Genesys is asked over https only")
    if parts.path or parts.query or parts.fragment or parts.username:
        raise SettingsError(f"{url!r}: scheme, host and port, nothing else")
