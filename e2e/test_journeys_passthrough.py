"""Passthrough: Genesys redeems at the provider; the browser fetches each code, mostly unseen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from front_channel_page import FrontChannelPage
from playwright.sync_api import Browser
from world import World, world


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
