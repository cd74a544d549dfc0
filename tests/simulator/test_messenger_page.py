"""The small Messenger in Chromium: it hurts where the real one does, and works where that works."""

from collections.abc import Iterator

import pytest
from messenger_rig import (
    MessengerRig,
    events,
    expect_state,
    launched_chromium,
    open_panel,
    running_messenger,
    say,
)
from playwright.sync_api import Browser, expect


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched_chromium() as browser:
        yield browser


@pytest.fixture
def rig(chromium: Browser) -> Iterator[MessengerRig]:
    with running_messenger(chromium) as running:
        yield running


@pytest.fixture
def upgradable(chromium: Browser) -> Iterator[MessengerRig]:
    with running_messenger(chromium, allow_session_upgrade=True) as running:
        running.bff.person = None
        yield running


def test_a_signed_in_person_chats_under_their_own_name(rig: MessengerRig) -> None:
    page = rig.page()
    expect_state(page, "authenticated")

    open_panel(page)
    expect(page.get_by_test_id("messenger-identity")).to_have_text("Signed in as Amira Haddad")
    say(page, "Where is my order?")

    messages = page.get_by_test_id("messenger-message")
    expect(messages).to_have_count(3)
    expect(messages.nth(0)).to_contain_text("Hello Amira!")
    expect(messages.nth(2)).to_contain_text("Amira, your latest order")
    assert rig.genesys.report()["heard"][0]["identity"]["email"] == "amira@example.com"


def test_the_first_load_follows_the_contract(rig: MessengerRig) -> None:
    page = rig.page()
    expect_state(page, "authenticated")

    authenticating = events(page, "authenticating")[0]
    authenticated = events(page, "authenticated")[0]

    assert set(authenticating["data"]) == {"authCode", "redirectUri"}
    assert authenticating["data"]["authCode"] == rig.bff.minted[0]
    assert set(authenticated) == {"time", "publisher", "event", "eventName", "data"}
    assert set(authenticated["data"]) == {"jwt", "refreshToken"}
    keys = page.evaluate("Object.keys(localStorage).map((key) => key.split(':')[1]).sort()")
    assert keys == ["actmu", "gcartkn", "gcatkn", "gcmcsessionActive"]


def test_stored_tokens_are_used_without_asking_for_a_code(rig: MessengerRig) -> None:
    page = rig.page()
    expect_state(page, "authenticated")

    page.reload()
    expect_state(page, "authenticated")

    assert page.evaluate("window.codes") == 0
    assert events(page, "authenticated") == []
    assert len(rig.bff.minted) == 1


def test_a_reload_brings_the_conversation_back(rig: MessengerRig) -> None:
    page = rig.page()
    expect_state(page, "authenticated")
    open_panel(page)
    say(page, "remember me")
    expect(page.get_by_test_id("messenger-message")).to_have_count(3)

    page.reload()

    expect(page.get_by_test_id("messenger-message")).to_have_count(3)
    expect(page.get_by_test_id("messenger-message").nth(1)).to_contain_text("remember me")


def test_a_second_tab_shows_the_same_conversation(rig: MessengerRig) -> None:
    one = rig.page()
    expect_state(one, "authenticated")
    other = rig.page()
    expect_state(other, "authenticated")
    open_panel(one)

    say(one, "from the first tab")

    open_panel(other)
    expect(other.get_by_test_id("messenger-message").nth(1)).to_contain_text("from the first tab")


def test_without_a_person_there_is_an_auth_error_and_a_way_back(rig: MessengerRig) -> None:
    rig.bff.person = None
    page = rig.page()
    expect_state(page, "signed-out")
    assert events(page, "authError")[0]["data"] == {"message": "login_required"}

    rig.bff.person = "amira"
    open_panel(page)
    page.get_by_test_id("messenger-retry").click()

    expect_state(page, "authenticated")


def test_data_without_a_code_is_an_auth_error(rig: MessengerRig) -> None:
    page = rig.page(
        before="const real = window.fetch; window.fetch = (url, options) => "
        "String(url).endsWith('/messenger/code') "
        "? Promise.resolve(new Response('{}')) : real(url, options);"
    )

    expect_state(page, "signed-out")
    assert "authCode" in events(page, "authError")[0]["data"]["message"]


