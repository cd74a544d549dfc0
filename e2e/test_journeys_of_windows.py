"""Signing in in a window of its own, past popup blockers and opener policies."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import pytest
from dialog_page import DialogPage
from dialog_world import OPENER_POLICY, DialogWorld, dialog_world
from playwright.sync_api import Browser, Page, Playwright, expect

OPENER_POLICIES: Final = ("", "same-origin-allow-popups", "same-origin")
only_chromium = pytest.mark.parametrize("browser", ["chromium"], indirect=True)
_REMEMBER_WINDOW: Final = """
() => {
  const { open } = window;
  window.open = (...words) => (window.__opened = open.apply(window, words));
}
"""
# What a test does counts as a person's hand for five seconds: this one waits until it does not.
_CLICK_OF_NOBODY: Final = """
setInterval(() => {
  const button = document.querySelector('.messenger-auth-dialog button');
  if (button && !navigator.userActivation.isActive) button.click();
}, 100);
"""


@pytest.fixture(scope="module")
def raised(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DialogWorld]:
    with dialog_world(browser, tmp_path_factory.mktemp("windows")) as everything:
        yield everything


@pytest.fixture
def here(raised: DialogWorld) -> Iterator[DialogWorld]:
    with raised.profile() as mine:
        yield mine


def _closed(popup: Page) -> None:
    if not popup.is_closed():
        popup.wait_for_event("close")


def test_a_window_signs_in_and_closes_and_the_page_was_never_left(here: DialogWorld) -> None:
    tab = DialogPage.opened(here).ask().wait_for_dialog()
    tab.page.evaluate("() => void (window.__same = true)")

    popup = tab.press()
    expect(tab.status).to_have_text("Please finish the sign-in in the other window.")
    here.provider.sign_in(popup, here.provider.first)

    assert tab.outcome() == {"outcome": "signed-in"}
    _closed(popup)
    assert tab.page.evaluate("() => window.__same")
    assert tab.heard == ["dialog", "window"]
    assert [session.person.name for session in here.services.book.everyone()][-1] == (
        here.provider.first.name
    )


@only_chromium
def test_nothing_secret_crosses_windows(here: DialogWorld) -> None:
    tab = DialogPage.opened(here)
    tab.page.evaluate(
        "() => { window.__said = []; const ear = new BroadcastChannel('messenger-auth');"
        "ear.onmessage = (e) => __said.push(e.data);"
        "addEventListener('message', (e) => __said.push(e.data)); }"
    )
    tab.ask().wait_for_dialog()
    here.provider.sign_in(tab.press(), here.provider.first)
    tab.outcome()

    said = tab.page.evaluate("() => window.__said")
    assert {tuple(sorted(one)) for one in said} == {("about", "type")}
    assert {one["about"] for one in said} == {"messenger-auth:sign-in"}
    assert {one["type"] for one in said} <= {"showing", "asked", "ended", "signed_in"}


def test_the_popup_blocker_lets_a_click_through_and_what_it_stops_becomes_a_redirect(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> None:
    strict = playwright.chromium.launch(
        executable_path="/usr/bin/chromium", ignore_default_args=["--disable-popup-blocking"]
    )
    with dialog_world(strict, tmp_path_factory.mktemp("blocker")) as raised:
        with raised.profile() as here:
            tab = DialogPage.opened(here).ask().wait_for_dialog()
            here.provider.sign_in(tab.press(), here.provider.first)
            assert tab.outcome() == {"outcome": "signed-in"}
        with raised.profile() as here:
            here.context.add_init_script(_CLICK_OF_NOBODY)
            tab = DialogPage.opened(here).ask().wait_for_dialog()
            tab.page.wait_for_url(here.stage.issuer + "/**")
            assert len(here.context.pages) == 1
            here.provider.sign_in(tab.page, here.provider.first)
            tab.page.wait_for_url(here.stage.brand_url + "/**")
            tab.load().ask()
            assert tab.outcome() == {"outcome": "signed-in"}
    strict.close()


@only_chromium
def test_no_opener_policy_of_page_provider_or_bff_is_in_the_way(here: DialogWorld) -> None:
    lied = set()
    for page_policy, others in itertools.product(OPENER_POLICIES, OPENER_POLICIES):
        here.context.clear_cookies()
        here.knobs.page = {OPENER_POLICY: page_policy} if page_policy else {}
        here.knobs.provider_opener = here.knobs.callback_opener = others
        tab = DialogPage.opened(here).ask().wait_for_dialog()
        tab.page.evaluate(_REMEMBER_WINDOW)
        popup = tab.press()
        popup.get_by_role("button", name=here.provider.first.name).wait_for()
        if tab.page.evaluate("() => window.__opened.closed"):
            lied.add((page_policy, others))
            assert not popup.is_closed()
        assert tab.pending
        here.provider.sign_in(popup, here.provider.first)

        assert tab.outcome() == {"outcome": "signed-in"}, (page_policy, others)
        _closed(popup)
        tab.page.close()

    # The policies did something: a page that believed `closed` would have given up here.
    assert {("", "same-origin"), ("same-origin", "")} <= lied


@only_chromium
def test_a_window_that_seems_closed_only_changes_the_sentence(here: DialogWorld) -> None:
    here.knobs.provider_opener = "same-origin"
    tab = DialogPage.opened(here).ask().wait_for_dialog()
    popup = tab.press()
    expect(tab.status).to_have_text(
        "The window seems to be closed. You can open it again.", timeout=12_000
    )
    expect(tab.primary).to_have_text("Open the window again")
    assert tab.pending

    here.provider.sign_in(popup, here.provider.first)

    assert tab.outcome() == {"outcome": "signed-in"}


@only_chromium
def test_a_window_that_was_closed_opens_again_by_a_click(here: DialogWorld) -> None:
    tab = DialogPage.opened(here).ask().wait_for_dialog()
    tab.press().close()

    here.provider.sign_in(tab.press(), here.provider.first)

    assert tab.outcome() == {"outcome": "signed-in"}


@only_chromium
def test_who_cancels_at_the_provider_reads_why_and_tries_again(here: DialogWorld) -> None:
    tab = DialogPage.opened(here).ask().wait_for_dialog()
    popup = tab.press()
    here.provider.cancel(popup)
    expect(tab.status).to_have_text("The sign-in was cancelled or refused. You can try again.")
    expect(tab.primary).to_have_text("Try again")
    assert tab.pending

    tab.primary.click()  # the same window, if it is still there
    here.provider.sign_in(here.context.pages[-1], here.provider.first)

    assert tab.outcome() == {"outcome": "signed-in"}


@only_chromium
def test_a_sign_out_in_between_takes_dialog_and_window_away(here: DialogWorld) -> None:
    tab = DialogPage.opened(here).ask().wait_for_dialog()
    popup = tab.press()

    tab.page.evaluate("() => window.__abort.abort()")

    assert tab.outcome() == {"outcome": "cancelled"}
    _closed(popup)
    expect(tab.dialog).to_have_count(0)


@only_chromium
def test_a_sign_in_that_took_too_long_says_so(raised: DialogWorld) -> None:
    with raised.profile() as here:
        here.context.clock.install()
        tab = DialogPage.opened(here).ask().wait_for_dialog()
        popup = tab.press()
        here.pass_time(timedelta(minutes=11))

        expect(tab.status).to_have_text("The sign-in took too long. You can try again.")
        tab.primary.click()  # the same window goes on
        here.provider.sign_in(popup, here.provider.first)

        # Its clock goes on by itself. To turn it, Playwright speaks to every window of the
        # browser, and fails if one of them is closing.
        assert tab.outcome() == {"outcome": "signed-in"}
        _closed(popup)


def test_offline_the_button_waits_and_says_so(here: DialogWorld) -> None:
    tab = DialogPage.opened(here).ask().wait_for_dialog()
    here.context.set_offline(True)
    expect(tab.primary).to_be_disabled()
    expect(tab.status).to_have_text(
        "You are offline. You can sign in once you are connected again."
    )

    here.context.set_offline(False)
    expect(tab.status).to_have_text("You are connected again.")
    here.provider.sign_in(tab.press(), here.provider.first)

    assert tab.outcome() == {"outcome": "signed-in"}


@only_chromium
def test_blocked_storage_is_not_in_the_way(here: DialogWorld) -> None:
    here.context.add_init_script(
        "for (const kind of ['localStorage', 'sessionStorage', 'indexedDB'])"
        "Object.defineProperty(window, kind, { get() { throw new DOMException('no'); } });"
    )
    tab = DialogPage.opened(here).ask().wait_for_dialog()
    here.provider.sign_in(tab.press(), here.provider.first)

    assert tab.outcome() == {"outcome": "signed-in"}


@only_chromium
def test_cookies_that_are_not_kept_are_explained(here: DialogWorld) -> None:
    tab = DialogPage.opened(here).ask().wait_for_dialog()
    here.context.clear_cookies()
    tab.press()

    expect(tab.status).to_contain_text("Please allow cookies for this site")


@only_chromium
def test_the_redirect_surface_comes_back_signed_in(here: DialogWorld) -> None:
    tab = DialogPage.opened(here).ask(surface="redirect").wait_for_dialog()
    expect(tab.dialog).to_contain_text("You go to the sign-in page and come back here.")
    tab.primary.click()
    here.provider.sign_in(tab.page, here.provider.first)
    tab.page.wait_for_url(here.stage.brand_url + "/**")
    tab.load().ask()

    assert tab.outcome() == {"outcome": "signed-in"}
    expect(tab.dialog).to_have_count(0)


@only_chromium
def test_a_brand_that_opens_the_address_in_its_own_surface(here: DialogWorld) -> None:
    tab = DialogPage.opened(here)
    with tab.page.expect_popup() as theirs:
        tab.ask(modal="window.__wish = wish.reason; open(wish.url);")
    here.provider.sign_in(theirs.value, here.provider.first)

    assert tab.outcome() == {"outcome": "signed-in"}
    assert tab.page.evaluate("() => window.__wish") == "sign_in"
    assert tab.heard == ["modal"]
    expect(tab.dialog).to_have_count(0)
