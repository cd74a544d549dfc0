"""A redirect URI is compared to the letter, and no stranger's is followed (RFC 9700 2.1)."""

from collections.abc import Iterator

import pytest
from bff_rig import BffRig, query_of, running_bff
from broker_rig import CLIENT
from op_visitor import OpVisitor, error_and_status
from security_model import Asset, Attacker, threat


@pytest.fixture(scope="module")
def bff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BffRig]:
    """One BFF for the whole file: no test here disturbs another's session."""
    folder = tmp_path_factory.mktemp("bff")
    with running_bff(folder, BFF_SIGN_INS_PER_MINUTE="10000") as running:
        yield running


RIGHT = "http://auth.brand.localhost/op/landing"
TRICKS = [
    None,
    "",
    RIGHT + "/",
    RIGHT + "/../landing",
    RIGHT + "?next=evil",
    RIGHT + "#x",
    RIGHT + "x",
    RIGHT[:-1],
    RIGHT.replace("http:", "https:"),
    RIGHT.replace("http:", "HTTP:"),
    RIGHT.replace("auth.", "Auth."),
    RIGHT.replace(".localhost/", ".localhost:80/"),
    RIGHT.replace(".localhost/", ".localhost:8080/"),
    RIGHT.replace(".localhost/", ".localhost./"),
    RIGHT.replace("http://", "http://evil.example@"),
    RIGHT.replace("http://", "http://user@"),
    RIGHT.replace("localhost/", "localhost.evil.example/"),
    RIGHT.replace("/op/", "/%6fp/"),
    RIGHT.replace("/op/", "//op/"),
    "https://evil.example/" + RIGHT,
    "javascript:alert(1)//" + RIGHT,
    'https://evil.example/"\\<script>',
    "https://evil.example/ü",
]


def asked(**changes: str | None) -> dict[str, str]:
    request = {
        "client_id": CLIENT.client_id,
        "redirect_uri": RIGHT,
        "response_type": "code",
        "scope": "openid",
        "state": "s-1",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in request.items() if value is not None}


def test_the_registered_one_is_followed(bff: BffRig) -> None:
    browser = OpVisitor(bff).browser.client

    response = browser.get("/op/authorize", base_url=bff.settings.public_url, query_string=asked())

    assert response.headers["Location"].startswith(RIGHT + "?")
    assert query_of(response.headers["Location"])["code"]


@threat(
    Attacker.STRANGER,
    Asset.TOKENS,
    can="Name another redirect URI: it is never followed, not even with an error",
    noticed="400",
)
@pytest.mark.parametrize("trick", TRICKS)
def test_no_other_is_followed_not_even_with_an_error(bff: BffRig, trick: str | None) -> None:
    browser = OpVisitor(bff).browser.client

    for request in (asked(redirect_uri=trick), asked(redirect_uri=trick, response_type="token")):
        response = browser.get(
            "/op/authorize",
            base_url=bff.settings.public_url,
            query_string=request,
            headers={"Accept": "text/html"},
        )
        assert response.status_code == 400
        assert "Location" not in response.headers
        assert response.mimetype == "text/html"
        assert "evil" not in response.text


@pytest.mark.parametrize("client", [None, "", "somebody", "GENESYS", "genesys "])
def test_an_unknown_client_is_not_followed_either(bff: BffRig, client: str | None) -> None:
    browser = OpVisitor(bff).browser.client

    response = browser.get(
        "/op/authorize", base_url=bff.settings.public_url, query_string=asked(client_id=client)
    )

    assert response.status_code == 400
    assert "Location" not in response.headers


@pytest.mark.parametrize("trick", [trick for trick in TRICKS if trick != RIGHT])
def test_a_redemption_names_exactly_the_same_one(bff: BffRig, trick: str | None) -> None:
    visitor = OpVisitor(bff)

    form = visitor.code_form(redirect_uri=trick)

    assert error_and_status(visitor.token(form)) == (400, "invalid_grant")
    right = form | {"redirect_uri": RIGHT}
    assert error_and_status(visitor.token(right)) == (400, "invalid_grant")
