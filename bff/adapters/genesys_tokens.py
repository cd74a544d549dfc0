"""A guest's tokens at Genesys over HTTP: exchange, refresh, revoke; and the history."""

from datetime import timedelta
from typing import Any, Final

from bff.adapters.genesys_wire import GenesysWire, refuse_in_the_clear
from bff.ports import AuthCode, Clock, GenesysHosts, PlatformAnswer

TOKEN: Final = "/api/v2/webdeployments/token"  # noqa: S105 - the path of a door
HISTORY: Final = "/api/v2/webmessaging/messages"
PAGE_SIZE: Final = 25


class GenesysTokens:
    """The GenesysTokenDoors (ports) of one deployment. Safe for threads.

    None of them takes a token of the platform API. `origin` is the brand's, which the history
    wants to see.
    """

    def __init__(
        self, *, hosts: GenesysHosts, deployment_id: str, origin: str, clock: Clock
    ) -> None:
        refuse_in_the_clear(hosts.api_url)
        self._api_url = hosts.api_url
        self._deployment_id = deployment_id
        self._origin = origin
        self._wire = GenesysWire(clock=clock)

    def exchange(self, code: AuthCode, *, limit: timedelta) -> PlatformAnswer:
        """Have Genesys redeem the code. Never repeated here: a code is good for one request."""
        oauth = {
            "code": code.code,
            "redirectUri": code.redirect_uri,
            "codeVerifier": code.code_verifier,
            "nonce": code.nonce,
            "iss": code.issuer,
        }
        body = {"deploymentId": self._deployment_id, "oauth": oauth}
        return self._ask("POST", f"{TOKEN}/oauthcodegrantjwtexchange", limit=limit, json=body)

    def refresh(self, refresh_token: str, *, limit: timedelta) -> PlatformAnswer:
        """Ask for a JWT."""
        body = {"refreshToken": refresh_token, "deploymentId": self._deployment_id}
        return self._ask("POST", f"{TOKEN}/refresh", limit=limit, json=body)

    def revoke(self, jwt: str, *, limit: timedelta) -> PlatformAnswer:
        """Log the person out at Genesys."""
        headers = {"Authorization": f"bearer {jwt}"}
        return self._ask("DELETE", f"{TOKEN}/revoke", limit=limit, headers=headers)

    def history(self, jwt: str, *, page: int, limit: timedelta) -> PlatformAnswer:
        """Ask for a page of messages, newest first."""
        headers = {"Authorization": f"bearer {jwt}", "Origin": self._origin}
        query = {"pageNumber": page, "pageSize": PAGE_SIZE}
        return self._ask("GET", HISTORY, limit=limit, headers=headers, params=query)

    def _ask(self, method: str, path: str, *, limit: timedelta, **content: Any) -> PlatformAnswer:
        return self._wire.ask(method, self._api_url + path, limit=limit, **content)
