"""The printed tag works where a policy forbids everything else, and only with its own bytes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Response, Route
from strict_page import StrictShop, strict_world, violations
from world import JWT_LIFE, World

from bff.page_scripts import Encoding
from bff.simulator.shopper import Shopper

READ_STORAGE = "() => JSON.stringify({...localStorage, ...sessionStorage})"
KEEP_EVENTS = """
window.__events = '';
addEventListener('messenger-auth', ({ detail }) => (window.__events += JSON.stringify(detail)));
"""
IN_ONE_BROWSER = pytest.mark.parametrize("browser", ["chromium"], indirect=True)
DIALOG = "dialog.messenger-auth-dialog[open]"
# Messenger asks by itself, long after anybody clicked.
MESSENGER_ASKS = """
addEventListener('storage', ({ key }) => {
  if (key === 'poke') Genesys('command', 'Auth.reAuthenticate', {}, () => {}, () => {});
});
Object.defineProperty(Navigator.prototype, 'userActivation', { value: { isActive: false } });
"""
BLOCKED_STORAGE = """
for (const kind of ['localStorage', 'sessionStorage']) {
  Object.defineProperty(window, kind, { get() { throw new DOMException('no', 'SecurityError'); } });
}
"""


@pytest.fixture
def shop() -> StrictShop:
    return StrictShop()


@pytest.fixture
def here(
    request: pytest.FixtureRequest, browser: Browser, tmp_path: Path, shop: StrictShop
) -> Iterator[World]:
    turns_time = request.node.get_closest_marker("turns_time") is not None
    with strict_world(browser, tmp_path, shop, fake_time=turns_time) as raised:
        yield raised


def test_the_pinned_tag_signs_in_and_chats_without_one_violation(here: World) -> None:
    tab = here.signed_in_tab()
    tab.say("Is this page strict enough?")
    tab.page.reload()
    tab.wait_until_known(here.provider.first.name)

    assert here.heard()[-1]["identity"]["email"] == here.provider.first.email
    assert violations(tab) == ""
    assert tab.popups == 0


def test_the_dialog_and_its_window_need_nothing_that_the_policy_forbids(
    here: World, shop: StrictShop
) -> None:
    shop.surface = "popup"
    tab = here.tab()
    tab.page.add_init_script(MESSENGER_ASKS)
    tab.visit()
    tab.open_messenger()
    other = here.tab()
    other.visit("/elsewhere")
    other.page.evaluate("() => localStorage.setItem('poke', 'now')")
    tab.page.wait_for_selector(DIALOG)

    with tab.page.expect_popup() as opened:
        tab.page.locator(DIALOG).get_by_role("button", name="Sign in").click()
    here.provider.sign_in(opened.value, here.provider.first)
    tab.wait_until_known(here.provider.first.name)
    tab.say("I never left the page")

    assert here.heard()[-1]["identity"]["email"] == here.provider.first.email
    assert violations(tab) == ""


def test_other_bytes_at_the_pinned_address_are_refused_by_the_browser(
    here: World, shop: StrictShop
) -> None:
    shop.order = ("plugin",)
    source = shop.script.bodies[Encoding.PLAIN] + b"\n;window.__stolen = true;"

    def tamper(route: Route) -> None:
        headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript"}
        route.fulfill(body=source, headers=headers)

    address = here.stage.bff_url + shop.script.path
    here.context.route(address, tamper)
    tab = here.tab()
    tab.visit()
    assert tab.page.evaluate("() => [typeof MessengerAuth, typeof __stolen]") == ["undefined"] * 2

    # The same page without the pin runs whatever comes: it was the pin that held.
    shop.pinned = False
    here.context.route(here.stage.bff_url + shop.script.alias, tamper)
    tab.page.reload()
    assert tab.page.evaluate("() => [typeof MessengerAuth, __stolen]") == ["object", True]


@IN_ONE_BROWSER
@pytest.mark.parametrize(
    "order", [("plugin", "genesys"), ("plugin", "genesys", "plugin")], ids=["before", "twice"]
)
def test_the_order_of_the_tags_does_not_matter(
    here: World, shop: StrictShop, order: tuple[str, ...]
) -> None:
    shop.order, shop.pinned = order, False
    tab = here.signed_in_tab()

    tab.say("In whichever order")

    assert here.counters()["exchanges"] == 1
    assert violations(tab) == ""


@IN_ONE_BROWSER
def test_without_genesys_on_the_page_nothing_breaks(here: World, shop: StrictShop) -> None:
    shop.order = ("plugin",)
    tab = here.tab()
    faults: list[str] = []
    tab.page.on("pageerror", lambda error: faults.append(str(error)))

    # Shopper's own script asks a Messenger that is not there.
    tab.page.add_init_script("window.Genesys = undefined;")
    tab.visit()
    tab.page.wait_for_function("() => MessengerAuth.status().state === 'signed-out'")

    assert faults == []
    assert violations(tab) == ""


def test_a_browser_that_blocks_storage_signs_in_and_chats(here: World) -> None:
    here.context.add_init_script(BLOCKED_STORAGE)
    tab = here.signed_in_tab()

    tab.say("And it forgets me at once")

    assert here.heard()[-1]["identity"]["email"] == here.provider.first.email
    assert tab.popups == 0


@IN_ONE_BROWSER
@pytest.mark.turns_time
def test_what_a_page_writes_down_while_it_is_debugged_opens_nothing(
    here: World, shop: StrictShop
) -> None:
    here.context.add_init_script(KEEP_EVENTS)
    shop.pinned, shop.query = False, "?debug"
    written: list[str] = []
    secrets: set[str] = set()

    def note(tab: Shopper) -> None:
        tokens = json.loads(tab.page.evaluate(READ_STORAGE))
        jwt = next(value for name, value in tokens.items() if name.endswith("gcatkn"))
        secrets.add(jwt.split(".")[2])
        written.append(tab.page.evaluate("() => window.__events"))

    def codes(answer: Response) -> None:
        if answer.url.endswith("/messenger/code") and answer.request.method == "POST":
            words = answer.json()
            secrets.update(words[name] for name in ("authCode", "codeVerifier", "nonce"))

    here.context.on("console", lambda message: written.append(message.text))
    here.context.on("response", codes)
    tab = here.signed_in_tab()
    note(tab)
    for _ in range(2):
        known = tab.page.evaluate("() => window.__expiries.length")
        here.pass_time(JWT_LIFE)
        tab.page.wait_for_function("(n) => window.__expiries.length > n", arg=known)
        note(tab)

    everything = "\n".join(written)
    assert everything.count("renewed") >= 2
    assert len(secrets) >= 4
    assert [secret for secret in secrets if secret in everything] == []
