"""Everything the stand-in knows, in one object that doors, socket and control share."""

import threading
from dataclasses import asdict, replace
from typing import Any, Final

from flask import Flask

from bff.ports import Clock, Entropy
from bff.simulator.genesys_faults import Faults
from bff.simulator.genesys_messaging import WebMessaging
from bff.simulator.genesys_platform_tokens import PlatformTokens
from bff.simulator.genesys_relying_party import RelyingParty
from bff.simulator.genesys_settings import Behaviour, GenesysSettings, OidcIntegration
from bff.simulator.genesys_socket import SocketHub
from bff.simulator.genesys_tokens import Lifetimes, TokenDesk

EXTENSION: Final = "genesys"


class GenesysState:
    """The organisation at run time."""

    def __init__(self, settings: GenesysSettings, *, clock: Clock, entropy: Entropy) -> None:
        self.settings = settings
        self.behaviour: Behaviour = replace(settings.behaviour)
        self.clock = clock
        self.entropy = entropy
        self.faults = Faults(clock)
        self.platform_tokens = PlatformTokens(clock=clock, entropy=entropy)
        self.relying_party = RelyingParty(lambda: self.settings.integration, clock)
        self.desk = TokenDesk(
            self.relying_party,
            lifetimes=Lifetimes(
                jwt_cap=settings.jwt_cap, refresh_token=settings.refresh_token_life
            ),
            behaviour=lambda: self.behaviour,
            clock=clock,
            entropy=entropy,
        )
        # One lock for all of web messaging: its deliveries must leave in the order they were made.
        self.lock = threading.RLock()
        self.messaging = WebMessaging(
            lambda: self.settings, self.desk, self.faults, clock=clock, entropy=entropy
        )
        self.hub = SocketHub(self.messaging, self.lock, clock)

    def integrate(self, integration: OidcIntegration) -> None:
        """Point the integration elsewhere, once the other side's address is known."""
        self.settings = replace(self.settings, integration=integration)

    def log_out(self, subject: str) -> None:
        """Tell every connection of a person that they were logged out."""
        with self.lock:
            self.hub.post(self.messaging.log_out(subject))

    def report(self) -> dict[str, Any]:
        """Return what the control API shows: counters, sessions and who said what."""
        with self.lock:
            sessions = [
                {
                    "id": session.session_id,
                    "identity": session.identity.spell() if session.identity else None,
                    "connections": len(session.connections),
                    "readOnly": session.read_only,
                    "messages": len(session.messages),
                }
                for session in self.messaging.book.all()
            ]
            heard = [
                {
                    "at": entry.at,
                    "text": entry.text,
                    "session": entry.session_id,
                    "identity": entry.identity.spell() if entry.identity else None,
                }
                for entry in self.messaging.talk.heard
            ]
            sockets = len(self.messaging.connections)
            configures = asdict(self.messaging.counters)
        return {
            "now": self.clock.now().isoformat(),
            "counters": {
                **asdict(self.desk.counters),
                **asdict(self.platform_tokens.counters),
                **configures,
                "sockets": sockets,
            },
            "lifetimes": {
                "jwt_cap_s": self.desk.lifetimes.jwt_cap.total_seconds(),
                "refresh_token_life_s": self.desk.lifetimes.refresh_token.total_seconds(),
            },
            "behaviour": asdict(self.behaviour),
            "faults": self.faults.pending(),
            "sessions": sessions,
            "heard": heard,
        }


def genesys_of(app: Flask) -> GenesysState:
    """Return the state behind an application made by `create_genesys`."""
    state: GenesysState = app.extensions[EXTENSION]
    return state
