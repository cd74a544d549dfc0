"""Parameters come once, and a server's come in the body: nobody in between reads another one."""

from collections.abc import Iterator

import pytest
from bff_rig import BFF, BffRig, error_of, running_bff
from broker_rig import CLIENT
from op_visitor import OpVisitor, error_and_status


@pytest.fixture(scope="module")
def bff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BffRig]:
    """One BFF for the whole file: no test here disturbs another's session."""
    folder = tmp_path_factory.mktemp("bff")
    with running_bff(folder, BFF_SIGN_INS_PER_MINUTE="10000") as running:
        yield running


AUTHORIZATION = {
    "client_id": CLIENT.client_id,
    "redirect_uri": f"{BFF}/op/landing",
    "response_type": "code",
    "scope": "openid",
    "state": "s",
    "nonce": "n",
    "prompt": "none",
    "max_age": "60",
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
}


@pytest.mark.parametrize("name", [*AUTHORIZATION, "anything"])
def test_an_authorization_request_repeats_nothing(bff: BffRig, name: str) -> None:
    browser = OpVisitor(bff).browser.client
    pairs = [*AUTHORIZATION.items(), (name, "again"), (name, "again")]

    response = browser.get("/op/authorize", base_url=BFF, query_string=pairs)

    assert response.status_code == 400
    assert error_of(response) == "request_refused"


@pytest.mark.parametrize(
    "name", ["grant_type", "code", "redirect_uri", "code_verifier", "client_id", "scope", "x"]
)
def test_a_token_request_repeats_nothing(bff: BffRig, name: str) -> None:
    visitor = OpVisitor(bff)
    form = visitor.code_form()
    twice: dict[str, str | list[str]] = dict(form)
    twice[name] = [form.get(name, "a"), form.get(name, "a")]

    assert error_and_status(visitor.token(twice)) == (400, "invalid_request")
    assert visitor.token(form).status_code == 200


@pytest.mark.parametrize("name", ["token", "token_type_hint"])
def test_a_revocation_repeats_nothing(bff: BffRig, name: str) -> None:
    visitor = OpVisitor(bff)
    access = visitor.tokens()["access_token"]
    form: dict[str, str | list[str]] = {"token": access, name: [access, access]}

    assert error_and_status(visitor.token(form, path="/op/revoke")) == (400, "invalid_request")
    assert visitor.userinfo(access).status_code == 200


@pytest.mark.parametrize(
    "query", ["?x", "?grant_type=refresh_token", "?client_secret=s", "?code=c&redirect_uri=r"]
)
@pytest.mark.parametrize("door", ["/op/token", "/op/revoke"])
def test_a_query_is_refused_and_burns_nothing(bff: BffRig, query: str, door: str) -> None:
    visitor = OpVisitor(bff)
    form = visitor.code_form()

    answer = visitor.token(form, path=door + query)

    assert error_and_status(answer) == (400, "invalid_request")
    assert visitor.token(form).status_code == 200


def test_parameters_of_the_query_never_fill_a_form(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    form = visitor.code_form()
    query = "&".join(f"{name}={form.pop(name)}" for name in ("code", "redirect_uri"))

    assert error_and_status(visitor.token(form, path=f"/op/token?{query}")) == (
        400,
        "invalid_request",
    )


def test_the_token_endpoint_takes_only_posts(bff: BffRig) -> None:
    visitor = OpVisitor(bff)

    assert visitor.get("/op/token", **visitor.code_form()).status_code == 405
    assert visitor.get("/op/revoke", token="x").status_code == 405