def test_logging_out_ends_every_tab(rig: MessengerRig) -> None:
    one = rig.page()
    expect_state(one, "authenticated")
    other = rig.page()
    expect_state(other, "authenticated")

    one.evaluate("window.AuthProvider.command('Auth.logout')")

    for page in (one, other):
        expect_state(page, "signed-out")
        page.wait_for_function("window.events.some((e) => e.eventName === 'loggedOut')")
        assert len(events(page, "loggedOut")) == 1
        assert set(events(page, "loggedOut")[0]["data"]) == {"status", "statusText", "data"}
        assert page.evaluate("Object.keys(localStorage).filter((k) => k.endsWith('tkn'))") == []


def test_logging_out_reaches_the_same_persons_other_device(rig: MessengerRig) -> None:
    laptop = rig.page()
    expect_state(laptop, "authenticated")
    phone = rig.on_another_device().page()
    expect_state(phone, "authenticated")

    laptop.evaluate("window.AuthProvider.command('Auth.logout')")

    expect_state(phone, "signed-out")
    assert len(events(phone, "loggedOut")) == 1


def test_a_failed_logout_says_so_and_keeps_the_tokens(rig: MessengerRig) -> None:
    page = rig.page()
    expect_state(page, "authenticated")
    rig.genesys.control("faults", door="revoke", status=500)

    outcome = page.evaluate(
        "window.AuthProvider.command('Auth.logout').then(() => 'ok', () => 'rejected')"
    )

    assert outcome == "rejected"
    assert len(events(page, "logoutError")) == 1
    expect_state(page, "authenticated")


def test_a_guest_steps_up_and_keeps_the_conversation(upgradable: MessengerRig) -> None:
    page = upgradable.page(
        before="window.signIn = (e) => window.getCode().then((data) => {"
        " window.AuthProvider.publish('signedIn', data); e.resolve(data); });"
    )
    expect_state(page, "signed-out")
    open_panel(page)
    expect_state(page, "anonymous")
    say(page, "as a guest")
    expect(page.get_by_test_id("messenger-message")).to_have_count(3)
    upgradable.bff.person = "amira"

    page.get_by_test_id("messenger-sign-in").click()

    expect_state(page, "authenticated")
    say(page, "as myself")
    expect(page.get_by_test_id("messenger-message")).to_have_count(5)
    heard = [entry["identity"] for entry in upgradable.genesys.report()["heard"]]
    assert heard[0] is None
    assert heard[1]["given_name"] == "Amira"
    assert len(events(page, "signedIn")) == 1
    assert upgradable.genesys.report()["counters"]["exchanges"] == 1


def test_a_sign_in_without_its_failure_event_hangs_and_with_it_recovers(
    upgradable: MessengerRig,
) -> None:
    page = upgradable.page(before="window.signIn = (e) => e.reject({message: 'cancelled'});")
    expect_state(page, "signed-out")
    open_panel(page)
    expect_state(page, "anonymous")

    page.get_by_test_id("messenger-sign-in").click()
    expect_state(page, "signing-in")
    page.evaluate("window.AuthProvider.publish('signInFailed', {message: 'cancelled'})")

    expect_state(page, "anonymous")
    assert len(events(page, "signInFailed")) == 1


def test_a_foreign_domain_gets_no_messenger_and_its_queue_never_runs(chromium: Browser) -> None:
    with running_messenger(chromium, allowed_domains=("other.example",)) as rig:
        page = rig.page(before="Genesys('subscribe', 'GenesysJS.ready', () => window.ran = true);")
        with page.expect_console_message(lambda line: "allowed domain" in line.text):
            page.reload()

        expect(page.get_by_test_id("messenger")).to_have_count(0)
        assert page.evaluate("[window.AuthProvider, window.ran]") == [None, None]


def test_the_keyboard_alone_is_enough(rig: MessengerRig) -> None:
    page = rig.page()
    expect_state(page, "authenticated")
    page.get_by_test_id("messenger-launcher").focus()

    page.keyboard.press("Enter")
    expect(page.get_by_test_id("messenger-input")).to_be_focused()
    page.keyboard.type("hello")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log").get_by_text("hello", exact=True)).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.get_by_test_id("messenger-panel")).to_be_hidden()
    expect(page.get_by_test_id("messenger-launcher")).to_be_focused()


def test_a_message_that_is_refused_is_said(rig: MessengerRig) -> None:
    page = rig.page()
    expect_state(page, "authenticated")
    open_panel(page)

    say(page, "é" * 3_000)

    expect(page.get_by_test_id("messenger-failed")).to_have_text("Not sent: message too long")
