"""A whole BFF before the Genesys stand-in, which redeems our codes; tokens held on our side."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from hand_clock import HandClock

from bff.adapters.genesys_tokens import GenesysTokens
from bff.adapters.system import SystemEntropy
from bff.app import create_app
from bff.guests.held_tokens import HeldTokens
from bff.ports import Clock, Foundation, GenesysHosts, TokenSet
from bff.settings import Settings
from bff.signin.records import Person
from bff.signin.session_book import SignedIn
from bff.simulator.genesys_settings import DEMO_DEPLOYMENT
from bff.simulator.genesys_tokens import TokenCounters
from bff.simulator.serving import Served
from bff.simulator.stage import BFF_HOST, Stage, StagePlan, raised
from bff.web.doorway import Services
from bff.wiring import build

HELD_KIND: Final = "held-tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRig:
    """The parts, for a test to turn."""

    stage: Stage
    services: Services
    clock: Any
    doors: GenesysTokens
    tokens: HeldTokens
    environment: dict[str, str] = field(repr=False)

    @property
    def seen(self) -> TokenCounters:
        """What Genesys has counted."""
        return self.stage.genesys.desk.counters

    def new_session(self) -> str:
        return signed_in(self.services)

    def stored(self, key: str) -> bytes | None:
        entry = self.services.store.get(f"{HELD_KIND}:{key}")
        return entry.value if entry else None


def signed_in(services: Services) -> str:
    """Open a session whose provider gave no refresh token; return its key."""
    person = Person(
        provider="main",
        subject="amira",
        pairwise="pairwise-of-amira",
        claims={"email": "amira@example.com", "given_name": "Amira", "family_name": "Haddad"},
    )
    now = services.clock.now()
    signed = SignedIn(person=person, provider_sid=None, auth_time=now, acr=None)
    session = services.book.begin(services.book.new_token(), signed)
    tokens = TokenSet(access_token="upstream", refresh_token=None, id_token=None, expires_at=now)
    services.vault.lock_away(session, tokens)
    return session.key


def foundation_of(services: Services) -> Foundation:
    return Foundation(
        store=services.store,
        sealer=services.key_ring,
        clock=services.clock,
        entropy=services.entropy,
    )


def doors_at(url: str, *, clock: Clock) -> GenesysTokens:
    hosts = GenesysHosts(login_url=url, api_url=url, cdn_url=url, messaging_url=url)
    return GenesysTokens(
        hosts=hosts, deployment_id=DEMO_DEPLOYMENT, origin="http://www.brand.localhost", clock=clock
    )


def tokens_of(services: Services, genesys_url: str) -> HeldTokens:
    doors = doors_at(genesys_url, clock=services.clock)
    return HeldTokens(foundation_of(services), codes=services.broker, doors=doors)


def at_port(stage: Stage, port: int, folder: Path) -> dict[str, str]:
    """Return the environment of a BFF at a port that is bound already, and let Genesys know.

    The port that the stage proposes was only free a moment ago: another test may have it now.
    """
    url = f"http://{BFF_HOST}:{port}"
    discovery_uri = f"{url}/op/.well-known/openid-configuration"
    genesys = stage.genesys
    genesys.integrate(replace(genesys.settings.integration, discovery_uri=discovery_uri))
    return {
        **stage.environment,
        "BFF_PUBLIC_URL": url,
        "BFF_PORT": str(port),
        "BFF_STORE_URL": f"sqlite:///{folder / 'held.sqlite3'}",
    }


@dataclass(slots=True)
class _Later:
    """Stands in for an application that needs to know its port before it is made."""

    app: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


@contextmanager
def running_held(folder: Path, *, clock: Clock | None = None) -> Iterator[HeldRig]:
    """Raise the stage and a BFF on it; on a hand clock, unless time must pass by itself."""
    clock = clock or HandClock()
    later = _Later()
    with (
        raised(StagePlan(), clock=clock, entropy=SystemEntropy()) as stage,
        Served(later, host=BFF_HOST) as served,
    ):
        environment = at_port(stage, served.port, folder)
        services = build(Settings.read(environment), clock=clock)
        later.app = create_app(services)
        try:
            yield HeldRig(
                stage=stage,
                services=services,
                clock=clock,
                doors=doors_at(stage.genesys_url, clock=clock),
                tokens=tokens_of(services, stage.genesys_url),
                environment=environment,
            )
        finally:
            services.close()


LONG_AGO: Final = timedelta(minutes=16)
"""Longer than the Genesys JWT lives."""
