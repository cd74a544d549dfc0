"""A BFF that a journey can restart: same address and store, everything else new."""

import threading
from types import TracebackType
from typing import Final, Self

from flask import Flask

from bff.adapters.system import SystemClock
from bff.app import create_app
from bff.settings import Settings
from bff.simulator.serving import Served
from bff.simulator.stage import BFF_HOST
from bff.web import guest_socket
from bff.web.doorway import Services
from bff.wiring import build

PATIENCE_S: Final = 15
LOOK_S: Final = 0.01


class RunningBff:
    """The service in a thread, as one process would run it."""

    def __init__(self, settings: Settings, *, clock: SystemClock, port: int) -> None:
        self._settings = settings
        self._clock = clock
        self._port = port
        self.services: Services = self._prepared()
        self._app: Flask = create_app(self.services)
        self._served = Served(self._app, host=BFF_HOST, port=port)

    def _prepared(self) -> Services:
        """Build what `serve` builds, and start what it starts."""
        services = build(self._settings, clock=self._clock)
        if services.records is not None:
            services.records.prepare()
            services.records.writer.start()
        return services

    def restart(self) -> None:
        """Leave as a process does that is told to go, and come back as another one."""
        self._leave()
        self.services = self._prepared()
        self._app = create_app(self.services)
        self._served = Served(self._app, host=BFF_HOST, port=self._port).start()

    def _leave(self) -> None:
        guest_socket.drain(self._app)
        lines = self._app.extensions[guest_socket.EXTENSION]
        nap = threading.Event()
        for _ in range(int(PATIENCE_S / LOOK_S)):
            if not lines._lines:
                break
            nap.wait(LOOK_S)
        else:
            raise AssertionError("a guest socket does not end")
        self._served.stop()
        self.services.close()

    def __enter__(self) -> Self:
        """Start."""
        self._served.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self._leave()
