"""The Flask application under load: gunicorn with one gevent worker, as `serve` runs it.

    python benchmarks/flask_under_load.py [--echo]

Settings come from the environment. See `under_load.py` for what is other than in production.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from under_load import CONNECTIONS, under_load

from bff.app import create_app
from bff.production import ProductionServer
from bff.settings import Settings
from bff.wiring import build

WAITING_CONNECTIONS: Final = 4096


class FlaskUnderLoad(ProductionServer):
    """Serves until a signal ends it."""

    def __init__(self, settings: Settings, *, echo: bool) -> None:
        self._bench_settings = settings
        self._echo = echo
        super().__init__(settings)

    def load_config(self) -> None:
        """Let as many come as the benchmark wants, and say where to."""
        super().load_config()
        self.cfg.set("worker_connections", CONNECTIONS)
        self.cfg.set("backlog", WAITING_CONNECTIONS)
        port = self._bench_settings.port
        # When the worker is there and not when the socket is: `post_worker_init` has both.
        self.cfg.set("post_worker_init", lambda _: print(f"listening on {port}", flush=True))

    def load(self) -> Callable[..., Any]:
        """Build the application around the benchmark's house."""
        services = build(self._bench_settings)
        return create_app(replace(services, guests=under_load(services.guests, echo=self._echo)))


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--echo", action="store_true")
    FlaskUnderLoad(Settings.read(), echo=parser.parse_args().echo).run()


if __name__ == "__main__":
    main()
