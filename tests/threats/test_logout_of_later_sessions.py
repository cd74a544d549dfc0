"""A back-channel logout ends what was meant: not the next sign-in, not the other device."""

from datetime import timedelta
from typing import Any

from bff_rig import BffRig, Browser
from security_model import Asset, Attacker, threat
from werkzeug.test import TestResponse

from bff.errors import StoreDownError


def deliver(browser: Browser, token: str) -> TestResponse:
    return browser.client.post("/auth/backchannel-logout", data={"logout_token": token})


def test_a_sign_in_after_the_logout_lives(bff: BffRig) -> None:
    browser = bff.browser()
    token = bff.provider.provider.logout_token("brand", subject="c-20417")
    bff.clock.advance(timedelta(seconds=2))
    browser.sign_in()

    response = deliver(browser, token)

    assert response.status_code == 200
    assert browser.signed_in


@threat(
    Attacker.PROVIDER,
    Asset.SESSION,
    can="End sessions by back-channel logout: only those that the token names",
    noticed="audit event `session_revoked`",
)
def test_sid_ends_one_device(bff: BffRig) -> None:
    laptop, phone = bff.browser(), bff.browser()
    laptop.sign_in()
    phone.sign_in()
    newest = bff.services.book.look_up(bff.key_of(phone))  # type: ignore[arg-type]
    assert newest is not None
    token = bff.provider.provider.logout_token("brand", subject="c-20417", sid=newest.provider_sid)

    deliver(laptop, token)

    assert laptop.signed_in
    assert not phone.signed_in


def test_subject_alone_ends_every_device_of_that_person_only(bff: BffRig) -> None:
    laptop, phone, other = bff.browser(), bff.browser(), bff.browser()
    laptop.sign_in()
    phone.sign_in()
    other.sign_in("zoe")

    deliver(laptop, bff.provider.provider.logout_token("brand", subject="c-20417"))

    assert [laptop.signed_in, phone.signed_in, other.signed_in] == [False, False, True]


def test_a_sid_of_another_person_ends_nothing(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    session = bff.services.book.look_up(bff.key_of(browser))  # type: ignore[arg-type]
    assert session is not None
    token = bff.provider.provider.logout_token("brand", subject="c-20533", sid=session.provider_sid)

    deliver(browser, token)

    assert browser.signed_in


def test_a_logout_that_the_store_interrupted_counts_when_it_comes_again(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    token = bff.provider.provider.logout_token("brand", subject="c-20417")
    take_out, broken = bff.services.book.take_out, [True]

    def take_out_once_broken(*what: Any) -> Any:
        if broken:
            broken.clear()
            raise StoreDownError("planted")
        return take_out(*what)

    bff.services.book.take_out = take_out_once_broken  # type: ignore[method-assign,assignment]
    first, second = deliver(browser, token), deliver(browser, token)

    assert [first.status_code, second.status_code] == [503, 200]
    assert not browser.signed_in


def test_the_provider_is_not_called_while_it_waits_for_our_answer(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    token = bff.provider.provider.logout_token("brand", subject="c-20417")

    deliver(browser, token)

    assert bff.provider.provider.tally["revocation"] == 0
    assert bff.services.sign_out.retry_revocations() == 1
    assert bff.provider.provider.tally["revocation"] == 1
