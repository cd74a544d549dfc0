"""Run as a program: the production server, one greenlet worker, with a door to the held JWT.

Reads settings, the address of Genesys and the number of a listening socket from stdin as JSON.
"""

from gevent import monkey

monkey.patch_all()

import hashlib  # noqa: E402 - patching comes before everything else
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

from flask import Flask  # noqa: E402
from held_rig import tokens_of  # noqa: E402

from bff.production import ProductionServer  # noqa: E402
from bff.settings import Settings  # noqa: E402
from bff.web.doorway import EXTENSION  # noqa: E402


class HeldServer(ProductionServer):
    """The server as it is, and one door more."""

    def __init__(self, settings: Settings, *, genesys_url: str, listener: int) -> None:
        self._genesys_url = genesys_url
        self._listener = listener
        super().__init__(settings)

    def load_config(self) -> None:
        super().load_config()
        self.cfg.set("bind", f"fd://{self._listener}")

    def load(self) -> Flask:
        app = super().load()
        assert isinstance(app, Flask)
        tokens = tokens_of(app.extensions[EXTENSION], self._genesys_url)

        def held(key: str) -> dict[str, Any]:
            jwt = tokens.jwt_for(key)
            return {"pid": os.getpid(), "digest": hashlib.sha256(jwt.encode()).hexdigest()}

        app.add_url_rule("/held/<key>", view_func=held)
        return app


if __name__ == "__main__":
    told = json.load(sys.stdin)
    HeldServer(
        Settings.read(told["environment"]),
        genesys_url=told["genesys_url"],
        listener=told["listener"],
    ).run()
