"""A customer signs in once and chats all day: nobody asks again."""

from datetime import timedelta

import pytest
from world import JWT_LIFE, World


def test_sign_in_by_redirect(here: World) -> None:
    tab = here.signed_in_tab("/orders?from=mail")

    assert tab.page.url == f"{here.stage.brand_url}/orders?from=mail"
    assert tab.part("brand-greeting").inner_text() == f"Hello, {here.provider.first.name}"
    assert [s.person.claims["email"] for s in here.sessions()] == [here.provider.first.email]
    assert tab.popups == 0


def test_a_message_is_delivered_as_the_signed_in_person(here: World) -> None:
    tab = here.signed_in_tab()

    tab.say("Does it come in oat?")

    heard = here.heard()[-1]
    assert heard["text"] == "Does it come in oat?"
    assert heard["identity"]["email"] == here.provider.first.email
    assert tab.page.locator('[data-author="Robin"]').first.inner_text()


def test_a_reload_asks_nothing(here: World) -> None:
    tab = here.signed_in_tab()
    tab.say("Before the reload")

    tab.page.reload()
    tab.wait_until_known(here.provider.first.name)
    tab.say("After the reload")

    assert tab.message("Before the reload").count() == 1
    assert here.counters()["exchanges"] == 1
    assert tab.popups == 0


def test_a_second_tab_is_signed_in_by_itself(here: World) -> None:
    first = here.signed_in_tab()

    second = here.tab()
    second.visit("/orders")
    second.open_messenger()
    second.wait_until_known(here.provider.first.name)
    second.say("From the second tab")

    first.message("From the second tab").wait_for()
    assert len(here.sessions()) == 1
    assert [first.popups, second.popups] == [0, 0]


@pytest.mark.turns_time
def test_three_expiries_pass_unnoticed(here: World) -> None:
    tab = here.signed_in_tab()

    for number in range(3):
        known = tab.page.evaluate("() => window.__expiries.length")
        here.pass_time(JWT_LIFE)
        tab.page.wait_for_function("(n) => window.__expiries.length > n", arg=known)
        tab.say(f"Still here after {number + 1}")

    tab.page.reload()
    tab.wait_until_known(here.provider.first.name)
    assert tab.popups == 0
    assert {entry["identity"]["email"] for entry in here.heard()} == {here.provider.first.email}


@pytest.mark.turns_time
def test_a_night_asleep_ends_with_one_renewal(here: World) -> None:
    tab = here.signed_in_tab()
    before = here.counters()["refreshes"]

    here.pass_time(timedelta(hours=8))
    tab.page.wait_for_function("() => window.__expiries.length > 1")
    tab.page.reload()
    tab.wait_until_known(here.provider.first.name)
    tab.say("Good morning")

    assert here.counters()["refreshes"] - before == 1
    assert here.heard()[-1]["identity"]["email"] == here.provider.first.email
    assert tab.popups == 0
