"""Runs the Genesys stand-in next to a provider, and speaks to both like a page would."""

import contextlib
import json
import queue
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import requests
import websocket
from flask import Flask
from hand_clock import HandClock
from provider_visitor import VERIFIER, ProviderRig, Visitor, running_provider

from bff.adapters.system import SystemEntropy
from bff.ports import Clock
from bff.simulator.genesys_app import create_genesys
from bff.simulator.genesys_settings import (
    DEMO_DEPLOYMENT,
    GenesysSettings,
    OidcIntegration,
    PlatformClient,
)
from bff.simulator.genesys_state import GenesysState, genesys_of
from bff.simulator.serving import Served

TOKEN_PATH: Final = "/api/v2/webdeployments/token"
PLATFORM: Final = PlatformClient(client_id="platform", client_secret="platform-secret")
BRAND_ORIGIN: Final = "http://www.brand.localhost"
DEADLINE_S: Final = 10
SCOPE: Final = "openid profile email offline_access"


def integration_with(provider: ProviderRig) -> OidcIntegration:
    return OidcIntegration(
        discovery_uri=f"{provider.url}/.well-known/openid-configuration",
        client_id=provider.client.client_id,
        client_secret=provider.client.client_secret,
    )


def _untyped_socket() -> Any:
    return websocket.WebSocket()


class Guest:
    """One web messaging socket of a client that is not ours; frames wait in a queue."""

    def __init__(self, url: str, *, origin: str | None = BRAND_ORIGIN, token: str = "") -> None:
        self.token = token or str(uuid.uuid4())
        self.frames: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.seen: list[dict[str, Any]] = []
        address = url.replace("http", "ws", 1).replace("genesys.localhost", "127.0.0.1")
        self._socket = _untyped_socket()
        self._socket.settimeout(DEADLINE_S)
        try:
            self._socket.connect(
                f"{address}/v1?deploymentId={DEMO_DEPLOYMENT}&application=test",
                origin=origin,
                suppress_origin=origin is None,
            )
        except websocket.WebSocketException:
            self._socket.shutdown()
            raise
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while (text := self._socket.recv()) and self._socket.connected:
                self.frames.put(json.loads(text))
        except (websocket.WebSocketException, OSError):
            pass
        self.frames.put(None)

    def send(self, action: str, **rest: Any) -> str:
        tracing_id = str(uuid.uuid4())
        request = {"action": action, "token": self.token, "tracingId": tracing_id, **rest}
        self._socket.send(json.dumps(request))
        return tracing_id

    def configure(self, jwt: str | None = None, **rest: Any) -> dict[str, Any]:
        if jwt is None:
            tracing_id = self.send("configureSession", deploymentId=DEMO_DEPLOYMENT, **rest)
        else:
            tracing_id = self.send(
                "configureAuthenticatedSession",
                deploymentId=DEMO_DEPLOYMENT,
                data={"code": jwt},
                **rest,
            )
        return self.answer_to(tracing_id)

    def say(self, text: str) -> str:
        return self.send("onMessage", message={"type": "Text", "text": text})

    def next(self) -> dict[str, Any] | None:
        """Return the next frame, or None once the socket is closed."""
        frame = self.frames.get(timeout=DEADLINE_S)
        if frame is not None:
            self.seen.append(frame)
        return frame

    def until(self, name: str) -> dict[str, Any]:
        """Return the next frame of a class."""
        while (frame := self.next()) is not None:
            if frame["class"] == name:
                return frame
        raise AssertionError(f"closed before {name}; saw {self.seen}")

    def answer_to(self, tracing_id: str) -> dict[str, Any]:
        while (frame := self.next()) is not None:
            if frame.get("tracingId") == tracing_id:
                return frame
        raise AssertionError(f"closed before an answer; saw {self.seen}")

    def until_closed(self) -> None:
        while self.next() is not None:
            pass

    def close(self) -> None:
        """Say goodbye; the reader ends with the server's answer, and only then the socket."""
        with contextlib.suppress(websocket.WebSocketException, OSError):
            self._socket.send_close()
        self._reader.join(DEADLINE_S)
        self._socket.shutdown()


@dataclass(frozen=True, slots=True, kw_only=True)
class GenesysRig:
    """A running stand-in with a provider behind its integration."""

    app: Flask
    state: GenesysState
    served: Served
    provider: ProviderRig
    clock: Any
    guests: list[Guest] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.served.url

    def auth_data(self, username: str = "amira", **changes: Any) -> dict[str, Any]:
        """Return the `oauth` part of an exchange, with a fresh code of the provider."""
        answer = self.provider.sign_in(Visitor(), username, scope=SCOPE)
        oauth = {
            "code": answer["code"],
            "redirectUri": self.provider.client.redirect_uris[0],
            "codeVerifier": VERIFIER,
            "nonce": "the-nonce",
            "iss": self.provider.url,
            **changes,
        }
        return {name: value for name, value in oauth.items() if value is not None}

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Ask the stand-in, with no rule in between: what it answers is what is returned."""
        headers = {"Host": self.url.removeprefix("http://"), **options.pop("headers", {})}
        with requests.Session() as http:
            http.trust_env = False
            address = f"http://127.0.0.1:{self.served.port}{path}"
            return http.request(method, address, headers=headers, timeout=DEADLINE_S, **options)

    def exchange(self, oauth: dict[str, Any]) -> requests.Response:
        body = {"deploymentId": DEMO_DEPLOYMENT, "oauth": oauth}
        return self.call("POST", f"{TOKEN_PATH}/oauthcodegrantjwtexchange", json=body)

    def tokens(self, username: str = "amira", **changes: Any) -> dict[str, str]:
        answer = self.exchange(self.auth_data(username, **changes))
        assert answer.status_code == 200, answer.text
        pair: dict[str, str] = answer.json()
        return pair

    def refresh(self, refresh_token: str) -> requests.Response:
        body = {"deploymentId": DEMO_DEPLOYMENT, "refreshToken": refresh_token}
        return self.call("POST", f"{TOKEN_PATH}/refresh", json=body)

    def revoke(self, jwt: str) -> requests.Response:
        headers = {"Authorization": f"bearer {jwt}"}
        return self.call("DELETE", f"{TOKEN_PATH}/revoke", headers=headers)

    def control(self, path: str, **body: Any) -> None:
        answer = self.call("POST", f"/control/{path}", json=body)
        assert answer.ok, answer.text

    def report(self) -> dict[str, Any]:
        body: dict[str, Any] = self.call("GET", "/control/state").json()
        return body

    def guest(self, token: str = "") -> Guest:
        guest = Guest(self.url, token=token)
        self.guests.append(guest)
        return guest


@contextmanager
def running_genesys(
    *, clock: Clock | None = None, provider_settings: dict[str, Any] | None = None, **settings: Any
) -> Iterator[GenesysRig]:
    """Serve the stand-in and its provider on loopback for one test."""
    turned = clock or HandClock()
    with running_provider(clock=turned, **(provider_settings or {})) as provider:
        chosen = {"allowed_domains": ("brand.localhost",), "platform_clients": (PLATFORM,)}
        app = create_genesys(
            GenesysSettings(integration=integration_with(provider), **{**chosen, **settings}),
            clock=turned,
            entropy=SystemEntropy(),
        )
        with Served(app, host="genesys.localhost") as served:
            rig = GenesysRig(
                app=app, state=genesys_of(app), served=served, provider=provider, clock=turned
            )
            yield rig
            for guest in rig.guests:
                guest.close()


MINUTES_16: Final = timedelta(minutes=16)
