"""The page part in a real Chromium: a shop, a Genesys stand-in, and a tiny BFF that mints codes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from genesys_rig import GenesysRig, running_genesys
from one_playwright import one_playwright
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from provider_visitor import VERIFIER, Visitor

from bff.adapters.system import SystemClock
from bff.simulator.brand_site import BrandSettings, create_brand_site
from bff.simulator.genesys_settings import Behaviour
from bff.simulator.serving import Served

SCOPE: Final = "openid profile email offline_access"
expect.set_options(timeout=10_000)

# The snippet takes a stub that is already there: so the plugin is first in the queue.
STUB: Final = "window.Genesys = function () { (Genesys.q = Genesys.q || []).push(arguments); };"

# What a brand writes at the very least; `window.codes` counts, `window.events` remembers.
TINY_PROVIDER: Final = """
window.events = [];
window.codes = 0;
const getCode = () => fetch(`${BFF}/messenger/code`, {
  method: "POST", credentials: "include", body: "{}",
  headers: {"X-CSRF": "1", "Content-Type": "application/json"},
}).then((answer) => (answer.ok ? answer.json() : Promise.reject({message: "login_required"})));
window.getCode = getCode;
for (const name of ["ready", "authenticating", "authenticated", "loggedOut", "authError",
    "tokenError", "authProviderError", "error", "logoutError", "signInAvailable", "signingIn",
    "signedIn", "signInFailed"]) {
  Genesys("subscribe", `Auth.${name}`, (event) => window.events.push(event));
}
Genesys("registerPlugin", "AuthProvider", (AuthProvider) => {
  window.AuthProvider = AuthProvider;
  AuthProvider.registerCommand("getAuthCode", (e) => {
    window.codes += 1;
    window.lastOptions = e.data;
    getCode().then(e.resolve, e.reject);
  });
  AuthProvider.registerCommand("reAuthenticate", (e) => window.reAuthenticate(e));
  AuthProvider.registerCommand("signIn", (e) => window.signIn(e));
  AuthProvider.ready();
});
"""


@dataclass(slots=True, kw_only=True)
class TinyBff:
    """Answers two questions of the page; `person` is who is signed in at the brand."""

    genesys: GenesysRig
    person: str | None = "amira"
    minted: list[str] = field(default_factory=list)

    def app(self) -> Flask:
        app = Flask("tiny_bff")

        @app.after_request
        def let_the_brand_read(response: Any) -> Any:
            response.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "")
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Allow-Headers"] = "content-type, x-csrf"
            return response

        @app.get("/auth/session")
        def session() -> ResponseReturnValue:
            if self.person is None:
                return jsonify(signed_in=False)
            return jsonify(signed_in=True, name=self.person.title())

        @app.post("/messenger/code")
        def code() -> ResponseReturnValue:
            if self.person is None:
                return jsonify(code="login_required"), 401
            provider = self.genesys.provider
            answer = provider.sign_in(Visitor(), self.person, scope=SCOPE)
            self.minted.append(answer["code"])
            return jsonify(
                authCode=answer["code"],
                redirectUri=provider.client.redirect_uris[0],
                codeVerifier=VERIFIER,
                nonce="the-nonce",
                iss=provider.url,
            )

        return app


@dataclass(frozen=True, slots=True, kw_only=True)
class MessengerRig:
    """Everything that a page test turns."""

    genesys: GenesysRig
    bff: TinyBff
    brand_url: str
    context: BrowserContext
    tiny_provider: str

    def on_another_device(self) -> Self:
        """Return the same places seen from a browser that shares nothing with this one."""
        browser = self.context.browser
        assert browser is not None
        return replace(self, context=browser.new_context())

    def page(self, path: str = "/", *, before: str = "") -> Page:
        """Open a page; our tiny AuthProvider registers where a brand's file would."""
        page = self.context.new_page()
        if path != "/naive":
            page.add_init_script(f"(() => {{ {STUB} {before} {self.tiny_provider} }})();")
        page.goto(self.brand_url + path)
        return page


def messenger(page: Page) -> Locator:
    return page.get_by_test_id("messenger")


def expect_state(page: Page, state: str) -> None:
    expect(messenger(page)).to_have_attribute("data-state", state)


def popups(page: Page) -> int:
    return int(messenger(page).get_attribute("data-popups") or 0)


def open_panel(page: Page) -> None:
    page.get_by_test_id("messenger-launcher").click()


def say(page: Page, text: str) -> None:
    page.get_by_test_id("messenger-input").fill(text)
    page.get_by_test_id("messenger-send").click()


def events(page: Page, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(
        "name => window.events.filter((event) => event.event === `Auth.${name}`)", name
    )
    return found


@contextmanager
def launched_chromium() -> Iterator[Browser]:
    with one_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        yield browser
        browser.close()


@contextmanager
def running_messenger(browser: Browser, **settings: Any) -> Iterator[MessengerRig]:
    """Serve shop, tiny BFF, Genesys and provider for one test, in a context of its own."""
    quick = {"behaviour": Behaviour(popup_grace_ms=100, reconnect_ms=50)}
    with running_genesys(clock=SystemClock(), **{**quick, **settings}) as genesys:
        bff = TinyBff(genesys=genesys)
        with Served(bff.app(), host="auth.brand.localhost") as served_bff:
            shop = BrandSettings(bff_url=served_bff.url, genesys_url=genesys.url, with_plugin=False)
            with Served(create_brand_site(shop), host="www.brand.localhost") as brand:
                context = browser.new_context()
                yield MessengerRig(
                    genesys=genesys,
                    bff=bff,
                    brand_url=brand.url,
                    context=context,
                    tiny_provider=f"const BFF = '{served_bff.url}';" + TINY_PROVIDER,
                )
                for opened in browser.contexts:
                    opened.close()
