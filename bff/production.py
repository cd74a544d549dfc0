"""The production server: gunicorn with gevent workers, because open pages wait by the thousand."""

from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import gevent
from gunicorn.app.base import BaseApplication
from gunicorn.workers.ggevent import GeventWorker

from bff.adapters.open_files import make_room_for_files
from bff.app import create_app
from bff.service_jobs import start_jobs
from bff.settings import Settings
from bff.web import guest_socket
from bff.wiring import build

if TYPE_CHECKING:
    from flask import Flask

    from bff.web.doorway import Services

GRACE_S: Final = 10
CONNECTIONS: Final = 2000


class StreamingWorker(GeventWorker):  # type: ignore[misc]  # gunicorn ships no types
    """A worker whose event streams end when it is asked to go, instead of using up its grace."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Accept nothing more, and tell waiting pages to come back to whoever is next."""
        super().handle_exit(sig, frame)
        # A signal handler must not wait for a lock; a greenlet of its own may.
        gevent.spawn(self.app.hang_up)


class ProductionServer(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """Runs the application of `settings` until a signal ends it.

    Every open page holds one event stream. With a thread each, a few hundred pages would fill a
    worker; a greenlet costs some kilobytes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._services: Services | None = None
        self._application: Flask | None = None
        super().__init__()

    def load_config(self) -> None:
        """Take everything from our settings, nothing from gunicorn's own files or variables."""
        chosen: dict[str, Any] = {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "workers": self._settings.workers,
            "worker_class": StreamingWorker,
            # Guest sockets are counted and refused by themselves: they must not use up the rest.
            "worker_connections": CONNECTIONS + self._settings.guest_connections,
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
        make_room_for_files(pages=self._settings.guest_connections, others=CONNECTIONS)
        self._services = services = build(self._settings)
        start_jobs(services)
        # Before any page is there: /readyz knows from the start whether news can be heard.
        services.news.start()
        self._application = application = create_app(services)
        return application

    def hang_up(self) -> None:
        """End the event streams and guest sockets of this worker; their pages come back."""
        try:
            if self._application is not None:
                guest_socket.drain(self._application)
        finally:
            # Whatever that came to: pages that are told nothing would use up the grace.
            if self._services is not None:
                self._services.news.close()

    def close(self) -> None:
        """Let go of everything that this worker holds."""
        if self._services is not None:
            self._services.close()


def _close(_server: Any, worker: Any) -> None:
    """Called by gunicorn when a worker leaves; one that failed to boot has no application."""
    application = getattr(worker, "app", None)
    if isinstance(application, ProductionServer):
        application.close()
