"""A plain page of the shop, a BFF and a provider, which send the headers that a test wants."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from flask import Flask, Response
from playwright.sync_api import Browser, BrowserContext
from running_bff import RunningBff
from world import OwnProvider, World

from bff.adapters.system import SystemClock, SystemEntropy
from bff.settings import Settings
from bff.simulator.identity_provider import create_identity_provider, serve_identity_provider
from bff.simulator.provider_core import Provider, provider_of
from bff.simulator.provider_settings import ProviderClient, ProviderSettings
from bff.simulator.serving import Served
from bff.simulator.stage import BRAND_HOST, ForeignProvider, StagePlan, raised

OPENER_POLICY: Final = "Cross-Origin-Opener-Policy"
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Your orders</title><link rel="icon" href="data:,"></head>
<body><main><h1>Your orders</h1><p>Nothing is on its way.</p>
<button id="chat">Chat</button></main></body></html>"""


@dataclass(slots=True)
class Knobs:
    """What each of the three says beside what it has to say."""

    page: dict[str, str] = field(default_factory=dict)
    provider_opener: str = ""
    callback_opener: str = ""

    def reset(self) -> None:
        self.page, self.provider_opener, self.callback_opener = {}, "", ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogWorld(World):
    """The same surroundings, with the plain page as the shop's."""

    knobs: Knobs

    @contextmanager
    def profile(self, **options: Any) -> Iterator["DialogWorld"]:
        """Return it with a browser profile that nobody has used."""
        browser = self.context.browser
        assert browser is not None
        context: BrowserContext = browser.new_context(**options)
        self.knobs.reset()
        self.stage.provider.faults.clear()
        yield replace(self, context=context)
        context.close()


@contextmanager
def dialog_world(browser: Browser, folder: Path) -> Iterator[DialogWorld]:
    """Raise everything once, for many tests."""
    knobs, clock, made = Knobs(), SystemClock(), []
    with ExitStack() as running:

        def provider_for(bff_url: str) -> ForeignProvider:
            made.append(_provider(bff_url, knobs, clock=clock, running=running))
            client = made[0].settings.clients[0]
            return ForeignProvider(
                issuer=made[0].issuer,
                client_id=client.client_id,
                client_secret=client.client_secret,
            )

        plan = StagePlan(issuer=provider_for)
        stage = running.enter_context(raised(plan, clock=clock, entropy=SystemEntropy()))
        plain = running.enter_context(Served(_plain_shop(knobs), host=BRAND_HOST))
        own = {
            "BFF_ALLOWED_ORIGINS": f"{plain.url},{stage.brand_url}",
            "BFF_STORE_URL": f"sqlite:///{folder / 'store.sqlite3'}",
            "BFF_SIGN_INS_PER_MINUTE": "10000",
        }
        settings = Settings.read({**stage.environment, **own})
        bff = running.enter_context(RunningBff(settings, clock=clock, port=stage.bff_port))
        _with_opener_policy(bff._app, lambda: knobs.callback_opener)
        stage = replace(stage, brand_url=plain.url, provider=made[0])
        context = browser.new_context()
        running.callback(context.close)
        yield DialogWorld(
            stage=stage,
            bff=bff,
            provider=OwnProvider(stage),
            context=context,
            clock=clock,
            knobs=knobs,
        )


def _provider(bff_url: str, knobs: Knobs, *, clock: SystemClock, running: ExitStack) -> Provider:
    client = ProviderClient(
        client_id="brand",
        client_secret=SystemEntropy().token(),
        name="Fern & Thread",
        redirect_uris=(f"{bff_url}/auth/callback",),
        post_logout_redirect_uris=(f"{bff_url}/auth/logged-out",),
        backchannel_logout_uri=f"{bff_url}/auth/backchannel-logout",
    )
    app = create_identity_provider(
        ProviderSettings(clients=(client,)), clock=clock, entropy=SystemEntropy()
    )
    _with_opener_policy(app, lambda: knobs.provider_opener)
    running.enter_context(serve_identity_provider(app))
    return provider_of(app)


def _with_opener_policy(app: Flask, policy: Callable[[], str]) -> None:
    def add(response: Response) -> Response:
        if policy():
            response.headers[OPENER_POLICY] = policy()
        return response

    # Not by `after_request`: the application may have answered already.
    app.after_request_funcs.setdefault(None, []).append(add)


def _plain_shop(knobs: Knobs) -> Flask:
    app = Flask("plain", static_folder=None)

    @app.get("/<path:_>")
    @app.get("/")
    def page(_: str = "") -> Response:
        return Response(_PAGE, mimetype="text/html", headers=knobs.page)

    return app
