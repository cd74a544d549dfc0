"""RP-initiated logout: on a client's word with proof, on the person's word without."""

from dataclasses import replace
from datetime import timedelta

import pytest
from bff_rig import BFF, BRAND, BffRig, error_of
from op_visitor import OpVisitor

CONFIRMED = {"confirmed": "yes"}


def test_a_hint_of_ours_signs_out_at_once(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    tokens = visitor.tokens()

    response = visitor.get("/op/logout", id_token_hint=tokens["id_token"])

    assert "You are signed out" in response.text
    assert not visitor.browser.signed_in
    assert visitor.userinfo(tokens["access_token"]).status_code == 401


def test_a_hint_may_be_posted_from_another_site(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    form = {"id_token_hint": visitor.tokens()["id_token"], "client_id": "genesys"}

    response = visitor.client.post(
        "/op/logout", base_url=BFF, data=form, headers={"Origin": "https://elsewhere.example"}
    )

    assert "You are signed out" in response.text
    assert not visitor.browser.signed_in


def test_an_old_hint_is_good_enough(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    hint = visitor.tokens()["id_token"]
    bff.clock.advance(timedelta(minutes=30))

    visitor.get("/op/logout", id_token_hint=hint)

    assert not visitor.browser.signed_in


def test_a_hint_signs_out_one_session_only(bff: BffRig) -> None:
    first, second = OpVisitor(bff), OpVisitor(bff)

    first.get("/op/logout", id_token_hint=first.tokens()["id_token"])

    assert not first.browser.signed_in
    assert second.browser.signed_in


def test_a_hint_of_a_session_that_has_ended_is_no_error(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    hint = visitor.tokens()["id_token"]

    for _ in range(2):
        response = visitor.get("/op/logout", id_token_hint=hint)
        assert response.status_code == 200
        assert "You are signed out" in response.text


def test_without_a_hint_the_person_is_asked(bff: BffRig) -> None:
    visitor = OpVisitor(bff)

    response = visitor.browser.get("/op/logout")

    assert "Sign out?" in response.text
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert visitor.browser.signed_in


def test_the_persons_own_word_signs_out(bff: BffRig) -> None:
    visitor = OpVisitor(bff)

    response = visitor.browser.client.post(
        "/op/logout", base_url=BFF, data=CONFIRMED, headers={"Origin": BFF}
    )

    assert "You are signed out" in response.text
    assert "Sign out of the sign-in service too" in response.text
    assert "__Host-bff=;" in response.headers["Set-Cookie"]
    assert not visitor.browser.signed_in


@pytest.mark.parametrize("origin", [None, "null", BRAND, "https://elsewhere.example"])
def test_a_confirmation_from_elsewhere_is_not_the_persons_word(
    bff: BffRig, origin: str | None
) -> None:
    visitor = OpVisitor(bff)
    headers = {"Origin": origin} if origin else {}

    response = visitor.browser.client.post(
        "/op/logout", base_url=BFF, data=CONFIRMED, headers=headers
    )

    assert (response.status_code, error_of(response)) == (403, "origin_refused")
    assert visitor.browser.signed_in


def test_a_link_is_not_the_persons_word(bff: BffRig) -> None:
    visitor = OpVisitor(bff)

    response = visitor.browser.get("/op/logout?confirmed=yes", Origin=BFF)

    assert (response.status_code, error_of(response)) == (403, "origin_refused")
    assert visitor.browser.signed_in


def test_the_form_lets_the_browser_say_where_it_comes_from(bff: BffRig) -> None:
    """Under `no-referrer` browsers send `Origin: null` with a form."""
    response = OpVisitor(bff).get("/op/logout")

    assert response.headers["Referrer-Policy"] == "same-origin"


def test_an_unregistered_address_is_not_followed(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    hint = visitor.tokens()["id_token"]

    response = visitor.get(
        "/op/logout", id_token_hint=hint, post_logout_redirect_uri="https://evil.example/"
    )

    assert response.status_code == 200
    assert "evil" not in response.text


@pytest.mark.parametrize(
    ("registered", "state", "where"),
    [
        ("https://a.example/bye", None, "https://a.example/bye"),
        ("https://a.example/bye", "x y&z", "https://a.example/bye?state=x+y%26z"),
        ("https://a.example/bye?a=b", "s", "https://a.example/bye?a=b&state=s"),
    ],
)
def test_a_registered_address_is_followed_after_a_genuine_hint(
    bff: BffRig, registered: str, state: str | None, where: str
) -> None:
    visitor = OpVisitor(bff)
    broker = bff.services.broker
    broker.client = replace(broker.client, post_logout_redirect_uris=(registered,))
    asked = {"post_logout_redirect_uri": registered} | ({"state": state} if state else {})

    without_hint = visitor.get("/op/logout", **asked)
    with_hint = visitor.get("/op/logout", id_token_hint=visitor.tokens()["id_token"], **asked)

    assert "Location" not in without_hint.headers
    assert (with_hint.status_code, with_hint.headers["Location"]) == (303, where)


def test_another_clients_id_is_refused(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    hint = visitor.tokens()["id_token"]

    response = visitor.get("/op/logout", id_token_hint=hint, client_id="somebody")

    assert response.status_code == 400
    assert visitor.browser.signed_in
