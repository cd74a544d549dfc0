"""The stand-in provider's front doors: who gets a code, who gets a page, who gets an error."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry
from provider_visitor import (
    CLIENT,
    VERIFIER,
    ProviderRig,
    Visitor,
    query_of,
    running_provider,
)

from bff.adapters.http_client import guard
from bff.simulator.provider_settings import ACR_PASSWORD, ACR_STRONG


@pytest.fixture
def rig() -> Iterator[ProviderRig]:
    with running_provider() as running:
        yield running


def test_a_relying_party_that_is_not_ours_signs_a_person_in(rig: ProviderRig) -> None:
    visitor = Visitor()
    metadata = rig.get("/.well-known/openid-configuration").json()
    session = guard(
        OAuth2Session(
            CLIENT.client_id,
            CLIENT.client_secret,
            scope="openid profile email",
            redirect_uri=CLIENT.redirect_uris[0],
            code_challenge_method="S256",
        )
    )
    url, state = session.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=VERIFIER, nonce="n-1"
    )

    page = visitor.go(url)
    landed = visitor.go(page.url, {"username": "zoe", "password": "harbour", "choice": "password"})
    tokens = session.fetch_token(
        metadata["token_endpoint"],
        authorization_response=landed.headers["Location"],
        state=state,
        code_verifier=VERIFIER,
    )

    keys = KeySet.import_key_set(rig.get(urlsplit(metadata["jwks_uri"]).path).json())
    token = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
    JWTClaimsRegistry(
        now=int(rig.clock.now().timestamp()),
        leeway=0,
        iss={"essential": True, "value": metadata["issuer"]},
        aud={"essential": True, "value": CLIENT.client_id},
        nonce={"essential": True, "value": "n-1"},
        exp={"essential": True},
        sid={"essential": True},
    ).validate(token.claims)
    userinfo = session.get(metadata["userinfo_endpoint"]).json()
    assert query_of(landed)["iss"] == metadata["issuer"] == rig.url
    assert token.claims["name"] == userinfo["name"] == "Zoë Łukasik"
    assert userinfo["sub"] == token.claims["sub"]
    assert userinfo["email_verified"] is True
    assert tokens["expires_in"] == 900
    session.close()


def test_scopes_limit_what_a_client_learns(rig: ProviderRig) -> None:
    tokens = rig.tokens(scope="openid email")

    userinfo = rig.get("/userinfo", Authorization=f"Bearer {tokens['access_token']}").json()

    assert set(userinfo) == {"sub", "email", "email_verified"}


def test_a_second_visit_needs_no_page(rig: ProviderRig) -> None:
    visitor = Visitor()
    rig.sign_in(visitor)

    silent = query_of(visitor.go(rig.authorize_url(prompt="none")))

    assert rig.redeem(silent["code"]).status_code == 200
    assert silent["state"] == "the-state"


def test_prompt_none_says_login_required_to_a_stranger(rig: ProviderRig) -> None:
    answer = query_of(Visitor().go(rig.authorize_url(prompt="none")))

    assert answer["error"] == "login_required"
    assert answer["state"] == "the-state"
    assert answer["iss"] == rig.url


def test_the_sign_on_ends_after_its_time(rig: ProviderRig) -> None:
    visitor = Visitor()
    rig.sign_in(visitor)
    rig.clock.advance(timedelta(hours=12))

    assert query_of(visitor.go(rig.authorize_url(prompt="none")))["error"] == "login_required"


@pytest.mark.parametrize("prompt", ["login", "select_account"])
def test_a_prompt_shows_the_page_to_somebody_signed_in(rig: ProviderRig, prompt: str) -> None:
    visitor = Visitor()
    rig.sign_in(visitor)

    page = visitor.go(rig.authorize_url(prompt=prompt))

    assert page.status_code == 200
    assert "Choose an account" in page.text


def test_a_new_sign_in_of_the_same_person_keeps_the_sid_and_renews_auth_time(
    rig: ProviderRig,
) -> None:
    visitor = Visitor()
    first = rig.provider.keys.read(rig.tokens(visitor)["id_token"])
    rig.clock.advance(timedelta(minutes=5))

    second = rig.provider.keys.read(rig.tokens(visitor, prompt="login")["id_token"])

    assert first is not None
    assert second is not None
    assert second["sid"] == first["sid"]
    assert second["auth_time"] == first["auth_time"] + 300


def test_another_person_in_the_same_browser_gets_another_sid(rig: ProviderRig) -> None:
    visitor = Visitor()
    rig.sign_in(visitor)

    rig.sign_in(visitor, "ben", prompt="select_account")

    (living,) = rig.provider.sign_ons.living()
    assert living.person.username == "ben"


def test_max_age_asks_again_when_the_sign_in_is_too_old(rig: ProviderRig) -> None:
    visitor = Visitor()
    rig.sign_in(visitor)
    rig.clock.advance(timedelta(seconds=61))

    fresh_enough = visitor.go(rig.authorize_url(max_age="61", prompt="none"))
    too_old = visitor.go(rig.authorize_url(max_age="60", prompt="none"))

    assert "code" in query_of(fresh_enough)
    assert query_of(too_old)["error"] == "login_required"


def test_a_stronger_acr_asks_again_and_is_then_stated(rig: ProviderRig) -> None:
    visitor = Visitor()
    weak = rig.provider.keys.read(rig.tokens(visitor)["id_token"])

    refused = query_of(visitor.go(rig.authorize_url(acr_values=ACR_STRONG, prompt="none")))
    page = visitor.go(rig.authorize_url(acr_values=ACR_STRONG))
    strong = rig.provider.keys.read(rig.tokens(visitor, acr_values=ACR_STRONG)["id_token"])

    assert weak is not None
    assert strong is not None
    assert refused["error"] == "login_required"
    assert "stronger sign-in" in page.text
    assert (weak["acr"], strong["acr"]) == (ACR_PASSWORD, ACR_STRONG)


def test_a_hint_about_somebody_else_is_not_answered_silently(rig: ProviderRig) -> None:
    visitor = Visitor()
    hint = rig.tokens(Visitor(), username="ben")["id_token"]
    rig.sign_in(visitor, "amira")

    answer = query_of(visitor.go(rig.authorize_url(prompt="none", id_token_hint=hint)))

    assert answer["error"] == "login_required"


def test_cancel_goes_back_with_access_denied(rig: ProviderRig) -> None:
    visitor = Visitor()
    page = visitor.go(rig.authorize_url())

    answer = query_of(visitor.go(page.url, {"choice": "cancel"}))

    assert (answer["error"], answer["state"]) == ("access_denied", "the-state")
    assert visitor.go(page.url).status_code == 400


@pytest.mark.parametrize("username", ["amira", "nobody", ""])
def test_a_wrong_password_keeps_the_page_and_says_so(rig: ProviderRig, username: str) -> None:
    visitor = Visitor()
    page = visitor.go(rig.authorize_url())

    answer = visitor.go(page.url, {"username": username, "password": "", "choice": "password"})

    assert answer.status_code == 401
    assert "do not go together" in answer.text
    assert rig.provider.sign_ons.living() == []


def test_a_sign_in_page_serves_only_the_browser_it_was_made_for(rig: ProviderRig) -> None:
    page = Visitor().go(rig.authorize_url())

    stolen = Visitor().go(page.url, {"choice": "person:ben"})

    assert stolen.status_code == 400
    assert rig.provider.sign_ons.living() == []


def test_the_cookies_are_out_of_reach_for_script(rig: ProviderRig) -> None:
    visitor = Visitor()
    rig.sign_in(visitor)

    cookies = {cookie.name: cookie for cookie in visitor.http.cookies}

    assert set(cookies) == {"provider_session", "provider_browser"}
    assert all(cookie.has_nonstandard_attr("HttpOnly") for cookie in cookies.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "stranger"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": CLIENT.redirect_uris[0] + "/"},
        {"redirect_uri": CLIENT.redirect_uris[0] + "?x=1"},
        {"redirect_uri": "https://evil.example/callback"},
    ],
)
def test_nobody_is_sent_to_an_address_that_is_not_registered(
    rig: ProviderRig, changes: dict[str, str | None]
) -> None:
    answer = Visitor().go(rig.authorize_url(**changes))

    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "That did not work" in answer.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"request_uri": "http://x"}, "request_uri_not_supported"),
        ({"id_token_hint": "not.ours.really"}, "invalid_request"),
    ],
)
def test_a_malformed_request_is_refused_at_the_client(
    rig: ProviderRig, changes: dict[str, str | None], error: str
) -> None:
    assert query_of(Visitor().go(rig.authorize_url(**changes)))["error"] == error


def test_a_repeated_parameter_is_refused(rig: ProviderRig) -> None:
    answer = query_of(Visitor().go(rig.authorize_url() + "&nonce=another"))

    assert answer["error"] == "invalid_request"
