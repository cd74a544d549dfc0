"""A sign-in that begins with a link on another site knows the session that the browser has."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Self

import pytest
from flask import Flask
from playwright.sync_api import Page, Response
from world import World

from bff.simulator.serving import Served

ELSEWHERE = "news.elsewhere.localhost"


def linking_to(address: str) -> Flask:
    """Return a newspaper with one link."""
    app = Flask("elsewhere")
    app.add_url_rule("/", "front", lambda: f'<a id="link" href="{address}">Chat with the shop</a>')
    return app


class Newspaper:
    """A page on another site, and what our sign-in door answers to whoever comes from there."""

    def __init__(self, there: World, path: str) -> None:
        self._served = Served(linking_to(there.stage.bff_url + path), host=ELSEWHERE)
        self.page: Page = there.context.new_page()
        self.answered: list[int] = []
        self.page.on("response", self._note)
        self._login = there.stage.bff_url + "/auth/login"

    def _note(self, response: Response) -> None:
        if response.url.startswith(self._login):
            self.answered.append(response.status)

    def read(self) -> None:
        self.page.goto(self._served.url)

    def follow_the_link(self) -> None:
        self.read()
        self.page.locator("#link").click()

    def __enter__(self) -> Self:
        self._served.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._served.stop()


@pytest.fixture
def link(own: World) -> Iterator[Newspaper]:
    with Newspaper(own, "/auth/login?return_to=/orders%3Ffrom%3Dnews") as there:
        yield there


def forgotten_at_provider(own: World) -> None:
    """Somebody else sits down; the provider's own sign-on has run out."""
    own.context.clear_cookies(domain="idp.localhost")


def test_whoever_signs_in_by_a_link_ends_the_session_that_was_there(
    own: World, link: Newspaper
) -> None:
    own.signed_in_tab()
    (before,) = own.sessions()
    forgotten_at_provider(own)

    link.follow_the_link()
    own.provider.sign_in(link.page, own.provider.second)
    link.page.wait_for_url(own.stage.brand_url + "/**")

    assert link.answered == [HTTPStatus.OK, HTTPStatus.SEE_OTHER]
    assert link.page.url == f"{own.stage.brand_url}/orders?from=news"
    (now,) = own.sessions()
    assert now.person.name == own.provider.second.name
    assert own.services.book.look_up(before.key) is None
    assert own.services.store.get(f"vault:{before.key}") is None


def test_the_same_person_again_has_one_session_and_a_sign_out_reaches_it(
    own: World, link: Newspaper
) -> None:
    tab = own.signed_in_tab()

    link.follow_the_link()
    link.page.wait_for_url(own.stage.brand_url + "/**")

    assert len(own.sessions()) == 1
    tab.page.bring_to_front()
    tab.part("brand-sign-out").click()
    tab.part("brand-sign-in").wait_for()
    assert own.sessions() == []


def test_our_page_leaves_no_trace_in_the_history(own: World, link: Newspaper) -> None:
    link.read()
    before = link.page.evaluate("() => history.length")

    link.page.locator("#link").click()
    link.page.get_by_role("button", name=own.provider.first.name).wait_for()

    # One step further: back leads to the link, and not to a page that leads on by itself.
    assert link.page.evaluate("() => history.length") == before + 1


def test_a_link_with_a_mark_of_its_own_waits_for_a_click(own: World) -> None:
    own.signed_in_tab()
    with Newspaper(own, "/auth/login?from_here=invented") as link:
        link.follow_the_link()
        go_on = link.page.get_by_role("link", name="Go on")
        go_on.wait_for()
        assert link.page.get_by_role("heading", name="One moment").is_visible()

        go_on.click()
        link.page.wait_for_url(own.stage.brand_url + "/**")

    assert link.answered == [HTTPStatus.OK, HTTPStatus.SEE_OTHER]
    assert len(own.sessions()) == 1
