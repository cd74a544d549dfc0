"""Everything around a BFF on one machine: a provider, Genesys, a brand page, settings."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from typing import Any, Final

from bff.ports import Clock, Entropy
from bff.simulator.brand_site import BrandSettings, create_brand_site
from bff.simulator.genesys_app import create_genesys
from bff.simulator.genesys_settings import (
    Behaviour,
    GenesysSettings,
    OidcIntegration,
    PlatformClient,
)
from bff.simulator.genesys_state import GenesysState, genesys_of
from bff.simulator.identity_provider import create_identity_provider, serve_identity_provider
from bff.simulator.provider_core import Provider, provider_of
from bff.simulator.provider_settings import Lifetimes, ProviderClient, ProviderSettings
from bff.simulator.serving import LOOPBACK, Served

BRAND_HOST: Final = "www.brand.localhost"
BFF_HOST: Final = "auth.brand.localhost"
GENESYS_HOST: Final = "genesys.localhost"
PROVIDER_HOST: Final = "idp.localhost"
SAME_SITE_HOST: Final = "login.brand.localhost"
GENESYS_CLIENT: Final = "genesys-messenger"

PORTS: Final = range(20100, 32700)
FAST_JWT: Final = timedelta(seconds=10)
FAST_ACCESS_TOKEN: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """How the stage is set: lives, ports (0 means any), another provider than our own."""

    fast: bool = False
    first_port: int = 0
    agent_delay: timedelta = timedelta(0)
    # Genesys redeems at the provider, which then lives on the brand's site.
    passthrough: bool = False
    provider_host: str | None = None
    issuer: Callable[[str], "ForeignProvider"] | None = None
    inspected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignProvider:
    """A provider that nobody here wrote, and how the BFF is registered there."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    genesys_id: str = ""
    genesys_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The addresses, what is behind them, and the environment that a BFF here needs."""

    brand_url: str
    bff_url: str
    bff_port: int
    issuer: str
    genesys_url: str
    provider: Provider
    genesys: GenesysState
    environment: dict[str, str] = field(repr=False)


def free_port() -> int:
    """Return a port that was free a moment ago, below the range that outgoing calls use."""
    # The process id spreads stages that are raised at the same time.
    first = os.getpid() * 37 % len(PORTS)
    for port in chain(PORTS[first:], PORTS[:first]):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise OSError("no free port")


@contextmanager
def raised(plan: StagePlan, *, clock: Clock, entropy: Entropy) -> Iterator[Stage]:
    """Serve the stand-ins on loopback while the block runs."""
    bff_port = _port(plan, 1) or free_port()
    bff_url = f"http://{BFF_HOST}:{bff_port}"
    with ExitStack() as running:
        provider = _provider(plan, bff_url, clock=clock, entropy=entropy, running=running)
        registration = plan.issuer(bff_url) if plan.issuer else _registration(provider)
        integration = _integration(plan, bff_url, registration, entropy)
        genesys_app = create_genesys(
            _genesys(plan, integration, entropy), clock=clock, entropy=entropy
        )
        genesys = running.enter_context(Served(genesys_app, host=GENESYS_HOST, port=_port(plan, 3)))
        brand = running.enter_context(
            Served(
                create_brand_site(
                    BrandSettings(
                        bff_url=bff_url, genesys_url=genesys.url, inspected=plan.inspected
                    )
                ),
                host=BRAND_HOST,
                port=_port(plan, 0),
            )
        )
        yield Stage(
            brand_url=brand.url,
            bff_url=bff_url,
            bff_port=bff_port,
            issuer=registration.issuer,
            genesys_url=genesys.url,
            provider=provider,
            genesys=genesys_of(genesys_app),
            environment={
                "BFF_PUBLIC_URL": bff_url,
                "BFF_HOST": LOOPBACK,
                "BFF_PORT": str(bff_port),
                "BFF_ALLOWED_ORIGINS": brand.url,
                "BFF_MASTER_KEY": entropy.token(),
                "BFF_PAIRWISE_SALT": entropy.token(),
                "BFF_PROVIDERS__MAIN__ISSUER": registration.issuer,
                "BFF_PROVIDERS__MAIN__CLIENT_ID": registration.client_id,
                "BFF_PROVIDERS__MAIN__CLIENT_SECRET": registration.client_secret,
                **_codes(plan, integration),
                **_at_genesys(genesys_of(genesys_app).settings, genesys.url),
                **({"BFF_INSPECTOR": "everybody"} if plan.inspected else {}),
                **({"BFF_ACCESS_TOKEN_LIFE": _s(FAST_ACCESS_TOKEN)} if plan.fast else {}),
            },
        )


def _port(plan: StagePlan, place: int) -> int:
    """Return the planned port if it is free, so that the address stays the same; else any."""
    wanted = plan.first_port + place
    if plan.first_port:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if probe.connect_ex((LOOPBACK, wanted)) != 0:
                return wanted
    return 0


def _provider(
    plan: StagePlan, bff_url: str, *, clock: Clock, entropy: Entropy, running: ExitStack
) -> Provider:
    brand = ProviderClient(
        client_id="brand",
        client_secret=entropy.token(),
        name="Fern & Thread",
        redirect_uris=(f"{bff_url}/auth/callback",),
        post_logout_redirect_uris=(f"{bff_url}/auth/logged-out",),
        backchannel_logout_uri=f"{bff_url}/auth/backchannel-logout",
    )
    at_provider = ProviderClient(
        client_id=GENESYS_CLIENT,
        client_secret=entropy.token(),
        name="Genesys Cloud",
        redirect_uris=(f"{bff_url}/messenger/callback",),
    )
    lifetimes = Lifetimes.fast() if plan.fast else Lifetimes()
    clients = (brand, at_provider) if plan.passthrough else (brand,)
    app = create_identity_provider(
        ProviderSettings(clients=clients, lifetimes=lifetimes), clock=clock, entropy=entropy
    )
    host = plan.provider_host or (SAME_SITE_HOST if plan.passthrough else PROVIDER_HOST)
    running.enter_context(serve_identity_provider(app, host=host, port=_port(plan, 2)))
    return provider_of(app)


def _registration(provider: Provider) -> ForeignProvider:
    """Return how the BFF and Genesys are known at our own stand-in."""
    brand, genesys = provider.client("brand"), provider.client(GENESYS_CLIENT)
    return ForeignProvider(
        issuer=provider.issuer,
        client_id="brand",
        client_secret=brand.client_secret if brand else "",
        genesys_id=GENESYS_CLIENT,
        genesys_secret=genesys.client_secret if genesys else "",
    )


def _integration(
    plan: StagePlan, bff_url: str, registration: ForeignProvider, entropy: Entropy
) -> OidcIntegration:
    """Return whom Genesys asks: the BFF, or in passthrough the identity provider itself."""
    if plan.passthrough:
        return OidcIntegration(
            discovery_uri=f"{registration.issuer}/.well-known/openid-configuration",
            client_id=registration.genesys_id,
            client_secret=registration.genesys_secret,
        )
    return OidcIntegration(
        discovery_uri=f"{bff_url}/op/.well-known/openid-configuration",
        client_id="genesys-messenger",
        client_secret=entropy.token(),
    )


def _codes(plan: StagePlan, integration: OidcIntegration) -> dict[str, str]:
    """Return what a BFF is told of the integration."""
    if plan.passthrough:
        return {
            "BFF_CODES": "passthrough",
            "BFF_PROVIDERS__MAIN__PASSTHROUGH_CLIENT_ID": integration.client_id,
        }
    return {
        "BFF_GENESYS_CLIENT_ID": integration.client_id,
        "BFF_GENESYS_CLIENT_SECRET": integration.client_secret,
    }


def _at_genesys(genesys: GenesysSettings, url: str) -> dict[str, str]:
    """Return what a BFF is told of its Genesys: guest sessions, and its platform client."""
    (client,) = genesys.platform_clients
    return {
        "BFF_GENESYS_DEPLOYMENT_ID": genesys.deployment_id,
        "BFF_GENESYS_LOGIN_URL": url,
        "BFF_GENESYS_API_URL": url,
        "BFF_GENESYS_CDN_URL": url,
        "BFF_GENESYS_MESSAGING_URL": url.replace("http", "ws", 1),
        "BFF_PLATFORM_CLIENT_ID": client.client_id,
        "BFF_PLATFORM_CLIENT_SECRET": client.client_secret,
    }


def _genesys(plan: StagePlan, integration: OidcIntegration, entropy: Entropy) -> GenesysSettings:
    lives: dict[str, Any] = {"jwt_cap": FAST_JWT} if plan.fast else {}
    return GenesysSettings(
        integration=integration,
        allowed_domains=("brand.localhost",),
        allow_session_upgrade=True,
        agent_delay=plan.agent_delay,
        platform_clients=(
            PlatformClient(client_id="fern-and-thread", client_secret=entropy.token()),
        ),
        behaviour=Behaviour(gateway_makes_guests=True),
        **lives,
    )


def _s(duration: timedelta) -> str:
    return str(int(duration.total_seconds()))
