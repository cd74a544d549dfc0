"""Expiry and renewal in Chromium: the pop-up comes when the real one comes, and only then."""

from collections.abc import Iterator

import pytest
from messenger_rig import (
    MessengerRig,
    events,
    expect_state,
    launched_chromium,
    messenger,
    open_panel,
    popups,
    running_messenger,
    say,
)
from playwright.sync_api import Browser, Page, expect

AN_EXPIRY = 16 * 60


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched_chromium() as browser:
        yield browser


@pytest.fixture
def rig(chromium: Browser) -> Iterator[MessengerRig]:
    with running_messenger(chromium) as running:
        yield running


def expire(rig: MessengerRig) -> None:
    rig.genesys.control("clock", advance_s=AN_EXPIRY)


def expired_page(rig: MessengerRig, *, before: str = "") -> Page:
    """Return a page that was authenticated once, expired, and was loaded again."""
    page = rig.page(before=before)
    expect_state(page, "authenticated")
    expire(rig)
    page.reload()
    expect_state(page, "reauthenticate")
    return page


def test_the_naive_plugin_ends_in_the_popup_after_an_expiry_and_a_reload(rig: MessengerRig) -> None:
    page = rig.page("/naive")
    expect_state(page, "authenticated")
    assert popups(page) == 0
    expire(rig)

    page.reload()
    expect(page.get_by_test_id("messenger-reauthenticate")).to_be_visible()
    # A new page, so its one code is unused; the next press spends a spent one.
    page.get_by_test_id("messenger-reauthenticate").click()
    expect_state(page, "authenticated")
    page.evaluate("localStorage.clear()")
    rig.genesys.control("cut")
    expect_state(page, "reauthenticate")
    page.get_by_test_id("messenger-reauthenticate").click()

    expect(messenger(page)).to_have_attribute("data-popups", "3")
    assert rig.genesys.report()["counters"]["exchanges_refused"] == 1


def test_an_open_socket_survives_the_expiry(rig: MessengerRig) -> None:
    page = rig.page()
    expect_state(page, "authenticated")
    open_panel(page)
    expire(rig)

    say(page, "still me")

    expect(page.get_by_text("still me")).to_be_visible()
    assert popups(page) == 0


def test_a_cut_socket_with_an_expired_jwt_ends_in_the_popup(rig: MessengerRig) -> None:
    page = rig.page()
    expect_state(page, "authenticated")
    expire(rig)

    rig.genesys.control("cut")

    expect_state(page, "reauthenticate")


def test_a_cut_socket_with_a_living_jwt_comes_back_by_itself(rig: MessengerRig) -> None:
    page = rig.page()
    expect_state(page, "authenticated")

    rig.genesys.control("cut")

    expect(messenger(page)).to_have_attribute("data-state", "reconnecting")
    expect_state(page, "authenticated")
    assert popups(page) == 0


def test_a_renewal_by_the_brand_on_load_spares_the_popup(chromium: Browser) -> None:
    renewing = "Genesys('subscribe', 'Auth.ready', () => Genesys('command', 'Auth.refreshToken'));"
    with running_messenger(chromium) as rig:
        rig.genesys.control("behaviour", popup_grace_ms=5_000)
        page = rig.page(before=renewing)
        expect_state(page, "authenticated")
        expire(rig)

        page.reload()

        expect_state(page, "authenticated")
        assert popups(page) == 0
        assert rig.genesys.report()["counters"]["renewed"] == 1


def test_a_refresh_publishes_only_a_new_jwt(rig: MessengerRig) -> None:
    page = rig.page()
    expect_state(page, "authenticated")
    refresh = "window.AuthProvider.command('Auth.refreshToken')"

    page.evaluate(refresh)
    early = len(events(page, "authenticated"))
    rig.genesys.control("behaviour", same_jwt_is_published=True)
    page.evaluate(refresh)
    page.wait_for_function(
        "window.events.filter((e) => e.eventName === 'authenticated').length > 1"
    )
    rig.genesys.control("behaviour", same_jwt_is_published=False)
    expire(rig)
    page.evaluate(refresh)
    page.wait_for_function(
        "window.events.filter((e) => e.eventName === 'authenticated').length > 2"
    )

    jwts = [event["data"]["jwt"] for event in events(page, "authenticated")]
    assert early == 1
    assert jwts[0] == jwts[1] != jwts[2]


