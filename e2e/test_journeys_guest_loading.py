"""The plugin loads the chat's script under the strictest policies, and again if it failed."""

from collections.abc import Iterator

import pytest
from flask import Flask, Response, send_from_directory
from playwright.sync_api import Browser, Page

from bff.resources import static_folder
from bff.simulator.serving import Served

POLICIES = {
    "a nonce": "'nonce-abc'",
    "a nonce and strict-dynamic": "'nonce-abc' 'strict-dynamic'",
    "an address": "{scripts}",
}
TRUSTED_TYPES = "require-trusted-types-for 'script'; trusted-types 'none'"


class Site:
    """A page with one script tag, and the server of that script."""

    def __init__(self) -> None:
        self.sources = ""
        self.fails = 0
        self.scripts = Served(self._script_server(), host="auth.brand.localhost")
        self.pages = Served(self._page_server(), host="www.brand.localhost")

    def _script_server(self) -> Flask:
        app = Flask("scripts", static_folder=None)

        @app.get("/static/<name>")
        def script(name: str) -> Response:
            if name == "messenger-guest.js" and self.fails:
                self.fails -= 1
                return Response(status=503)
            answer = send_from_directory(static_folder(), name)
            answer.headers["Access-Control-Allow-Origin"] = "*"
            return answer

        return app

    def _page_server(self) -> Flask:
        app = Flask("pages", static_folder=None)

        @app.get("/")
        def page() -> Response:
            source = f"{self.scripts.url}/static/messenger-auth.js"
            answer = Response(f'<!doctype html><script nonce="abc" src="{source}"></script>')
            sources = self.sources.format(scripts=self.scripts.url)
            answer.mimetype = "text/html"
            answer.headers["Content-Security-Policy"] = f"script-src {sources}; {TRUSTED_TYPES}"
            return answer

        return app


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    with made.scripts, made.pages:
        yield made


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


OPEN = """() => MessengerAuth.openGuestChat().then((chat) => {
  const { state } = chat;
  chat.close();
  return state;
}, (error) => error.name)"""


@pytest.mark.parametrize("sources", POLICIES.values(), ids=POLICIES.keys())
def test_the_plugin_loads_the_chat_where_no_trusted_type_exists(
    site: Site, page: Page, sources: str
) -> None:
    site.sources = sources
    page.goto(site.pages.url)

    assert page.evaluate(OPEN) == "connecting"


def test_a_policy_that_does_not_know_the_server_stops_it(site: Site, page: Page) -> None:
    site.sources = "'sha256-AAAA'"
    page.goto(site.pages.url)

    assert page.evaluate("() => typeof MessengerAuth") == "undefined"


def test_a_script_that_could_not_be_loaded_is_loaded_the_next_time(site: Site, page: Page) -> None:
    site.sources, site.fails = POLICIES["a nonce"], 1
    page.goto(site.pages.url)

    assert page.evaluate(OPEN) == "TypeError"
    assert page.evaluate(OPEN) == "connecting"
