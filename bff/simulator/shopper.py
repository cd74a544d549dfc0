"""A customer on the brand page, as Playwright sees one: for `demo --check`, journeys and QA."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

LIMIT_MS: Final = 15_000

_AUTHENTICATED: Final = "() => window.__authenticated ?? 0"
_COUNTER: Final = """
window.__authenticated = 0;
window.__expiries = [];
addEventListener('DOMContentLoaded', () => {
  Genesys('subscribe', 'Auth.authenticated', ({ data }) => {
    window.__authenticated += 1;
    const body = (data.jwt ?? '').split('.')[1] ?? '';
    const claims = JSON.parse(atob(body.replace(/-/g, '+').replace(/_/g, '/')) || '{}');
    if (!window.__expiries.includes(claims.exp)) window.__expiries.push(claims.exp);
  });
});
"""


class Shopper:
    """One page of the brand and the Messenger in it."""

    def __init__(self, page: "Page", brand_url: str) -> None:
        self.page = page
        self.brand_url = brand_url
        page.set_default_timeout(LIMIT_MS)
        page.add_init_script(_COUNTER)

    def visit(self, path: str = "/") -> None:
        """Open a page of the shop."""
        self.page.goto(self.brand_url + path)

    def part(self, name: str) -> "Locator":
        """Return a part of the page or the Messenger by its test id."""
        return self.page.get_by_test_id(name)

    def sign_in(self, person: str = "Amira Haddad") -> None:
        """Press the shop's button and be signed in at the stand-in provider."""
        self.part("brand-sign-in").click()
        self.choose(person)

    def choose(self, person: str) -> None:
        """At the stand-in provider: be this sample customer."""
        self.page.get_by_role("button", name=person).click()
        self.page.wait_for_url(self.brand_url + "/**")

    def open_messenger(self) -> None:
        """Open the panel if it is closed."""
        self.page.wait_for_selector("#genesys-messenger", state="attached")
        if self.part("messenger-launcher").get_attribute("aria-expanded") != "true":
            self.part("messenger-launcher").click()

    def wait_until_known(self, name: str = "Amira Haddad") -> None:
        """Wait until the Messenger says who is signed in."""
        self.part("messenger-identity").get_by_text(f"Signed in as {name}").wait_for()

    def wait_until_guest(self) -> None:
        """Wait until the Messenger chats anonymously."""
        self.part("messenger-identity").get_by_text("You are chatting as a guest").wait_for()

    def say(self, text: str) -> None:
        """Send a message and wait until Genesys has echoed it."""
        self.part("messenger-input").fill(text)
        self.part("messenger-send").click()
        self.message(text).wait_for()

    def message(self, text: str, *, author: str = "You") -> "Locator":
        """Return the messages that read `text` and nothing else."""
        item = self.page.locator(f'[data-testid="messenger-message"][data-author="{author}"]')
        return item.filter(has=self.page.get_by_text(text, exact=True))

    def wait_for_expiries(self, count: int, *, limit: timedelta) -> None:
        """Wait until JWTs with `count` more expiries than now have come."""
        known = self.page.evaluate("() => window.__expiries.length")
        self.page.wait_for_function(
            "(enough) => window.__expiries.length >= enough",
            arg=known + count,
            timeout=limit.total_seconds() * 1000,
        )

    @property
    def popups(self) -> int:
        """Return how often this page has shown the Re-authenticate pop-up."""
        frame = self.page.locator("[data-popups]")
        return int(frame.get_attribute("data-popups") or 0) if frame.count() else 0

    @property
    def plugin(self) -> dict[str, Any]:
        """Return the plugin's status."""
        status: dict[str, Any] = self.page.evaluate("() => ({...MessengerAuth.status()})")
        return status

    def sign_out(self) -> None:
        """Press the shop's button and come back from the provider."""
        self.part("brand-sign-out").click()
        self.part("brand-sign-in").wait_for()
