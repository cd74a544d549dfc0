"""The command `gateway`: the settings that it needs, the services behind it, and its process."""

import logging

from bff.errors import SettingsError
from bff.gateway.gateway_server import GatewayPlan, run_gateway
from bff.guests.guest_upgrade import PATH, UpgradeRules
from bff.service_jobs import start_jobs
from bff.settings import Settings
from bff.wiring import build


def serve_guests(settings: Settings) -> None:
    """Carry guest sockets until a signal comes.

    Raises SettingsError if the store is one that no second process can share, or if guest
    sessions are off.
    """
    _refuse(settings)
    # At DEBUG these write tokens into the log.
    for chatty in ("authlib", "urllib3", "redis", "requests"):
        logging.getLogger(chatty).setLevel(logging.INFO)
    services = build(settings)
    try:
        if services.guests is None:
            raise SettingsError("BFF_GENESYS_DEPLOYMENT_ID is missing")
        if services.records is not None:
            services.records.prepare()
        # A renewal that is refused ends a session here too, and `serve` may be away.
        start_jobs(services)
        site = services.site
        plan = GatewayPlan(
            house=services.guests,
            news=services.news,
            entropy=services.entropy,
            rules=UpgradeRules(
                origins=frozenset({site.public_url, *site.allowed_origins}),
                cross_site=site.cross_site,
                trusted_proxies=site.trusted_proxies,
            ),
            host=settings.gateway_host,
            port=settings.gateway_port,
            background=services.background,
        )
        run_gateway(plan, ready=lambda port: _announce(settings, port))
    finally:
        services.close()


def _refuse(settings: Settings) -> None:
    faults = []
    if settings.genesys_deployment_id is None:
        faults.append(
            "BFF_GENESYS_DEPLOYMENT_ID is missing: guest sessions are off without it, and the "
            "gateway carries nothing else; copy the id from the Messenger deployment's page"
        )
    if settings.embedded:
        faults.append(
            "BFF_STORE_URL is a file, which one process has to itself: give `serve` and `gateway` "
            "the same Redis (BFF_STORE_URL=redis://…), or leave the gateway out: `serve` "
            f"answers {PATH} by itself"
        )
    if faults:
        raise SettingsError("\n".join(faults))


def _announce(settings: Settings, port: int) -> None:
    host = f"[{settings.gateway_host}]" if ":" in settings.gateway_host else settings.gateway_host
    print(
        f"messenger-bff gateway: guest sockets of {settings.public_url} "
        f"on ws://{host}:{port}{PATH}, {settings.guest_connections} at most",
        flush=True,
    )
