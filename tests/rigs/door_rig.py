"""The application of a rig on a real socket, for what a test client cannot do: open streams."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bff_rig import BFF, BRAND, BffRig
from wire_browser import WireBrowser

from bff.app import create_app
from bff.simulator.serving import Served

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
FETCH = {"Sec-Fetch-Mode": "cors", "Accept": "*/*"}


@contextmanager
def on_a_socket(bff: BffRig, *, heartbeat_s: float = 15) -> Iterator[WireBrowser]:
    """Serve; give a browser that is signed in."""
    site = replace(bff.services.site, heartbeat=timedelta(seconds=heartbeat_s))
    app = create_app(replace(bff.services, site=site))
    with Served(app, host="auth.brand.localhost") as served:
        browser = WireBrowser(served.url)
        browser.sign_in()
        yield browser


def preflight(bff: BffRig, path: str, *, origin: str = BRAND, **asked: str) -> Any:
    """Ask what a browser asks before it sends our script's POST."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-csrf",
        **asked,
    }
    return bff.app.test_client().options(path, base_url=BFF, headers=headers)
