"""`messenger-bff demo --check`: a headless customer walks the whole path, a line for each step."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bff.simulator.shopper import Shopper
from bff.simulator.stage import FAST_JWT, Stage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
EXPIRIES: Final = 3
ADVICE: Final = """\
`demo --check` drives Chromium with Playwright. Missing: {missing}.
  pip install 'messenger-bff[check]'
  apt-get install --no-install-recommends chromium
"""


class _Walk:
    """The steps, in order; each raises if what it saw is wrong."""

    def __init__(self, context: "BrowserContext", stage: Stage, *, passthrough: bool) -> None:
        self._context = context
        self._stage = stage
        self._passthrough = passthrough
        self._first = Shopper(context.new_page(), stage.brand_url)
        self._second = Shopper(context.new_page(), stage.brand_url)

    def steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield what a step is called and how it is taken."""
        yield "a guest opens the page and signs in", self.sign_in
        yield "a message arrives at Genesys as the signed-in person", self.message
        yield f"{EXPIRIES} JWTs expire; nobody is asked again", self.expiries
        yield "after a reload the chat goes on", self.reload
        yield "a second tab is signed in by itself", self.second_tab
        # Genesys takes no code of ours in passthrough, so the shop's own chat is a visitor's.
        whose = "a visitor" if self._passthrough else "the same person"
        yield f"the shop's own chat carries a signed message as {whose}", self.own_chat
        yield "signing out ends it in both tabs, at the provider and at Genesys", self.sign_out

    def sign_in(self) -> None:
        self._first.visit()
        self._first.sign_in()
        self._first.open_messenger()
        self._first.wait_until_known()

    def message(self) -> None:
        self._first.say("Does the blanket come in slate?")
        heard = self._stage.genesys.report()["heard"][-1]
        _expect(heard["text"] == "Does the blanket come in slate?", "the text is another")
        _expect(heard["identity"]["email"] == "amira@example.com", "the person is another")

    def expiries(self) -> None:
        self._first.wait_for_expiries(EXPIRIES, limit=FAST_JWT * (EXPIRIES + 2))
        _expect(self._first.popups == 0, "the Re-authenticate pop-up was shown")

    def reload(self) -> None:
        self._first.page.reload()
        self._first.wait_until_known()
        self._first.say("And in oat?")
        _expect(self._first.popups == 0, "the Re-authenticate pop-up was shown")

    def second_tab(self) -> None:
        self._second.visit("/orders")
        self._second.open_messenger()
        self._second.wait_until_known()
        _expect(self._second.popups == 0, "the Re-authenticate pop-up was shown")

    def own_chat(self) -> None:
        self._second.visit("/support")
        field = self._second.part("chat-input")
        self._second.page.wait_for_selector('#chat[data-state="open"]')
        field.fill("And by post?")
        field.press("Enter")
        self._second.page.wait_for_selector(
            '[data-testid="chat-message"][data-author="me"][data-state="delivered"]'
        )
        heard = self._stage.genesys.report()["heard"][-1]
        _expect(heard["text"] == "And by post?", "the text is another")
        whose = None if self._passthrough else "amira@example.com"
        _expect((heard["identity"] or {}).get("email") == whose, "the person is another")

    def sign_out(self) -> None:
        self._first.sign_out()
        self._second.part("brand-sign-in").wait_for()
        _expect(not self._stage.provider.sign_ons.living(), "the provider knows the person still")
        _expect("gcatkn" not in self._stored(), "the page keeps a Genesys token")

    def _stored(self) -> str:
        return str(self._first.page.evaluate("() => Object.keys(localStorage).join(' ')"))


def drive(stage: Stage, *, passthrough: bool = False) -> int:
    """Walk once; print a line for each step; return 0, or 1 at the first that fails."""
    with _browser() as browser:
        if browser is None:
            return 1
        from playwright.sync_api import Error  # noqa: PLC0415 - an optional package

        walk = _Walk(browser.new_context(), stage, passthrough=passthrough)
        for name, step in walk.steps():
            if sys.stdout.isatty():
                print(f"...   {name}", end="\r", flush=True)
            try:
                step()
            except (Error, AssertionError) as error:
                print(f"FAIL  {name}\n      {str(error).splitlines()[0]}", flush=True)
                return 1
            print(f"ok    {name}", flush=True)
    print("The demo works.")
    return 0


@contextmanager
def _browser() -> Iterator["Browser | None"]:
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an optional package
    except ImportError:
        print(ADVICE.format(missing="Playwright"), file=sys.stderr)
        yield None
        return
    if path is None:
        print(ADVICE.format(missing="Chromium"), file=sys.stderr)
        yield None
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        try:
            yield browser
        finally:
            browser.close()


def _expect(seen: object, complaint: str) -> None:
    if not seen:
        raise AssertionError(complaint)
