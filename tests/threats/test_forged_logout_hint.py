"""Only an ID token that we signed for this client signs anybody out without asking."""

import base64
import json
from collections.abc import Callable, Iterator

import pytest
from bff_rig import BffRig, running_bff
from broker_rig import ready_keys
from hand_clock import START
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from op_visitor import OpVisitor
from security_model import Asset, Attacker, threat

from bff.adapters.system import SystemEntropy
from bff.broker.signing_keys import generate
from bff.simulator.provider_signing import signed_with_secret, spoiled, unsigned


@pytest.fixture(scope="module")
def bff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BffRig]:
    """One BFF for the whole file: no test here disturbs another's session."""
    folder = tmp_path_factory.mktemp("bff")
    with running_bff(folder, BFF_SIGN_INS_PER_MINUTE="10000") as running:
        yield running


def claims_of(token: str) -> dict[str, object]:
    body = token.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def ours(claims: dict[str, object], *, named: bool = True) -> str:
    key = RSAKey.import_key(ready_keys()[0].jwk)
    header = {"alg": "RS256", **({"kid": key.kid} if named else {})}
    return jwt.encode(header, claims, key, algorithms=["RS256"])


def theirs(claims: dict[str, object], *, embedded: bool) -> str:
    made = generate(SystemEntropy(), now=START)
    key = RSAKey.import_key(made.jwk)
    header: dict[str, object] = {"alg": "RS256", "kid": ready_keys()[0].kid}
    if embedded:
        header["jwk"] = key.as_dict(private=False)
    return jwt.encode(header, claims, key, algorithms=["RS256"])


def key_confusion(claims: dict[str, object]) -> str:
    """Return a token under HS256 with our public key as the secret (RFC 8725 section 2.1)."""
    public = RSAKey.import_key(ready_keys()[0].jwk).as_pem(private=False).decode()
    return signed_with_secret(claims, public, header={"kid": ready_keys()[0].kid})


FORGERIES: dict[str, Callable[[dict[str, object]], str]] = {
    "none": unsigned,
    "hs256-of-the-public-key": key_confusion,
    "hs256-of-the-client-secret": lambda c: jwt.encode(
        {"alg": "HS256", "kid": ready_keys()[0].kid},
        c,
        OctKey.import_key("secret-of-genesys-0123456789"),
    ),
    "another-key-under-our-kid": lambda c: theirs(c, embedded=False),
    "another-key-in-the-header": lambda c: theirs(c, embedded=True),
    "another-audience": lambda c: ours({**c, "aud": "somebody"}),
    "audience-list": lambda c: ours({**c, "aud": ["genesys", "somebody"]}),
    "another-issuer": lambda c: ours({**c, "iss": "https://evil.example"}),
    "no-kid": lambda c: ours(c, named=False),
    "bit-turned": lambda c: spoiled(ours(c)),
    "rubbish": lambda _: "rubbish",
    "dots": lambda _: "..",
    "umlauts": lambda _: "ü.ü.ü",
}


@threat(
    Attacker.STRANGER,
    Asset.SESSION,
    can="Sign a user out with a forged `id_token_hint`: the user is asked first",
)
@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_hint_only_gets_the_question(bff: BffRig, name: str) -> None:
    visitor = OpVisitor(bff)
    forged = FORGERIES[name](claims_of(visitor.tokens()["id_token"]))

    response = visitor.get("/op/logout", id_token_hint=forged)

    assert "Sign out?" in response.text
    assert visitor.browser.signed_in


def test_the_same_hint_unforged_signs_out(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    genuine = ours(claims_of(visitor.tokens()["id_token"]))

    response = visitor.get("/op/logout", id_token_hint=genuine)

    assert "You are signed out" in response.text
    assert not visitor.browser.signed_in


def test_a_huge_hint_is_not_even_decoded(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    huge = ours(claims_of(visitor.tokens()["id_token"]) | {"padding": "x" * 20_000})

    assert bff.services.broker.logout_hint(huge) is None
    assert visitor.get("/op/logout", id_token_hint=huge).status_code == 400
    assert visitor.browser.signed_in