def test_a_dead_refresh_token_is_dropped_and_said(rig: MessengerRig) -> None:
    page = rig.page()
    expect_state(page, "authenticated")
    rig.genesys.control("faults", door="refresh", status=401)

    outcome = page.evaluate(
        "window.AuthProvider.command('Auth.refreshToken').then(() => 'ok', (error) => error)"
    )

    assert outcome["message"]
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.endsWith('tkn'))") == []
    assert len(events(page, "tokenError")) == 1
    assert popups(page) == 0


def test_a_server_error_on_refresh_keeps_the_tokens(rig: MessengerRig) -> None:
    page = rig.page()
    expect_state(page, "authenticated")
    rig.genesys.control("faults", door="refresh", status=503, retry_after_s=1)

    page.evaluate("window.AuthProvider.command('Auth.refreshToken').catch(() => {})")

    assert len(page.evaluate("Object.keys(localStorage).filter((key) => key.endsWith('tkn'))")) == 2


def test_reauthenticate_with_fresh_data_is_exchanged_as_it_is(rig: MessengerRig) -> None:
    fresh = "window.reAuthenticate = (e) => window.getCode().then(e.resolve);"
    page = expired_page(rig, before=fresh)

    page.get_by_test_id("messenger-reauthenticate").click()

    expect_state(page, "authenticated")
    assert page.evaluate("window.codes") == 0


@pytest.mark.parametrize(("uses", "exchanges"), [("code", 2), ("both", 3)])
def test_reauthenticate_may_ask_for_another_code(
    rig: MessengerRig, uses: str, exchanges: int
) -> None:
    rig.genesys.control("behaviour", reauthenticate_uses=uses)
    page = expired_page(
        rig, before="window.reAuthenticate = (e) => window.getCode().then(e.resolve);"
    )

    page.get_by_test_id("messenger-reauthenticate").click()

    expect_state(page, "authenticated")
    page.wait_for_function("window.codes === 1")
    page.wait_for_function(
        "(times) => window.events.filter((e) => e.eventName === 'authenticated').length === times",
        arg=exchanges - 1,  # one was on the page before
    )
    assert rig.genesys.report()["counters"]["exchanges"] == exchanges


def test_a_resolve_that_is_ignored_leaves_it_reauthenticating(rig: MessengerRig) -> None:
    rig.genesys.control("behaviour", reauthenticate_resolve_is_ignored=True)
    page = expired_page(rig, before="window.reAuthenticate = (e) => { e.resolve(); };")

    # Messenger looks at its dials after the resolve; had it cared, a code would come next.
    with page.expect_response(lambda answer: answer.url.endswith("/stand-in.json")):
        page.get_by_test_id("messenger-reauthenticate").click()
    page.evaluate("new Promise((go) => setTimeout(go, 200))")

    expect(page.get_by_test_id("messenger-reauthenticate")).to_have_text("Re-authenticating…")
    assert page.evaluate("window.codes") == 0
    page.evaluate("window.AuthProvider.command('Auth.getTokens')")
    expect_state(page, "authenticated")


def test_a_rejected_reauthenticate_shows_the_popup_again(rig: MessengerRig) -> None:
    page = expired_page(rig, before="window.reAuthenticate = (e) => e.reject({message: 'no'});")

    page.get_by_test_id("messenger-reauthenticate").click()

    expect(messenger(page)).to_have_attribute("data-popups", "2")
    assert len(events(page, "authProviderError")) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_a_failed_exchange_is_an_error_with_a_message(rig: MessengerRig, status: int) -> None:
    rig.genesys.control("faults", door="exchange", status=status)

    page = rig.page()

    expect_state(page, "reauthenticate")
    assert isinstance(events(page, "error")[0]["data"]["message"], str)
    page.evaluate("window.AuthProvider.command('Auth.getTokens')")
    expect_state(page, "authenticated")


def test_a_refused_code_may_be_followed_by_a_forced_update(rig: MessengerRig) -> None:
    rig.genesys.control("behaviour", refused_code_forces_update=True)
    rig.genesys.control("faults", door="exchange", status=401)

    page = rig.page()

    expect_state(page, "authenticated")
    assert page.evaluate("[window.codes, window.lastOptions]") == [2, {"forceUpdate": True}]
