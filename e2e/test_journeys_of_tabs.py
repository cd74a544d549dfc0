"""Five tabs of one browser: one renewal for all, one sign-out for all, and one person in all."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Playwright
from world import JWT_LIFE, World, world

from bff.simulator.shopper import Shopper

LIVES: Final = 4
SOON_MS: Final = 1_000
"""What is promised; 3 to 56 ms were measured, beside three busy processes too."""
LOCK_LIMIT: Final = timedelta(seconds=5)
ONLY_CHROMIUM: Final = pytest.mark.parametrize("browser", ["chromium"], indirect=True)

_RENEWED: Final = """(known) => {
  const { exp } = JSON.parse(localStorage[`messenger-auth:${MessengerAuth.deployment}:clock`]);
  return exp > known && MessengerAuth.status().renewal === 'scheduled';
}"""
_EXPIRY: Final = """() =>
  JSON.parse(localStorage[`messenger-auth:${MessengerAuth.deployment}:clock`]).exp"""
_LOCK: Final = "`messenger-auth:${MessengerAuth.deployment}:renewal`"
_HOLD: Final = f"""() => new Promise((held) => {{
  navigator.locks.request({_LOCK}, () => new Promise(() => held()));
}})"""
_HELD: Final = f"""async () =>
  (await navigator.locks.query()).held.filter((lock) => lock.name === {_LOCK}).length"""

_NOTE_STATES: Final = """(frame) => {
  window.__states = [frame.dataset.state];
  new MutationObserver(() => window.__states.push(frame.dataset.state))
    .observe(frame, { attributeFilter: ['data-state'] });
}"""


def _tabs(here: World, count: int) -> list[Shopper]:
    tabs = [here.signed_in_tab()]
    for _ in range(count - 1):
        tab = here.tab()
        tab.visit("/orders")
        tab.open_messenger()
        tab.wait_until_known(here.provider.first.name)
        tabs.append(tab)
    return tabs


def _speak(tab: Shopper, text: str) -> None:
    """Say something here, also if Genesys, which allows three connections, has closed this one."""
    tab.page.locator(
        '[data-testid="messenger-resume"]:visible, [data-testid="messenger-input"]:enabled'
    ).first.wait_for()
    if tab.part("messenger-resume").is_visible():
        tab.part("messenger-resume").click()
    tab.say(text)


@pytest.mark.turns_time
def test_five_tabs_renew_once_in_each_life(own: World) -> None:
    tabs = _tabs(own, 5)
    before = own.counters()["refreshes"]

    for _ in range(LIVES):
        known = tabs[0].page.evaluate(_EXPIRY)
        own.pass_time(JWT_LIFE)
        for tab in tabs:
            tab.page.wait_for_function(_RENEWED, arg=known)

    assert own.counters()["refreshes"] - before == LIVES
    assert own.counters()["exchanges"] == 1
    for number, tab in enumerate(tabs):
        _speak(tab, f"From tab {number}")
    assert [tab.popups for tab in tabs] == [0] * 5
    assert {entry["identity"]["email"] for entry in own.heard()} == {own.provider.first.email}


@pytest.mark.turns_time
def test_a_tab_that_never_lets_go_of_the_lock_costs_the_others_five_seconds(own: World) -> None:
    frozen, tab = _tabs(own, 2)
    frozen.page.evaluate("() => MessengerAuth.dispose()")
    frozen.page.evaluate(_HOLD)
    before = own.counters()["refreshes"]
    known = tab.page.evaluate(_EXPIRY)

    own.pass_time(JWT_LIFE)
    tab.page.wait_for_function("() => MessengerAuth.status().renewal === 'refreshing'")
    assert own.counters()["refreshes"] == before
    own.pass_time(LOCK_LIMIT)
    tab.page.wait_for_function(_RENEWED, arg=known)

    assert own.counters()["refreshes"] - before == 1
    assert frozen.page.evaluate(_HELD) == 1
    tab.say("Nobody stole anything")


@ONLY_CHROMIUM
def test_the_end_of_a_session_reaches_every_tab_at_once(own: World) -> None:
    tabs = _tabs(own, 3)

    ended_at = own.clock.now().timestamp() * 1000
    own.services.sign_out.revoke(own.sessions()[0].key)

    for tab in tabs:
        tab.part("brand-sign-in").wait_for()
        assert tab.plugin["state"] == "signed-out"
        assert tab.plugin["at"] - ended_at < SOON_MS
        tab.wait_until_guest()


@ONLY_CHROMIUM
def test_nobody_speaks_in_the_name_of_who_was_there_before(own: World) -> None:
    first, third = _tabs(own, 2)
    first.say("This is the first")
    second = own.tab()
    second.page.goto(
        f"{own.stage.bff_url}/auth/login?prompt=login&return_to=/orders"
        f"&origin={own.stage.brand_url}"
    )

    own.provider.sign_in(second.page, own.provider.second)
    second.page.wait_for_url(own.stage.brand_url + "/**")
    # Nobody looks at the other two: they hear of it.
    for tab in (first, third):
        tab.part("brand-greeting").get_by_text(own.provider.second.name).wait_for()
        tab.page.wait_for_function("() => MessengerAuth.status().state === 'authenticated'")
        tab.message("This is the first").wait_for(state="detached")
    _speak(third, "This is somebody else")

    said = {entry["text"]: entry["identity"]["email"] for entry in own.heard()}
    assert said == {
        "This is the first": own.provider.first.email,
        "This is somebody else": own.provider.second.email,
    }
    assert [tab.popups for tab in (first, second, third)] == [0, 0, 0]


@ONLY_CHROMIUM
def test_a_guests_other_tab_goes_on_as_who_signed_in_with_what_was_typed_there(own: World) -> None:
    front, behind = own.tab(), own.tab()
    for tab in (front, behind):
        tab.visit("/orders")
        tab.open_messenger()
        tab.wait_until_guest()
    behind.part("messenger").evaluate(_NOTE_STATES)
    behind.part("messenger-input").fill("Typed as a guest")

    front.part("brand-sign-in").click()
    own.provider.sign_in(front.page, own.provider.first)
    behind.wait_until_known(own.provider.first.name)
    behind.part("messenger-send").click()
    behind.message("Typed as a guest").wait_for()

    assert [(one["text"], one["identity"]["email"]) for one in own.heard()] == [
        ("Typed as a guest", own.provider.first.email)
    ]
    # Nobody had to take the chat back.
    assert "closed" not in behind.page.evaluate("() => window.__states")


@pytest.fixture
def remembering(playwright: Playwright, tmp_path: Path) -> Iterator[World]:
    """A Chromium with its back-forward cache, which is off when a journey drives it."""
    browser = playwright.chromium.launch(
        executable_path="/usr/bin/chromium",
        ignore_default_args=["--disable-back-forward-cache"],
    )
    with world(browser, tmp_path, certified=False, fake_time=False) as raised_world:
        yield raised_world
    browser.close()


def test_the_back_button_shows_nobody_who_has_signed_out(remembering: World) -> None:
    tab = remembering.signed_in_tab("/orders")
    tab.page.evaluate(
        "() => { window.__born = 'kept';"
        " addEventListener('pageshow', ({ persisted }) => { window.__persisted = persisted; }); }"
    )
    tab.page.goto(remembering.stage.bff_url + "/healthz")
    remembering.services.sign_out.revoke(remembering.sessions()[0].key)

    tab.page.evaluate("() => void setTimeout(() => history.back(), 0)")

    tab.page.wait_for_function("() => window.MessengerAuth?.status().state === 'signed-out'")
    tab.part("brand-sign-in").wait_for()
    # It was the very page of before, and not a new one.
    assert tab.page.evaluate("() => [window.__born, window.__persisted]") == ["kept", True]
