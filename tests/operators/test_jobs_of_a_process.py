"""In `messenger-bff serve` itself, under gevent: jobs die, it is seen, and they come back."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mortal_serve
import pytest
from background_rig import eventually
from command_rig import Serving, brand_site, serving
from wire_browser import WireBrowser

JOBS = ("session-news", "outbox")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, Path]]:
    folder = tmp_path_factory.mktemp("mortal")
    command = (sys.executable, str(mortal_serve.HERE), str(folder))
    with brand_site(folder) as site, serving(site, command=command) as running:
        yield running, folder


@pytest.mark.parametrize("kind", mortal_serve.KINDS)
def test_jobs_die_and_are_seen_and_come_back(running: tuple[Serving, Path], kind: str) -> None:
    serve, folder = running
    browser = WireBrowser(serve.url)
    before = _jobs(browser)
    assert all(before[job]["state"] == "running" for job in JOBS)

    browser.sign_in()
    with browser.listening() as page:
        for job in JOBS:
            mortal_serve.kill(folder, job, kind)
        assert eventually(lambda: all(mortal_serve.died(folder, job) for job in JOBS))
        assert eventually(lambda: browser.get("/readyz").status_code == 503)
        assert eventually(lambda: browser.get("/readyz").status_code == 200)
        # Its news may have been missed: it is sent back, and not left with what it knew.
        assert page.ended(within_s=20)

    for job in JOBS:
        assert _jobs(browser)[job]["restarts"] == before[job]["restarts"] + 1
    with browser.listening() as page:
        browser.post("/auth/logout")
        assert page.next(within_s=20)[1]["reason"] == "signed_out"
    assert serve.process.poll() is None


def _jobs(browser: WireBrowser) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = browser.get("/readyz").json()["jobs"]
    return found
