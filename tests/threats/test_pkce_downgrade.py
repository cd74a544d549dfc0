"""PKCE with S256 is for every client and cannot be talked down (RFC 9700 section 2.1.1)."""

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


CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def asked(bff: BffRig, **changes: str | None) -> dict[str, str]:
    request = {
        "client_id": CLIENT.client_id,
        "redirect_uri": bff.settings.broker_redirect_uri,
        "response_type": "code",
        "scope": "openid",
        "state": "s-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in request.items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge_method": ""},
        {"code_challenge": ""},
        {"code_challenge": "short"},
        {"code_challenge": "ü" * 43},
    ],
)
def test_an_authorization_request_without_s256_gets_no_code(
    bff: BffRig, changes: dict[str, str | None]
) -> None:
    visitor = OpVisitor(bff)
    browser = visitor.browser.client

    response = browser.get(
        "/op/authorize", base_url=bff.settings.public_url, query_string=asked(bff, **changes)
    )

    answer = query_of(response.headers["Location"])
    assert (answer["error"], answer["state"]) == ("invalid_request", "s-1")
    assert "code" not in answer


@threat(
    Attacker.STRANGER,
    Asset.TOKENS,
    can="Redeem a code without its verifier: refused, and the code is spent",
    noticed="`code_refused` in the log",
)
@pytest.mark.parametrize("verifier", [None, "", CHALLENGE, "w" * 43, "w" * 42, "w" * 129, "ü" * 64])
def test_a_redemption_without_the_verifier_burns_the_code(
    bff: BffRig, verifier: str | None
) -> None:
    visitor = OpVisitor(bff)
    form = visitor.code_form(code_verifier=verifier)

    assert error_and_status(visitor.token(form)) == (400, "invalid_grant")

    right = form | {"code_verifier": visitor.minted["codeVerifier"]}
    assert error_and_status(visitor.token(right)) == (400, "invalid_grant")
