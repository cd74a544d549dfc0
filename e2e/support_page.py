"""A customer on the shop's support page: the chat that is our own."""

import re
from typing import Any, Final

from playwright.sync_api import Locator, Page, expect

LIMIT_MS: Final = 15_000
# A policy that forbids what the page does would stop it silently: it is counted from the start.
_WATCH: Final = """
window.__violations = [];
addEventListener('securitypolicyviolation', (e) => window.__violations.push(e.violatedDirective));
"""


class SupportPage:
    """One tab with the chat in it."""

    def __init__(self, page: Page, brand_url: str) -> None:
        self.page = page
        self.brand_url = brand_url
        page.set_default_timeout(LIMIT_MS)
        page.add_init_script(_WATCH)

    def visit(self) -> "SupportPage":
        """Open the page and wait until the chat is open."""
        self.page.goto(self.brand_url + "/support")
        self.wait_until("open")
        return self

    def part(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    def wait_until(self, state: str) -> None:
        """Wait until the chat shows this state."""
        self.page.wait_for_selector(f'#chat[data-state="{state}"]')

    def write(self, text: str) -> None:
        """Write and send without waiting for anything."""
        # Not typed: whoever types is told of, and Genesys hears that once in five seconds.
        self.part("chat-input").evaluate("(field, text) => void (field.value = text)", text)
        self.part("chat-input").press("Enter")

    def say(self, text: str) -> None:
        """Write, and wait until it was delivered."""
        self.write(text)
        self.wait_for_fate(text, "delivered")

    def wait_for_fate(self, text: str, state: str) -> None:
        """Wait until a message of ours has this state."""
        expect(self.message(text)).to_have_attribute("data-state", state, timeout=LIMIT_MS)

    def message(self, text: str, *, author: str = "me") -> Locator:
        """Return the messages that read `text` and nothing else."""
        item = self.page.locator(f'[data-testid="chat-message"][data-author="{author}"]')
        return item.filter(has=self.page.get_by_text(text, exact=True))

    def wait_for_answer(self, words: str) -> None:
        """Wait until somebody of the shop has said this."""
        theirs = self.page.locator('[data-testid="chat-message"][data-author="them"]')
        expect(theirs.filter(has_text=re.compile(words)).first).to_be_visible(timeout=LIMIT_MS)

    def wait_for_identity(self, words: str) -> None:
        expect(self.part("chat-identity")).to_contain_text(words, timeout=LIMIT_MS)

    def lines(self) -> list[str]:
        """Return what was said in this tab, in order."""
        return self.page.locator('[data-testid="chat-message"] .bubble').all_inner_texts()

    def sign_in(self) -> None:
        """Leave for the provider, as the chat offers it."""
        self.part("chat-sign-in").click()

    @property
    def violations(self) -> list[str]:
        """Return what the page's policy has forbidden."""
        found: list[str] = self.page.evaluate("() => window.__violations")
        return found

    def storage(self) -> dict[str, Any]:
        """Return everything that script can read in this tab."""
        kept: dict[str, Any] = self.page.evaluate(
            "() => ({...localStorage, ...sessionStorage, cookie: document.cookie})"
        )
        return kept
