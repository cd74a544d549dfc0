"""A browser, a BFF, a provider and Genesys on one clock: what every journey walks through."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from certified_provider import CertifiedClient, CertifiedLifetimes, CertifiedProvider
from playwright.sync_api import Browser, BrowserContext, Page
from running_bff import RunningBff
from support_page import SupportPage

from bff.adapters.system import SystemClock, SystemEntropy
from bff.settings import Settings
from bff.signin.records import BrowserSession
from bff.simulator.provider_faults import Fault
from bff.simulator.shopper import Shopper
from bff.simulator.stage import (
    PROVIDER_HOST,
    SAME_SITE_HOST,
    ForeignProvider,
    Stage,
    StagePlan,
    raised,
)
from bff.web.doorway import Services

JWT_LIFE: Final = timedelta(minutes=15)
A_WEEK_S: Final = 7 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """A customer, as they sign in and as they are shown."""

    login: str
    name: str
    email: str


class ProviderHand(Protocol):
    """What a journey does at a provider, by its pages or behind them."""

    @property
    def first(self) -> Somebody:
        """Return a customer."""

    @property
    def second(self) -> Somebody:
        """Return another."""

    def sign_in(self, page: Page, who: Somebody) -> None:
        """Be signed in, starting on the provider's page."""

    def cancel(self, page: Page) -> None:
        """Give up on the provider's page."""

    def sign_out(self, page: Page) -> None:
        """Sign out at the provider itself, in this browser."""

    def confirm_sign_out(self, page: Page) -> None:
        """Click what the provider asks when a client signs somebody out."""

    def go_down(self) -> None:
        """Stop answering."""


@dataclass(frozen=True, slots=True)
class OwnProvider:
    """The stand-in that is installed with the package."""

    stage: Stage
    first: Somebody = Somebody(login="amira", name="Amira Haddad", email="amira@example.com")
    second: Somebody = Somebody(login="zoe", name="Zoë Łukasik", email="zoe@example.org")

    def sign_in(self, page: Page, who: Somebody) -> None:
        page.get_by_role("button", name=who.name).click()

    def cancel(self, page: Page) -> None:
        page.get_by_role("button", name="Cancel").click()

    def sign_out(self, page: Page) -> None:
        page.goto(f"{self.stage.issuer}/account")
        page.get_by_role("button", name="Sign out").first.click()
        page.get_by_text("signed out").first.wait_for()

    def confirm_sign_out(self, page: Page) -> None:
        """The hint is enough."""

    def go_down(self) -> None:
        for endpoint in ("token", "jwks", "userinfo", "discovery"):
            self.stage.provider.faults.plant(Fault.CUT, endpoint=endpoint)

    def come_back(self) -> None:
        self.stage.provider.faults.clear()


