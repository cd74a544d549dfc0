"""The platform API of Genesys Cloud over HTTP: one request for each call, every time bounded."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from requests.auth import HTTPBasicAuth

from bff.adapters.genesys_wire import LONGEST_BODY, GenesysWire, refuse_in_the_clear
from bff.ports import Clock, GenesysHosts, PlatformAnswer, PlatformRequest

__all__ = ["LONGEST_BODY", "GenesysCloud", "PlatformRegistration"]


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
            refuse_in_the_clear(url)
        self.name = f"{registration.client_id} at {registration.hosts.login_url}"
        self._registration = registration
        self._wire = GenesysWire(clock=clock)

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
        return self._wire.ask("POST", url, limit=limit, data=form, auth=auth)

    def send(self, request: PlatformRequest, *, token: str, limit: timedelta) -> PlatformAnswer:
        """Ask the API."""
        if not request.path.startswith("/"):
            # "@evil.example" behind the host would make a user name of it.
            raise ValueError("a path begins with a slash")
        return self._wire.ask(
            request.method,
            self._registration.hosts.api_url + request.path,
            limit=limit,
            headers={"Authorization": f"Bearer {token}"},
            json=request.body,
        )
