"""A page of the shop that asks for a person, as the plugin does, without the plugin's own rules."""

from typing import Any, Final

from playwright.sync_api import Locator, Page, expect
from world import World

LIMIT_MS: Final = 15_000

# What messenger-auth.js hands over; `heard` is what it would publish.
_NEEDS: Final = """
(base, wish) => {
  const call = async (path, body) => {
    let answer;
    try {
      answer = await fetch(base + path, {
        ...(body && {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', 'X-CSRF': '1' },
          body: JSON.stringify(body),
        }),
        credentials: 'include',
      });
    } catch {
      throw { code: 'unreachable', message: '', kind: 'unreachable' };
    }
    const data = await answer.json();
    if (answer.ok) return data;
    const kind = { 4: 'wrong', 5: 'unreachable' }[Math.floor(answer.status / 100)];
    throw { ...data, kind: answer.status === 401 ? 'refused' : kind };
  };
  window.__heard = [];
  window.__abort = new AbortController();
  const query = { return_to: location.pathname, origin: location.origin, surface: 'redirect' };
  return {
    base,
    surface: 'popup',
    reason: 'sign_in',
    code: '',
    message: '',
    session: () => call('/auth/session'),
    call,
    redirect() {
      window.__heard.push('redirect');
      location.assign(base + '/auth/login?' + new URLSearchParams(query));
      return true;
    },
    tell: (reason) => void window.__heard.push(reason),
    signal: window.__abort.signal,
    ...wish,
  };
}
"""
_ASK: Final = """
([base, wish, modal]) => {
  const needs = (NEEDS)(base, wish);
  if (modal) needs.modal = new Function('wish', modal);
  window.__outcome = null;
  void MessengerSignIn.ask(needs).then((outcome) => (window.__outcome = outcome));
}
""".replace("NEEDS", _NEEDS.strip())
_WATCH: Final = """
window.__violations = [];
addEventListener('securitypolicyviolation', (e) => window.__violations.push(e.violatedDirective));
"""


class DialogPage:
    """One tab with the dialog's script in it."""

    def __init__(self, page: Page, *, brand_url: str, bff_url: str) -> None:
        self.page = page
        self.brand_url = brand_url
        self.bff_url = bff_url
        page.set_default_timeout(LIMIT_MS)
        page.add_init_script(_WATCH)

    @classmethod
    def opened(cls, here: World, url: str = "") -> "DialogPage":
        """Return a new tab with the script in it, on the plain page unless told otherwise."""
        page = here.context.new_page()
        tab = cls(page, brand_url=here.stage.brand_url, bff_url=here.stage.bff_url)
        page.goto(url or tab.brand_url)
        return tab.load()

    def load(self) -> "DialogPage":
        """Load the script as the plugin does: by import, under whatever policy the page has."""
        self.page.evaluate("(url) => import(url)", f"{self.bff_url}/static/messenger-sign-in.js?1")
        return self

    def ask(self, *, modal: str = "", **wish: Any) -> "DialogPage":
        """Ask for a person, and do not wait for them."""
        self.page.evaluate(_ASK, [self.bff_url, wish, modal])
        return self

    @property
    def dialog(self) -> Locator:
        return self.page.locator("dialog.messenger-auth-dialog")

    @property
    def primary(self) -> Locator:
        return self.dialog.get_by_role("button").first

    @property
    def status(self) -> Locator:
        return self.dialog.get_by_role("status")

    def wait_for_dialog(self) -> "DialogPage":
        expect(self.dialog).to_be_visible(timeout=LIMIT_MS)
        return self

    def press(self) -> Page:
        """Press the first button and return the window that opens."""
        with self.page.expect_popup() as popup:
            self.primary.click()
        return popup.value

    @property
    def heard(self) -> list[str]:
        told: list[str] = self.page.evaluate("() => window.__heard")
        return told

    def outcome(self, limit_ms: int = LIMIT_MS) -> dict[str, Any]:
        """Wait until the question was answered, and return how."""
        self.page.wait_for_function("() => window.__outcome", timeout=limit_ms)
        found: dict[str, Any] = self.page.evaluate("() => window.__outcome")
        return found

    @property
    def pending(self) -> bool:
        answered: bool = self.page.evaluate("() => Boolean(window.__outcome)")
        return not answered

    @property
    def violations(self) -> list[str]:
        found: list[str] = self.page.evaluate("() => window.__violations")
        return found
