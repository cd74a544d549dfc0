"""Both browsers, both providers; a trace and a screenshot of each journey that fails."""

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from one_playwright import one_playwright
from playwright.sync_api import Browser, Playwright
from world import World, world

ARTIFACTS = Path(__file__).parent / "artifacts"
FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with one_playwright() as running:
        yield running


@pytest.fixture(scope="session", params=["chromium", "firefox"])
def browser(request: pytest.FixtureRequest, playwright: Playwright) -> Iterator[Browser]:
    if request.param == "chromium":
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium")
    else:
        started = playwright.firefox.launch(
            channel="moz-firefox", executable_path="/usr/bin/firefox-esr"
        )
    yield started
    started.close()


@pytest.fixture(params=["own-provider", "certified-provider"])
def here(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Iterator[World]:
    """Everything, on the real clock unless the journey is marked `turns_time`."""
    yield from _recorded(request, browser, tmp_path, certified=request.param != "own-provider")


@pytest.fixture
def own(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Iterator[World]:
    """The same with our own provider only, for what only it can do."""
    yield from _recorded(request, browser, tmp_path, certified=False)


def _recorded(
    request: pytest.FixtureRequest, browser: Browser, folder: Path, *, certified: bool
) -> Iterator[World]:
    turns_time = request.node.get_closest_marker("turns_time") is not None
    with world(browser, folder, certified=certified, fake_time=turns_time) as raised:
        raised.context.tracing.start(screenshots=True, snapshots=True)
        yield raised
        failed = request.node.stash.get(FAILED, False)
        name = re.sub(r"[^\w.-]+", "-", request.node.name)
        if not failed:
            raised.context.tracing.stop()
            return
        ARTIFACTS.mkdir(exist_ok=True)
        for number, page in enumerate(raised.context.pages):
            page.screenshot(path=ARTIFACTS / f"{name}-{number}.png", full_page=True)
        raised.context.tracing.stop(path=ARTIFACTS / f"{name}.zip")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report
