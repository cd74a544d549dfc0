"""Where a person is really needed, one dialog in the page says so, and the chat goes on."""

from typing import Final

import pytest
from playwright.sync_api import expect
from world import World

from bff.simulator.shopper import Shopper

DIALOG: Final = "dialog.messenger-auth-dialog[open]"
# Messenger asks by itself, long after the journey's own clicks.
_LISTENS: Final = """
addEventListener('storage', ({ key }) => {
  if (key === 'poke') Genesys('command', 'Auth.reAuthenticate', {}, () => {}, () => {});
});
Object.defineProperty(Navigator.prototype, 'userActivation', { value: { isActive: false } });
window.__born = Math.random();
"""
_BY_WINDOWS: Final = """
new MutationObserver(() => {
  const script = document.querySelector('script[src$="messenger-auth.js"]');
  if (script) script.dataset.surface = 'popup';
}).observe(document, { childList: true, subtree: true });
"""


def _without_session(own: World, *, surface: str = "redirect") -> Shopper:
    """Return a tab whose session has ended elsewhere, and whose Messenger asks to sign in again."""
    tab = own.signed_in_tab()
    tab.page.add_init_script(_LISTENS)
    if surface == "popup":
        tab.page.add_init_script(_BY_WINDOWS)
    tab.visit()
    tab.open_messenger()
    tab.wait_until_known(own.provider.first.name)
    other = own.tab()
    other.visit("/support")
    own.services.sign_out.revoke(own.sessions()[0].key)
    tab.part("brand-sign-in").wait_for()
    other.page.evaluate("() => localStorage.setItem('poke', String(Math.random()))")
    tab.page.wait_for_selector(DIALOG)
    other.page.close()
    return tab


@pytest.mark.parametrize("surface", ["redirect", "popup"])
def test_a_messenger_that_asks_by_itself_leads_to_one_dialog_and_back_to_the_chat(
    own: World, surface: str
) -> None:
    tab = _without_session(own, surface=surface)
    born = tab.page.evaluate("() => window.__born")
    assert tab.page.locator(DIALOG).count() == 1
    assert tab.plugin["state"] == "signing-in"

    tab.page.locator(DIALOG).get_by_role("button", name="Sign in").click()

    # The provider still knows the browser: no question there.
    tab.part("brand-sign-out").wait_for()
    tab.open_messenger()
    tab.wait_until_known(own.provider.first.name)
    # The end of the session has ended that conversation, if Genesys was quick.
    anew = tab.part("messenger-start-new")
    tab.page.locator(
        '[data-testid="messenger-input"]:enabled, [data-testid="messenger-start-new"]:visible'
    ).first.wait_for(state="attached")
    if anew.is_visible():
        anew.click()
    tab.say("And here I am again")
    assert (tab.page.evaluate("() => window.__born") == born) is (surface == "popup")
    expect(tab.page.locator(DIALOG)).to_have_count(0)
    assert own.heard()[-1]["identity"]["email"] == own.provider.first.email


def test_not_now_leaves_a_guest_who_can_go_on_and_is_not_asked_again(own: World) -> None:
    tab = _without_session(own)

    tab.page.keyboard.press("Escape")

    expect(tab.page.locator(DIALOG)).to_have_count(0)
    tab.page.wait_for_function("() => MessengerAuth.status().state === 'sign-in-failed'")
    assert tab.plugin["reason"] == "cancelled"
    again = own.tab()
    again.visit("/support")
    refused = tab.page.evaluate_handle(
        "() => ({done: new Promise((done) => addEventListener('messenger-auth', done))})"
    )
    again.page.evaluate("() => localStorage.setItem('poke', 'again')")
    refused.evaluate("({ done }) => done")
    assert tab.page.locator(DIALOG).count() == 0
