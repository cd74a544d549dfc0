"""The gateway under load: one process, as `messenger-bff gateway` runs it.

    python benchmarks/gateway_under_load.py [--echo]

Settings come from the environment. See `under_load.py` for what is other than in production.
"""

import argparse

from under_load import under_load

from bff.gateway.gateway_server import GatewayPlan, run_gateway
from bff.guests.guest_upgrade import UpgradeRules
from bff.settings import Settings
from bff.wiring import build


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--echo", action="store_true")
    settings = Settings.read()
    services = build(settings)
    plan = GatewayPlan(
        house=under_load(services.guests, echo=parser.parse_args().echo),
        news=services.news,
        entropy=services.entropy,
        rules=UpgradeRules(
            origins=frozenset({settings.public_url, *settings.allowed_origins}),
            cross_site=settings.cross_site,
            trusted_proxies=settings.trusted_proxies,
        ),
        host=settings.gateway_host,
        port=settings.gateway_port,
    )
    run_gateway(plan, ready=lambda port: print(f"listening on {port}", flush=True))
    services.close()


if __name__ == "__main__":
    main()
