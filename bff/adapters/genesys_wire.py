"""One HTTP request to Genesys for each call: every time bounded, nothing repeated."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
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
from bff.ports import Clock, PlatformAnswer

LONGEST_BODY: Final = 1_048_576
CHUNK: Final = 65_536


class GenesysWire:
    """Asks, and returns the answer whatever it says. Safe for threads."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._http = _session()

    def ask(self, method: str, url: str, *, limit: timedelta, **content: Any) -> PlatformAnswer:
        """Make one request; `content` is what `requests.Request` takes.

        Raises GenesysDownError if it was not sent, GenesysSilentError if it was and no whole
        answer came within `limit`.
        """
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


def refuse_in_the_clear(url: str) -> None:
    """Raise SettingsError unless `url` is a host over https; plain http is for loopback."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback_name(parts.hostname or ""):
        raise SettingsError(f"{url!r}: Genesys is asked over https only")
    if parts.path or parts.query or parts.fragment or parts.username:
        raise SettingsError(f"{url!r}: scheme, host and port, nothing else")
