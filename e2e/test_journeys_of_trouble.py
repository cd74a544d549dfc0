"""What goes wrong is said once, in a clear sentence, and the Messenger stays usable."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect
from world import JWT_LIFE, World

DENIED = "The sign-in was cancelled or refused. You can try again."


def test_a_cancelled_sign_in_leaves_a_usable_chat_and_a_clear_sentence(here: World) -> None:
    tab = here.tab()
    tab.visit("/orders")
    tab.part("brand-sign-in").click()
    here.provider.cancel(tab.page)
    tab.page.wait_for_url(here.stage.brand_url + "/**")
    tab.open_messenger()

    expect(tab.part("brand-banner")).to_contain_text(DENIED)
    assert tab.page.url == f"{here.stage.brand_url}/orders"
    tab.wait_until_guest()
    tab.say("Can I chat as a guest?")
    assert here.heard()[-1]["identity"] is None

    tab.part("brand-banner-action").click()
    here.provider.sign_in(tab.page, here.provider.first)
    tab.page.wait_for_url(here.stage.brand_url + "/**")
    tab.open_messenger()
    tab.wait_until_known(here.provider.first.name)
    expect(tab.part("brand-banner")).to_be_hidden()


def test_an_error_of_the_provider_reads_like_a_sentence(own: World) -> None:
    own.stage.provider.faults.plant("authorize_error", value="server_error", times=1)
    tab = own.tab()
    tab.visit()
    tab.part("brand-sign-in").click()
    tab.open_messenger()

    expect(tab.part("brand-banner")).to_contain_text(DENIED)
    tab.wait_until_guest()
    assert "server_error" not in tab.page.content()


@pytest.mark.turns_time
def test_a_provider_that_is_unreachable_at_renewal_costs_nobody_their_chat(here: World) -> None:
    tab = here.signed_in_tab()
    here.provider.go_down()

    known = tab.page.evaluate("() => window.__expiries.length")
    here.pass_time(JWT_LIFE)
    tab.page.wait_for_function("(n) => window.__expiries.length > n", arg=known)
    tab.say("Still talking")
    here.pass_time(JWT_LIFE + timedelta(minutes=1))
    tab.say("Still talking, without a new JWT")

    assert len(here.sessions()) == 1
    assert here.heard()[-1]["identity"]["email"] == here.provider.first.email
    assert tab.popups == 0


@pytest.mark.turns_time
def test_a_provider_that_comes_back_after_a_long_outage_finds_everybody_signed_in(
    own: World,
) -> None:
    tab = own.signed_in_tab()
    own.stage.provider.faults.plant("cut")
    own.pass_time(JWT_LIFE * 3)

    own.stage.provider.faults.clear()
    own.pass_time(timedelta(minutes=2))
    tab.page.reload()
    tab.wait_until_known(own.provider.first.name)
    tab.say("And all is well again")

    assert len(own.sessions()) == 1
    assert own.heard()[-1]["identity"]["email"] == own.provider.first.email


@pytest.mark.turns_time
def test_a_provider_that_refuses_ends_the_session_once_and_says_so(here: World) -> None:
    tab = here.signed_in_tab()
    tokens = here.services.vault.live_tokens(here.sessions()[0])
    here.services.providers["main"].revoke(tokens)

    here.pass_time(JWT_LIFE)
    tab.part("brand-sign-in").wait_for()

    assert here.sessions() == []
    assert tab.plugin["state"] in {"signed-out", "halted"}
    tab.part("brand-sign-in").click()
    # The provider still knows the browser: one click, and no question.
    tab.part("brand-sign-out").wait_for()
    tab.open_messenger()
    tab.wait_until_known(here.provider.first.name)


def test_a_session_that_the_operator_revokes_ends_while_chatting(here: World) -> None:
    tab = here.signed_in_tab()
    tab.say("Hello")

    here.services.sign_out.revoke(here.sessions()[0].key)

    tab.part("brand-sign-in").wait_for(timeout=5000)
    tab.wait_until_guest()
    assert tab.plugin["reason"] == "revoked"
    assert "gcatkn" not in tab.page.evaluate("() => Object.keys(localStorage).join()")


def test_signing_out_here_signs_out_the_other_tab(here: World) -> None:
    first = here.signed_in_tab()
    second = here.tab()
    second.visit("/orders")
    second.open_messenger()
    second.wait_until_known(here.provider.first.name)

    first.part("brand-sign-out").click()
    here.provider.confirm_sign_out(first.page)
    first.page.wait_for_url(here.stage.brand_url + "/**")

    second.part("brand-sign-in").wait_for()
    first.part("brand-sign-in").wait_for()
    second.wait_until_guest()
    assert here.sessions() == []
    first.part("brand-sign-in").click()
    # Signed out at the provider as well: it asks who this is.
    here.provider.sign_in(first.page, here.provider.first)


def test_signing_out_at_the_provider_reaches_the_chat(here: World) -> None:
    tab = here.signed_in_tab()
    elsewhere = here.context.new_page()

    here.provider.sign_out(elsewhere)

    tab.part("brand-sign-in").wait_for()
    tab.wait_until_guest()
    assert tab.plugin["reason"] == "provider_logout"
    assert here.sessions() == []


def test_another_account_never_speaks_in_the_first_ones_chat(here: World) -> None:
    first = here.signed_in_tab()
    first.say("This is the first")
    second = here.tab()
    second.page.goto(
        f"{here.stage.bff_url}/auth/login?prompt=login&return_to=/orders"
        f"&origin={here.stage.brand_url}"
    )

    here.provider.sign_in(second.page, here.provider.second)
    second.page.wait_for_url(here.stage.brand_url + "/**")
    second.open_messenger()
    second.wait_until_known(here.provider.second.name)
    second.say("This is the second")

    said = {entry["text"]: entry["identity"]["email"] for entry in here.heard()}
    assert said == {
        "This is the first": here.provider.first.email,
        "This is the second": here.provider.second.email,
    }
    assert second.message("This is the first").count() == 0
    assert [s.person.claims["email"] for s in here.sessions()] == [here.provider.second.email]
