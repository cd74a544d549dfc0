"""Passthrough: Genesys redeems at the provider; the browser fetches each code, mostly unseen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from front_channel_page import FrontChannelPage
from playwright.sync_api import Browser
from world import JWT_LIFE, World, world

from bff.simulator.shopper import Shopper


@pytest.fixture
def there(browser: Browser, tmp_path: Path) -> Iterator[World]:
    """A certified provider on the brand's site, with a client for the BFF and one for Genesys."""
    with world(browser, tmp_path, certified=True, fake_time=False, passthrough=True) as raised:
        yield raised


@pytest.fixture
def elsewhere(browser: Browser, tmp_path: Path) -> Iterator[World]:
    """The same on another site, whose cookies browsers keep out of frames."""
    with world(
        browser,
        tmp_path,
        certified=True,
        fake_time=False,
        passthrough=True,
        provider_host="idp.localhost",
    ) as raised:
        yield raised


def test_three_codes_in_a_row_are_redeemed_by_genesys_once_each(there: World) -> None:
    page = FrontChannelPage(there)
    page.sign_in()

    first = page.do("code")
    codes = [first, page.do("silent"), page.do("silent")]
    once = [page.do("redeem", code) for code in codes]
    twice = [page.do("redeem", code) for code in codes]

    assert [code["status"] for code in codes] == [200, 200, 200]
    assert len({code["authCode"] for code in codes}) == 3
    assert [answer["status"] for answer in once] == [200, 200, 200]
    assert all(answer["jwt"] for answer in once)
    assert [answer["status"] for answer in twice] == [401, 401, 401]


def test_a_provider_on_another_site_needs_a_person_and_a_window_does_it(elsewhere: World) -> None:
    page = FrontChannelPage(elsewhere)
    page.sign_in()
    assert page.do("redeem", page.do("code"))["status"] == 200

    unseen = page.do("silent")
    opened = page.do("open", {"return_to": "/by-hand", "surface": "popup"})
    with page.page.expect_popup() as popup:
        page.page.evaluate("(url) => void open(url, 'sign-in', 'popup')", opened["url"])
    popup.value.wait_for_event("close")

    assert (unseen["status"], unseen["code"]) == (401, "interaction_required")
    assert unseen["state"]["status"] == "failed"
    assert page.do("look", opened["id"])["status"] == "done"
    assert page.do("redeem", page.do("code"))["status"] == 200


@pytest.fixture
def turned(browser: Browser, tmp_path: Path) -> Iterator[World]:
    """Our own provider on the brand's site: its clock can be turned."""
    with world(browser, tmp_path, certified=False, fake_time=True, passthrough=True) as raised:
        yield raised


def forget_at_genesys(tab: Shopper) -> None:
    """Have the Messenger lose its tokens, as browsers do that clear what pages have stored."""
    tab.page.evaluate("() => localStorage.clear()")


def test_a_customer_chats_as_themselves_and_a_reload_asks_nothing(there: World) -> None:
    tab = there.signed_in_tab("/orders?from=mail")
    tab.say("Before the reload")

    tab.page.reload()
    tab.wait_until_known(there.provider.first.name)
    tab.say("After the reload")

    assert tab.page.url == f"{there.stage.brand_url}/orders?from=mail"
    assert {entry["identity"]["email"] for entry in there.heard()} == {there.provider.first.email}
    assert there.counters()["exchanges"] == 1
    assert tab.popups == 0


def test_a_messenger_that_lost_its_tokens_gets_a_code_unseen(there: World) -> None:
    tab = there.signed_in_tab()
    tab.say("Before")

    forget_at_genesys(tab)
    tab.page.reload()
    tab.open_messenger()
    tab.wait_until_known(there.provider.first.name)
    tab.say("After")

    assert there.counters()["exchanges"] == 2
    assert there.heard()[-1]["identity"]["email"] == there.provider.first.email
    assert len(there.sessions()) == 1
    assert tab.page.locator("iframe").count() == 0
    assert tab.popups == 0


def test_a_click_visits_a_provider_elsewhere_and_the_same_person_chats_on(elsewhere: World) -> None:
    tab = elsewhere.signed_in_tab()
    tab.say("Before")
    known = tab.page.evaluate("() => window.__expiries.length")

    forget_at_genesys(tab)
    # What the driver evaluates counts as a click: with one nobody is asked before it leaves.
    with tab.page.expect_navigation(url=elsewhere.stage.brand_url + "/**"):
        tab.page.evaluate("() => void Genesys('command', 'Auth.reAuthenticate')")
    tab.open_messenger()
    tab.wait_until_known(elsewhere.provider.first.name)
    tab.say("After")

    assert known == 1
    assert {one["identity"]["email"] for one in elsewhere.heard()} == {
        elsewhere.provider.first.email
    }
    assert elsewhere.counters()["exchanges"] == 2
    assert len(elsewhere.sessions()) == 1
    assert tab.popups == 0


def test_three_expiries_pass_unnoticed(turned: World) -> None:
    tab = turned.signed_in_tab()

    for number in range(3):
        known = tab.page.evaluate("() => window.__expiries.length")
        turned.pass_time(JWT_LIFE)
        tab.page.wait_for_function("(n) => window.__expiries.length > n", arg=known)
        tab.say(f"Still here after {number + 1}")

    assert turned.counters()["exchanges"] == 1
    assert tab.popups == 0


def test_a_frame_of_the_brand_signs_in_where_the_provider_is_on_its_site(there: World) -> None:
    page = FrontChannelPage(there)
    opened = page.do("open", {"return_to": "/by-hand", "surface": "modal"})
    frame = page.frame(opened["url"])

    frame.get_by_label("Login").fill(there.provider.first.login)
    frame.get_by_label("Password").fill("any")
    frame.get_by_role("button", name="Sign in").click()
    frame.get_by_role("heading", name="You are signed in").wait_for()

    assert page.do("look", opened["id"])["status"] == "done"
    assert page.do("redeem", page.do("code"))["status"] == 200
    assert [session.person.claims["email"] for session in there.sessions()] == [
        there.provider.first.email
    ]


def test_who_cancels_in_a_frame_reads_it_there_and_the_page_knows(there: World) -> None:
    page = FrontChannelPage(there)
    opened = page.do("open", {"return_to": "/by-hand", "surface": "modal"})
    frame = page.frame(opened["url"])

    frame.get_by_role("button", name="Cancel").click()
    frame.get_by_text("sign_in_denied").wait_for()

    assert page.do("look", opened["id"]) == {"status": "failed", "code": "sign_in_denied"}