@dataclass(slots=True)
class Certified:
    """npm `oidc-provider`, which nobody here wrote."""

    rig: CertifiedProvider
    first: Somebody = Somebody(login="nadia", name="nadia Example", email="nadia@example.com")
    second: Somebody = Somebody(login="tomas", name="tomas Example", email="tomas@example.com")

    def sign_in(self, page: Page, who: Somebody) -> None:
        page.get_by_label("Login").fill(who.login)
        page.get_by_label("Password").fill("any")
        page.get_by_role("button", name="Sign in").click()

    def cancel(self, page: Page) -> None:
        page.get_by_role("button", name="Cancel").click()

    def sign_out(self, page: Page) -> None:
        page.goto(f"{self.rig.issuer}/session/end")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("heading", name="Signed out").wait_for()

    def confirm_sign_out(self, page: Page) -> None:
        # The shop's page has a button of that name as well.
        page.get_by_role("heading", name="Sign out?").wait_for()
        page.get_by_role("button", name="Sign out").click()

    def go_down(self) -> None:
        self.rig.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One journey's surroundings. The clock moves the servers and the browser together."""

    stage: Stage
    bff: RunningBff
    provider: ProviderHand
    context: BrowserContext = field(repr=False)
    clock: SystemClock = field(repr=False)

    @property
    def services(self) -> Services:
        return self.bff.services

    def chat(self) -> SupportPage:
        """Return another tab of the same browser, with the shop's own chat open in it."""
        return SupportPage(self.context.new_page(), self.stage.brand_url).visit()

    def another_profile(self) -> BrowserContext:
        """Return another profile of the same browser on the same machine."""
        browser = self.context.browser
        assert browser is not None
        return browser.new_context()

    def records_settled(self) -> None:
        """Have written down what is still on its way to the records."""
        assert self.services.records is not None
        self.services.records.settle()

    def audit_actions(self) -> list[str]:
        """Return the action of every event of the audit log, oldest first."""
        self.records_settled()
        assert self.services.records is not None
        return [row.action for row in self.services.records.keeper.rows(after=0, limit=10_000)]

    def tab(self) -> Shopper:
        """Return another tab of the same browser."""
        return Shopper(self.context.new_page(), self.stage.brand_url)

    def signed_in_tab(self, path: str = "/") -> Shopper:
        """Return a tab whose customer has signed in and sees the Messenger say so."""
        tab = self.tab()
        tab.visit(path)
        tab.part("brand-sign-in").click()
        self.provider.sign_in(tab.page, self.provider.first)
        tab.page.wait_for_url(self.stage.brand_url + "/**")
        tab.open_messenger()
        tab.wait_until_known(self.provider.first.name)
        return tab

    def pass_time(self, duration: timedelta) -> None:
        """Let time pass everywhere at once."""
        self.clock.shift += duration
        self.context.clock.fast_forward(int(duration.total_seconds() * 1000))

    def sessions(self) -> list[BrowserSession]:
        return self.services.book.everyone()

    def heard(self) -> list[dict[str, Any]]:
        """Return what Genesys heard, and from whom."""
        heard: list[dict[str, Any]] = self.stage.genesys.report()["heard"]
        return heard

    def conversations(self) -> int:
        """Return how many sessions of Genesys somebody spoke in."""
        genesys = self.stage.genesys
        with genesys.lock:
            return len({entry.session_id for entry in genesys.messaging.talk.heard})

    def counters(self) -> dict[str, int]:
        counters: dict[str, int] = self.stage.genesys.report()["counters"]
        return counters


@contextmanager
def world(
    browser: Browser,
    folder: Path,
    *,
    certified: bool,
    fake_time: bool,
    passthrough: bool = False,
    provider_host: str | None = None,
) -> Iterator[World]:
    """Raise everything for one journey."""
    clock = SystemClock()
    host = provider_host or (SAME_SITE_HOST if passthrough else PROVIDER_HOST)
    with ExitStack() as running:
        rig: list[CertifiedProvider] = []

        def foreign(bff_url: str) -> ForeignProvider:
            client = CertifiedClient(
                redirect_uris=(f"{bff_url}/auth/callback",),
                post_logout_redirect_uris=(f"{bff_url}/auth/logged-out",),
                backchannel_logout_uri=f"{bff_url}/auth/backchannel-logout",
            )
            genesys = CertifiedClient(
                client_id="genesys-messenger",
                client_secret="certified-secret-of-genesys-0123456789-abc",
                redirect_uris=(f"{bff_url}/messenger/callback",),
            )
            # Its clock cannot be turned: ID tokens must outlive the journeys that turn ours.
            lifetimes = CertifiedLifetimes(id_token=A_WEEK_S)
            served = CertifiedProvider(
                client,
                others=(genesys,),
                lifetimes=lifetimes,
                host=host,
                # Genesys takes names from the ID token; we ask userinfo as well.
                claims_in_id_token=passthrough,
            )
            rig.append(running.enter_context(served))
            return ForeignProvider(
                issuer=rig[0].issuer,
                client_id=client.client_id,
                client_secret=client.client_secret,
                genesys_id=genesys.client_id,
                genesys_secret=genesys.client_secret,
            )

        issuer: Callable[[str], ForeignProvider] | None = foreign if certified else None
        entropy = SystemEntropy()
        plan = StagePlan(issuer=issuer, passthrough=passthrough, provider_host=host)
        stage = running.enter_context(raised(plan, clock=clock, entropy=entropy))
        store = f"sqlite:///{folder / 'store.sqlite3'}"
        settings = Settings.read({**stage.environment, "BFF_STORE_URL": store})
        bff = running.enter_context(RunningBff(settings, clock=clock, port=stage.bff_port))
        context = browser.new_context()
        running.callback(context.close)
        if fake_time:
            context.clock.install()
        provider: ProviderHand = Certified(rig[0]) if certified else OwnProvider(stage)
        yield World(stage=stage, bff=bff, provider=provider, context=context, clock=clock)
