"""Web messaging on a bench: no socket, no provider, a clock turned by hand."""

import json
from datetime import timedelta
from typing import Any

from hand_clock import HandClock

from bff.adapters.system import SystemEntropy
from bff.simulator.genesys_faults import Faults
from bff.simulator.genesys_frames import Delivery
from bff.simulator.genesys_messaging import WebMessaging
from bff.simulator.genesys_relying_party import AuthData, ProviderTokens, Redeemed
from bff.simulator.genesys_settings import (
    DEMO_DEPLOYMENT,
    Behaviour,
    GenesysSettings,
    OidcIntegration,
)
from bff.simulator.genesys_tokens import Lifetimes, TokenDesk

TOKEN = "11111111-2222-4333-8444-555555555555"
OTHER_TOKEN = "66666666-7777-4888-8999-000000000000"


class KnownPeople:
    """A provider whose codes are the names of people."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock

    def redeem(self, data: AuthData) -> Redeemed:
        name = data.code or ""
        claims = {"sub": f"sub-{name}", "given_name": name, "family_name": "Haddad"}
        return Redeemed(claims=claims, tokens=self.renew(None))

    def renew(self, _: ProviderTokens | None) -> ProviderTokens:
        return ProviderTokens(
            access_token="a",
            refresh_token="r",
            received_at=self._clock.now(),
            life=timedelta(hours=1),
        )


class Bench:
    """Web messaging with its surroundings, and the words to speak to it."""

    def __init__(self, **settings: Any) -> None:
        self.clock = HandClock()
        integration = OidcIntegration(discovery_uri="", client_id="", client_secret="")
        self.settings = GenesysSettings(integration=integration, allowed_domains=(), **settings)
        self.faults = Faults(self.clock)
        self.desk = TokenDesk(
            KnownPeople(self.clock),
            lifetimes=Lifetimes(jwt_cap=timedelta(minutes=15), refresh_token=timedelta(hours=24)),
            behaviour=Behaviour,
            clock=self.clock,
            entropy=SystemEntropy(),
        )
        self.messaging = WebMessaging(
            lambda: self.settings,
            self.desk,
            self.faults,
            clock=self.clock,
            entropy=SystemEntropy(),
        )

    def open(self) -> str:
        name = self.messaging.open(DEMO_DEPLOYMENT)
        assert name is not None
        return name

    def jwt(self, name: str = "Amira") -> str:
        return self.desk.exchange(AuthData(code=name)).jwt

    def send(self, connection: str, action: str, token: str = TOKEN, **rest: Any) -> list[Delivery]:
        request = {"action": action, "token": token, "tracingId": "t-1", **rest}
        return self.messaging.receive(connection, json.dumps(request))

    def configure(
        self, connection: str, jwt: str | None = None, token: str = TOKEN, **rest: Any
    ) -> list[Delivery]:
        rest = {"deploymentId": DEMO_DEPLOYMENT, **rest}
        if jwt is None:
            return self.send(connection, "configureSession", token, **rest)
        data = {"code": jwt}
        return self.send(connection, "configureAuthenticatedSession", token, data=data, **rest)

    def guest(self) -> str:
        connection = self.open()
        assert frame_of(self.configure(connection))["body"]["connected"]
        return connection

    def person(self, name: str = "Amira", token: str = TOKEN) -> str:
        connection = self.open()
        assert frame_of(self.configure(connection, self.jwt(name), token))["code"] == 200
        return connection

    def say(self, connection: str, text: str = "hello", **message: Any) -> list[Delivery]:
        body = {"type": "Text", "text": text, **message}
        return self.send(connection, "onMessage", message=body)

    def presence(self, connection: str, kind: str) -> list[Delivery]:
        event = {"eventType": "Presence", "presence": {"type": kind}}
        return self.send(connection, "onMessage", message={"type": "Event", "events": [event]})


def frame_of(deliveries: list[Delivery]) -> dict[str, Any]:
    (delivery,) = deliveries
    frame: dict[str, Any] = json.loads(delivery.text)
    return frame


def refusal(deliveries: list[Delivery]) -> tuple[Any, Any]:
    frame = frame_of(deliveries)
    assert (frame["type"], frame["class"], frame["tracingId"]) == ("response", "string", "t-1")
    return frame["code"], frame["body"]


def texts(deliveries: list[Delivery]) -> list[str]:
    bodies = [json.loads(delivery.text)["body"] for delivery in deliveries]
    return [body["text"] for body in bodies if "text" in body]
