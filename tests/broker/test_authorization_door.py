"""The authorization endpoint: a code for a browser that is signed in, the right error otherwise."""

from datetime import timedelta
from typing import Any

import pytest
from bff_rig import BFF, BffRig, query_of
from broker_rig import CLIENT
from flask.testing import FlaskClient
from op_visitor import OpVisitor
from werkzeug.test import TestResponse

from bff.broker.opaque_tokens import s256
from bff.simulator.provider_faults import Fault

VERIFIER = "v" * 43
ISSUER = f"{BFF}/op"
LANDING = f"{ISSUER}/landing"


def authorize(visitor: OpVisitor, **changes: str | None) -> TestResponse:
    return asked_by(visitor.browser.client, **changes)


def asked_by(client: FlaskClient, **changes: str | None) -> TestResponse:
    asked = {
        "client_id": CLIENT.client_id,
        "redirect_uri": LANDING,
        "response_type": "code",
        "scope": "openid email",
        "state": "s t&a=te",
        "nonce": "n-1",
        "code_challenge": s256(VERIFIER),
        "code_challenge_method": "S256",
        **changes,
    }
    query = {name: value for name, value in asked.items() if value is not None}
    return client.get("/op/authorize", base_url=BFF, query_string=query)


def answer(response: TestResponse) -> dict[str, str]:
    where = response.headers["Location"]
    assert response.status_code == 302
    assert where.startswith(LANDING + "?")
    assert response.headers["Cache-Control"] == "no-store"
    found = query_of(where)
    assert found["iss"] == ISSUER
    return found


def redeemed(visitor: OpVisitor, code: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": LANDING,
        "code_verifier": VERIFIER,
    }
    body: dict[str, Any] = visitor.token(form).get_json()
    return body


def test_a_signed_in_browser_goes_back_with_a_code(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    found = answer(authorize(visitor))

    assert set(found) == {"code", "state", "iss"}
    assert found["state"] == "s t&a=te"
    tokens = redeemed(visitor, found["code"])
    assert tokens["scope"] == "openid email"
    assert "refresh_token" not in tokens


@pytest.mark.parametrize("nonce", [None, "", "n-1"])
def test_nonce_and_state_are_optional(bff: BffRig, nonce: str | None) -> None:
    visitor = OpVisitor(bff)
    found = answer(authorize(visitor, nonce=nonce, state=None))

    assert set(found) == {"code", "iss"}
    assert "id_token" in redeemed(visitor, found["code"])


@pytest.mark.parametrize("prompt", ["none", None, "consent"])
def test_no_screen_is_needed_for_somebody_who_is_signed_in(bff: BffRig, prompt: str | None) -> None:
    assert "code" in answer(authorize(OpVisitor(bff), prompt=prompt))


@pytest.mark.parametrize("prompt", ["none", None, "login"])
def test_a_stranger_goes_back_with_login_required(bff: BffRig, prompt: str | None) -> None:
    found = answer(asked_by(OpVisitor(bff).client, prompt=prompt))

    assert found == {"error": "login_required", "state": "s t&a=te", "iss": ISSUER}


@pytest.mark.parametrize("prompt", ["login", "select_account", "consent login"])
def test_a_new_sign_in_cannot_be_had_here(bff: BffRig, prompt: str) -> None:
    assert answer(authorize(OpVisitor(bff), prompt=prompt))["error"] == "login_required"


def test_a_session_that_has_ended_is_a_stranger(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    visitor.browser.post("/auth/logout")

    assert answer(authorize(visitor))["error"] == "login_required"


@pytest.mark.parametrize(
    ("later", "max_age", "error"),
    [(0, "60", None), (59, "60", None), (61, "60", "login_required"), (1, "0", "login_required")],
)
def test_max_age_is_enforced(bff: BffRig, later: int, max_age: str, error: str | None) -> None:
    visitor = OpVisitor(bff)
    bff.clock.advance(timedelta(seconds=later))

    assert answer(authorize(visitor, max_age=max_age)).get("error") == error


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_type": 'co"de\\ü'}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "9" * 40}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"request": "x.y.z"}, "request_not_supported"),
        ({"request_uri": "https://evil.example/r"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
    ],
)
def test_what_is_not_supported_is_named(
    bff: BffRig, changes: dict[str, str | None], error: str
) -> None:
    found = answer(authorize(OpVisitor(bff), **changes))

    assert (found["error"], found["state"]) == (error, "s t&a=te")
    assert "code" not in found


def test_unknown_parameters_and_scopes_are_ignored(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    found = answer(authorize(visitor, scope="openid  telepathy", display="touch", claims="{}"))

    assert redeemed(visitor, found["code"])["scope"] == "openid"


def test_a_provider_that_is_away_is_not_a_refusal(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    bff.provider.provider.faults.plant(Fault.CUT)
    bff.clock.advance(timedelta(minutes=40))

    assert answer(authorize(visitor))["error"] == "temporarily_unavailable"
    assert visitor.browser.signed_in


def test_looking_for_a_code_does_not_extend_the_session(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    before = visitor.browser.session()["expires_at"]
    bff.clock.advance(timedelta(minutes=5))

    answer(authorize(visitor))
    tokens = visitor.token(visitor.code_form())
    after_mint = visitor.browser.session()["expires_at"]
    bff.clock.advance(timedelta(minutes=5))
    visitor.refresh(tokens.get_json()["refresh_token"])
    visitor.userinfo(tokens.get_json()["access_token"])

    assert after_mint > before
    assert visitor.browser.session()["expires_at"] == after_mint
