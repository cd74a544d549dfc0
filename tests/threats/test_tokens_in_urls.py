"""Access tokens and refresh tokens travel in headers and bodies, never in a URL, and uncached."""

from collections.abc import Iterator

import pytest
from bff_rig import BFF, BffRig, running_bff
from op_visitor import OpVisitor
from security_model import Asset, Attacker, threat


@pytest.fixture(scope="module")
def bff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BffRig]:
    """One BFF for the whole file: no test here disturbs another's session."""
    folder = tmp_path_factory.mktemp("bff")
    with running_bff(folder, BFF_SIGN_INS_PER_MINUTE="10000") as running:
        yield running


@threat(
    Attacker.STRANGER,
    Asset.TOKENS,
    can="Send an access token in a query string: it opens nothing",
    noticed="401",
)
def test_an_access_token_in_the_query_opens_nothing(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    access = visitor.tokens()["access_token"]

    response = visitor.get("/op/userinfo", access_token=access)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_no_answer_with_tokens_is_cached_or_redirects(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    answer = visitor.token(visitor.code_form())

    for response in (
        answer,
        visitor.refresh(answer.get_json()["refresh_token"]),
        visitor.userinfo(answer.get_json()["access_token"]),
    ):
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "Location" not in response.headers
        assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("response_type", ["token", "id_token", "code token", "code id_token", ""])
def test_no_response_type_puts_a_token_into_a_redirect(bff: BffRig, response_type: str) -> None:
    visitor = OpVisitor(bff)
    asked = {
        "client_id": "genesys",
        "redirect_uri": f"{BFF}/op/landing",
        "response_type": response_type,
        "scope": "openid",
        "nonce": "n",
    }

    response = visitor.browser.client.get("/op/authorize", base_url=BFF, query_string=asked)

    where = response.headers["Location"]
    assert "error=unsupported_response_type" in where
    assert "token=" not in where
    assert "#" not in where


def test_only_what_is_public_may_be_cached(bff: BffRig) -> None:
    visitor = OpVisitor(bff)

    for path, life in (
        ("/op/.well-known/openid-configuration", 300),
        ("/.well-known/oauth-authorization-server/op", 300),
        ("/op/jwks", 60),
    ):
        response = visitor.get(path)
        assert response.headers["Cache-Control"] == f"public, max-age={life}"
        assert "Set-Cookie" not in response.headers
