"""The stand-in provider as one object: its memory, its keys, and what tests take hold of."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

from flask import Flask, current_app
from joserfc.jwk import RSAKey
from requests import RequestException

from bff.adapters.http_client import http_session
from bff.adapters.system import SystemClock
from bff.ports import Clock, Entropy
from bff.simulator.provider_faults import FaultBoard
from bff.simulator.provider_grants import Grants
from bff.simulator.provider_sessions import SignOn, SignOns
from bff.simulator.provider_settings import ProviderClient, ProviderSettings
from bff.simulator.provider_signing import SigningKeys
from bff.simulator.provider_tally import Tally
from bff.simulator.provider_tokens import LogoutDefect, LogoutTarget, TokenPress

EXTENSION: Final = "provider"
DELIVERY_TIMEOUT_S: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One back-channel logout request and what came of it; `status` is None if nobody answered."""

    client_id: str
    sid: str | None
    subject: str | None
    status: int | None

    def spell(self) -> dict[str, Any]:
        """Return it as the control door shows it."""
        return {
            "client_id": self.client_id,
            "sid": self.sid,
            "subject": self.subject,
            "status": self.status,
        }


class Provider:
    """One OpenID Provider. Everything a test may turn is a plain attribute or method."""

    def __init__(
        self,
        settings: ProviderSettings,
        *,
        clock: Clock,
        entropy: Entropy,
        signing_key: RSAKey | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.entropy = entropy
        self.faults = FaultBoard()
        self.tally = Tally()
        self.keys = SigningKeys(entropy=entropy, first=signing_key)
        self.sign_ons = SignOns(clock=clock, entropy=entropy, lifetimes=settings.lifetimes)
        self.grants = Grants(clock=clock, entropy=entropy, settings=settings)
        self.press = TokenPress(
            clock=clock, entropy=entropy, settings=settings, keys=self.keys, faults=self.faults
        )
        self.deliveries: list[Delivery] = []
        self.people = {person.username: person for person in settings.people}
        self._clients = {client.client_id: client for client in settings.clients}
        self._issuer = settings.issuer

    @property
    def issuer(self) -> str:
        """Return the issuer identifier."""
        if self._issuer is None:
            raise RuntimeError("set provider.issuer once the port is known")
        return self._issuer

    @issuer.setter
    def issuer(self, issuer: str) -> None:
        self._issuer = issuer

    def register(self, client: ProviderClient) -> None:
        """Add a client, or replace the one of this id."""
        self._clients[client.client_id] = client

    def client(self, client_id: str | None) -> ProviderClient | None:
        """Return the client of this id."""
        return self._clients.get(client_id or "")

    def advance(self, duration: timedelta) -> None:
        """Move the time. Raises TypeError if the clock is not one that shifts."""
        if not isinstance(self.clock, SystemClock):
            raise TypeError("this provider's clock is turned elsewhere")
        self.clock.shift += duration

    def logout_token(
        self,
        client_id: str,
        *,
        subject: str | None = None,
        sid: str | None = None,
        defects: Collection[LogoutDefect] = (),
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Return a logout token for a client, broken as told. `claims` override; None removes."""
        target = LogoutTarget(client=self._clients[client_id], subject=subject, sid=sid)
        return self.press.logout_token(target, issuer=self.issuer, defects=defects, claims=claims)

    def deliver(self, client_id: str, token: str, *, about: SignOn | None = None) -> Delivery:
        """Post a logout token to the client (OIDC Back-Channel Logout 2.5), once."""
        address = self._clients[client_id].backchannel_logout_uri
        if address is None:
            raise LookupError(f"{client_id} registered no back-channel logout address")
        try:
            with http_session() as http:
                answer = http.post(
                    address, data={"logout_token": token}, timeout=DELIVERY_TIMEOUT_S
                )
                status: int | None = answer.status_code
        except RequestException:
            status = None
        delivery = Delivery(
            client_id=client_id,
            sid=about.sid if about else None,
            subject=about.person.subject if about else None,
            status=status,
        )
        self.deliveries.append(delivery)
        self.tally.add("logout_tokens_sent")
        return delivery

    def end_sign_on(self, sign_on: SignOn, *, tell_clients: bool = True) -> None:
        """Sign this browser off, and tell every client that was signed in with it."""
        ended = self.sign_ons.end(sign_on)
        if ended is None:
            return
        self.tally.add("sign_ons_ended")
        if self.settings.logout_ends_refresh_tokens:
            self.grants.end_of_sign_on(ended.sid)
        if tell_clients:
            self._tell_clients(ended)

    def sign_out_everywhere(self, subject: str, *, tell_clients: bool = True) -> int:
        """End every sign-on of this person; return how many there were."""
        theirs = [one for one in self.sign_ons.living() if one.person.subject == subject]
        for sign_on in theirs:
            self.end_sign_on(sign_on, tell_clients=tell_clients)
        return len(theirs)

    def _tell_clients(self, ended: SignOn) -> None:
        for client_id in sorted(ended.client_ids):
            client = self.client(client_id)
            if client is None or client.backchannel_logout_uri is None:
                continue
            token = self.logout_token(client_id, subject=ended.person.subject, sid=ended.sid)
            self.deliver(client_id, token, about=ended)


def provider_of(app: Flask) -> Provider:
    """Return the provider behind an application of `create_identity_provider`."""
    return cast("Provider", app.extensions[EXTENSION])


def this_provider() -> Provider:
    """Return the provider of the current request."""
    return provider_of(current_app)
