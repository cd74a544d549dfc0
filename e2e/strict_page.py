"""A shop under the strictest policy there is, with the tag that `snippet` prints."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response
from playwright.sync_api import Browser
from running_bff import RunningBff
from world import OwnProvider, World

from bff.adapters.system import SystemClock, SystemEntropy
from bff.page_scripts import PageScript, PageScripts
from bff.resources import static_folder
from bff.settings import Settings
from bff.simulator.serving import Served
from bff.simulator.shopper import Shopper
from bff.simulator.stage import BRAND_HOST, Stage, StagePlan, raised
from bff.snippet import NONCE, PLUGIN, SnippetPlan, following_tag, pinned_tag, policy

NOTES: Final = """
try { sessionStorage.violations ??= ''; } catch { window.__blocked = true; }
document.addEventListener('securitypolicyviolation', (e) => {
  sessionStorage.violations += `${e.effectiveDirective} ${e.blockedURI} ${e.sample}\\n`;
});
"""


class StrictShop:
    """A server with one page; a test says what stands in it and in which order."""

    def __init__(self) -> None:
        self.order: tuple[str, ...] = ("genesys", "plugin")
        self.pinned = True
        self.query = ""
        self.surface: str | None = None
        self.stage: Stage | None = None
        self.served = Served(self._server(), host=BRAND_HOST)

    @property
    def script(self) -> PageScript:
        return PageScripts(static_folder()).current(PLUGIN)

    def _server(self) -> Flask:
        app = Flask("strict", static_folder=None)

        @app.get("/<path:_>")
        @app.get("/")
        def page(_: str = "") -> Response:
            assert self.stage is not None
            answer = Response(self._html(self.stage), mimetype="text/html")
            answer.headers["Content-Security-Policy"] = self._policy(self.stage)
            answer.headers["Cache-Control"] = "no-store"
            return answer

        return app

    def _plan(self, stage: Stage) -> SnippetPlan:
        return SnippetPlan(
            public_url=stage.bff_url,
            deployment=stage.genesys.settings.deployment_id,
            surface=self.surface,
            with_nonce=True,
        )

    def _policy(self, stage: Stage) -> str:
        ours, genesys = policy(self._plan(stage)), stage.genesys_url
        directives = {
            "default-src": "'none'",
            "script-src": ours["script-src"],
            # The vendor's part of the policy: its answers, its socket, its style sheet.
            "connect-src": f"{ours['connect-src']} {genesys} ws://{urlsplit(genesys).netloc}",
            "style-src": genesys,
            "img-src": "data:",
            "base-uri": "'none'",
            "object-src": "'none'",
            "form-action": "'none'",
            "require-trusted-types-for": "'script'",
            "trusted-types": "'none'",
        }
        return "; ".join(f"{name} {sources}" for name, sources in directives.items())

    def _html(self, stage: Stage) -> str:
        tags = "\n".join(self._tag(stage, name) for name in self.order)
        return (
            "<!doctype html><html lang=en><meta charset=utf-8><title>Orders</title>"
            f"<link rel=icon href='data:,'>{tags}"
            "<main><h1>Orders</h1><button data-testid=brand-sign-in>Sign in</button></main>"
            f'<script nonce="{NONCE}">document.querySelector("button").onclick = () => '
            "MessengerAuth.signIn()</script>"
        )

    def _tag(self, stage: Stage, name: str) -> str:
        if name == "plugin":
            tag = pinned_tag if self.pinned else following_tag
            return tag(self._plan(stage), self.script).replace('.js"', f'.js{self.query}"')
        # The vendor's own snippet makes a script element by script, which no Trusted Type allows.
        return (
            f'<script nonce="{NONCE}">_genesysJs = "Genesys"; Genesys = window.Genesys || function '
            "() { (Genesys.q = Genesys.q || []).push(arguments) }; Genesys.c = "
            f'{{deploymentId: "{stage.genesys.settings.deployment_id}"}}</script>'
            f'<script defer nonce="{NONCE}" src="{stage.genesys_url}/genesys-bootstrap/'
            'genesys.min.js"></script>'
        )


@contextmanager
def strict_world(
    browser: Browser, folder: Path, shop: StrictShop, *, fake_time: bool
) -> Iterator[World]:
    """Raise everything with this shop in the place of the demo's."""
    clock = SystemClock()
    with ExitStack() as running:
        stage = running.enter_context(raised(StagePlan(), clock=clock, entropy=SystemEntropy()))
        stage = replace(stage, brand_url=shop.served.url)
        shop.stage = stage
        running.enter_context(shop.served)
        own = {
            "BFF_ALLOWED_ORIGINS": stage.brand_url,
            "BFF_STORE_URL": f"sqlite:///{folder / 'store.sqlite3'}",
        }
        settings = Settings.read({**stage.environment, **own})
        bff = running.enter_context(RunningBff(settings, clock=clock, port=stage.bff_port))
        context = browser.new_context()
        running.callback(context.close)
        context.add_init_script(NOTES)
        if fake_time:
            context.clock.install()
        provider = OwnProvider(stage)
        yield World(stage=stage, bff=bff, provider=provider, context=context, clock=clock)


def violations(tab: Shopper) -> str:
    """Return what the policy stopped in this tab, over all its pages."""
    seen: str = tab.page.evaluate("() => sessionStorage.violations ?? 'nobody looked'")
    return seen
