"""The production server: gunicorn with gevent workers, because open pages wait by the thousand."""

from collections.abc import Callable
from typing import Any, Final

from gunicorn.app.base import BaseApplication

from bff.app import create_app
from bff.settings import Settings
from bff.wiring import build

GRACE_S: Final = 10
CONNECTIONS: Final = 2000


class ProductionServer(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """Runs the application of `settings` until a signal ends it.

    Every open page holds one event stream. With a thread each, a few hundred pages would fill a
    worker; a greenlet costs some kilobytes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Take everything from our settings, nothing from gunicorn's own files or variables."""
        chosen: dict[str, Any] = {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "workers": self._settings.workers,
            "worker_class": "gevent",
            "worker_connections": CONNECTIONS,
            "graceful_timeout": GRACE_S,
            "loglevel": self._settings.log_level.lower(),
            "proc_name": "messenger-bff",
            # The default control socket lies in the home folder, one path for all instances.
            "control_socket_disable": True,
            "worker_exit": _close,
            # ProxyFix, with the number of hops that the operator named, does this.
            "forwarded_allow_ips": "",
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """Build the application, once in each worker: connections are not shared by a fork."""
        services = build(self._settings)
        self._close = services.close
        return create_app(services)


def _close(_server: Any, worker: Any) -> None:
    """Let go of the store when a worker leaves; waiting pages are told to come back."""
    application = getattr(worker, "app", None)
    close = getattr(application, "_close", None)
    if close is not None:
        close()
