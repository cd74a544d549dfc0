"""One sign-in dialog for all tabs of a browser, and it is where the person is."""

from collections.abc import Iterator
from typing import Final

import pytest
from dialog_page import DialogPage
from dialog_world import DialogWorld, dialog_world
from playwright.sync_api import Browser, expect

only_chromium = pytest.mark.parametrize("browser", ["chromium"], indirect=True)
# Playwright's pages are all visible: the page says what a browser with tabs would say.
_HIDE: Final = """
(hidden) => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
}
"""


@pytest.fixture(scope="module")
def raised(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DialogWorld]:
    with dialog_world(browser, tmp_path_factory.mktemp("tabs")) as everything:
        yield everything


@pytest.fixture
def here(raised: DialogWorld) -> Iterator[DialogWorld]:
    with raised.profile() as mine:
        yield mine


def _showing(tabs: list[DialogPage]) -> list[DialogPage]:
    return [tab for tab in tabs if tab.dialog.count()]


def _waiting(tab: DialogPage) -> None:
    tab.page.wait_for_function("() => window.__heard.includes('other_tab')")


def test_four_tabs_show_one_dialog_and_one_sign_in_is_enough(here: DialogWorld) -> None:
    tabs = [DialogPage.opened(here) for _ in range(4)]
    for tab in tabs:
        tab.ask()
    tabs[0].wait_for_dialog()
    for tab in tabs[1:]:
        _waiting(tab)
    assert _showing(tabs) == [tabs[0]]

    before = len(here.services.book.everyone())
    here.provider.sign_in(tabs[0].press(), here.provider.first)

    assert [tab.outcome() for tab in tabs] == [{"outcome": "signed-in"}] * 4
    assert _showing(tabs) == []
    assert ["dialog" in tab.heard for tab in tabs] == [True, False, False, False]
    assert len(here.services.book.everyone()) == before + 1


@only_chromium
def test_not_now_passes_the_dialog_on(here: DialogWorld) -> None:
    first, second = (DialogPage.opened(here) for _ in range(2))
    first.ask().wait_for_dialog()
    second.ask()
    _waiting(second)

    first.page.keyboard.press("Escape")

    assert first.outcome() == {"outcome": "cancelled"}
    second.wait_for_dialog()


def test_the_dialog_follows_the_person_and_stays_with_an_open_window(here: DialogWorld) -> None:
    first, second = (DialogPage.opened(here) for _ in range(2))
    first.ask().wait_for_dialog()
    second.ask()
    _waiting(second)

    first.page.evaluate(_HIDE, True)
    second.wait_for_dialog()
    expect(first.dialog).to_have_count(0)
    assert first.pending

    popup = second.press()
    second.page.evaluate(_HIDE, True)
    first.page.evaluate(_HIDE, False)
    first.page.wait_for_function("() => window.__heard.filter((one) => one === 'other_tab').length")
    expect(second.dialog).to_be_visible()
    expect(first.dialog).to_have_count(0)
    here.provider.sign_in(popup, here.provider.first)

    assert [tab.outcome() for tab in (first, second)] == [{"outcome": "signed-in"}] * 2


@only_chromium
def test_a_tab_that_is_closed_while_it_asks_leaves_the_dialog_to_the_next(
    here: DialogWorld,
) -> None:
    first, second = (DialogPage.opened(here) for _ in range(2))
    first.ask().wait_for_dialog()
    second.ask()
    _waiting(second)

    first.page.close()

    second.wait_for_dialog()


@only_chromium
def test_a_suspended_tab_that_holds_the_lock_costs_two_seconds_and_is_done_once(
    here: DialogWorld,
) -> None:
    first = DialogPage.opened(here).ask().wait_for_dialog()
    # From its next statement on it does nothing, and keeps the lock.
    session = here.context.new_cdp_session(first.page)
    session.send("Debugger.enable")
    session.send("Debugger.pause")

    second = DialogPage.opened(here).ask()
    _waiting(second)
    second.wait_for_dialog()
    locks = second.page.evaluate("() => navigator.locks.query()")
    assert [lock["name"] for lock in locks["held"]] == ["messenger-auth:sign-in"]
    assert locks["pending"] == []
    here.provider.sign_in(second.press(), here.provider.first)
    assert second.outcome() == {"outcome": "signed-in"}

    session.send("Debugger.disable")
    first.page.evaluate("() => void dispatchEvent(new Event('focus'))")  # somebody looks again
    assert first.outcome() == {"outcome": "signed-in"}
    expect(first.dialog).to_have_count(0)


@only_chromium
def test_a_page_without_locks_and_channels_works_alone(here: DialogWorld) -> None:
    here.context.add_init_script(
        "delete Navigator.prototype.locks; delete window.BroadcastChannel;"
    )
    tab = DialogPage.opened(here).ask().wait_for_dialog()
    here.provider.sign_in(tab.press(), here.provider.first)

    assert tab.outcome() == {"outcome": "signed-in"}


@only_chromium
def test_the_script_loaded_twice_is_loaded_once(here: DialogWorld) -> None:
    tab = DialogPage.opened(here)
    tab.page.evaluate("() => void (window.__first = MessengerSignIn)")

    tab.page.evaluate("(url) => import(url)", f"{tab.bff_url}/static/messenger-sign-in.js?2")

    assert tab.page.evaluate("() => window.__first === MessengerSignIn")
    assert tab.page.evaluate("() => Object.isFrozen(MessengerSignIn)")
