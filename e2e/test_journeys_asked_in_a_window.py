"""The whole way: the Messenger asks, the dialog asks the person, a window signs them in."""

import pytest
from playwright.sync_api import expect
from world import World

# Windows in Firefox: test_journeys_of_windows.py.
pytestmark = pytest.mark.parametrize("browser", ["chromium"], indirect=True)


def test_the_shops_button_opens_a_window_and_the_messenger_knows_who_it_is(own: World) -> None:
    tab = own.tab()
    tab.visit("/?surface=popup")
    tab.open_messenger()
    tab.part("messenger-input").fill("A long question")
    # The panel lies over the page on a small screen only: both can be pressed.
    with tab.page.expect_popup() as popup:
        tab.part("brand-sign-in").click()
    expect(tab.page.locator("dialog.messenger-auth-dialog")).to_be_visible()
    own.provider.sign_in(popup.value, own.provider.first)

    tab.wait_until_known(own.provider.first.name)
    expect(tab.page.locator("dialog.messenger-auth-dialog")).to_have_count(0)
    expect(tab.part("messenger-input")).to_have_value("A long question")
    tab.say("Hello from beside the window")
    assert own.heard()[-1]["identity"]["email"] == own.provider.first.email
    assert tab.popups == 0


def test_what_was_written_in_the_messenger_outlives_its_reload(own: World) -> None:
    tab = own.signed_in_tab()
    tab.part("messenger-input").fill("Half a sentence")
    tab.page.evaluate("(url) => import(url)", f"{own.stage.bff_url}/static/messenger-sign-in.js?1")
    tab.page.evaluate(
        "() => void MessengerSignIn.ask({ reason: 'stuck', code: '', signal: new AbortController()"
        ".signal, tell() {}, surface: 'popup' }).then(() => location.reload())"
    )
    tab.page.get_by_role("button", name="Reload chat").click()
    tab.page.wait_for_function(
        "() => performance.getEntriesByType('navigation')[0].type === 'reload'"
    )

    tab.open_messenger()
    expect(tab.part("messenger-input")).to_have_value("Half a sentence")
