"""The certified provider starts, and its whole flow can be walked: the rig itself is sound."""

import os
import queue
import select
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from certified_provider import (
    CertifiedClient,
    CertifiedLifetimes,
    CertifiedProvider,
    RigError,
)
from flask import Flask, request
from joserfc import jwt
from joserfc.jwk import KeySet
from provider_visitor import VERIFIER, Visitor, hidden_fields, plain_session, query_of

from bff.simulator.provider_grants import challenge_of
from bff.simulator.serving import Served

CALLBACK = "http://auth.brand.localhost:8100/callback"
BYE = "http://www.brand.localhost:8101/bye"


@pytest.fixture(scope="module")
def heard() -> "queue.Queue[str]":
    return queue.Queue()


@pytest.fixture(scope="module")
def certified(heard: "queue.Queue[str]") -> Iterator[CertifiedProvider]:
    receiver = Flask("receiver")

    @receiver.post("/backchannel")
    def listen() -> str:
        heard.put(request.form["logout_token"])
        return ""

    with (
        Served(receiver, host="auth.brand.localhost") as served,
        CertifiedProvider(
            CertifiedClient(
                redirect_uris=(CALLBACK,),
                post_logout_redirect_uris=(BYE,),
                backchannel_logout_uri=f"{served.url}/backchannel",
            ),
            lifetimes=CertifiedLifetimes(access_token=20),
        ) as running,
    ):
        yield running


def metadata(certified: CertifiedProvider) -> dict[str, Any]:
    with plain_session() as http:
        answer = http.get(f"{certified.issuer}/.well-known/openid-configuration")
    found: dict[str, Any] = answer.json()
    return found


def authorize_url(certified: CertifiedProvider, **changes: str) -> str:
    parameters = {
        "client_id": certified.client.client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid profile email offline_access",
        "state": "the-state",
        "nonce": "the-nonce",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        **changes,
    }
    return f"{metadata(certified)['authorization_endpoint']}?{urlencode(parameters)}"


def sign_in(certified: CertifiedProvider, visitor: Visitor) -> dict[str, str]:
    page = visitor.go(authorize_url(certified))
    assert page.status_code == 200, page.text
    form = {"login": "amira", "password": "anything", "choice": "sign-in"}
    return query_of(visitor.go(page.url, form))


def post(certified: CertifiedProvider, endpoint: str, **form: str) -> Any:
    client = certified.client
    with plain_session() as http:
        return http.post(
            metadata(certified)[endpoint], data=form, auth=(client.client_id, client.client_secret)
        )


def redeem(certified: CertifiedProvider, code: str) -> dict[str, Any]:
    answer = post(
        certified,
        "token_endpoint",
        grant_type="authorization_code",
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def refresh(certified: CertifiedProvider, refresh_token: str) -> Any:
    return post(
        certified, "token_endpoint", grant_type="refresh_token", refresh_token=refresh_token
    )


def verified(certified: CertifiedProvider, token: str) -> jwt.Token:
    with plain_session() as http:
        keys = KeySet.import_key_set(http.get(metadata(certified)["jwks_uri"]).json())
    return jwt.decode(token, keys, algorithms=["RS256"])


def test_discovery_offers_what_a_relying_party_needs(certified: CertifiedProvider) -> None:
    found = metadata(certified)

    assert found["issuer"] == certified.issuer
    assert found["authorization_response_iss_parameter_supported"] is True
    assert found["backchannel_logout_session_supported"] is True
    assert {"end_session_endpoint", "revocation_endpoint", "userinfo_endpoint"} <= set(found)


def test_a_person_signs_in_and_the_tokens_verify(certified: CertifiedProvider) -> None:
    answer = sign_in(certified, Visitor())
    tokens = redeem(certified, answer["code"])

    claims = verified(certified, tokens["id_token"]).claims
    with plain_session() as http:
        userinfo = http.get(
            metadata(certified)["userinfo_endpoint"],
            headers={"Authorization": f"Bearer {tokens['access_token']}"},
        ).json()
    assert (answer["state"], answer["iss"]) == ("the-state", certified.issuer)
    assert (claims["iss"], claims["aud"]) == (certified.issuer, "brand")
    assert (claims["sub"], claims["nonce"]) == ("amira", "the-nonce")
    assert claims["sid"]
    assert (userinfo["sub"], userinfo["email"]) == ("amira", "amira@example.com")
    assert tokens["expires_in"] == 20


def test_a_second_visit_needs_no_page(certified: CertifiedProvider) -> None:
    visitor = Visitor()
    sign_in(certified, visitor)

    silent = query_of(visitor.go(authorize_url(certified, prompt="none")))
    stranger = query_of(Visitor().go(authorize_url(certified, prompt="none")))

    assert redeem(certified, silent["code"])["refresh_token"]
    assert stranger["error"] == "login_required"


def test_cancel_goes_back_with_access_denied(certified: CertifiedProvider) -> None:
    visitor = Visitor()
    page = visitor.go(authorize_url(certified))

    assert query_of(visitor.go(page.url, {"choice": "cancel"}))["error"] == "access_denied"


def test_refresh_tokens_rotate_and_reuse_ends_the_family(certified: CertifiedProvider) -> None:
    first = redeem(certified, sign_in(certified, Visitor())["code"])
    second = refresh(certified, first["refresh_token"]).json()

    reuse = refresh(certified, first["refresh_token"])

    assert second["refresh_token"] != first["refresh_token"]
    assert reuse.json()["error"] == "invalid_grant"
    assert refresh(certified, second["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_revoked_refresh_token_is_refused(certified: CertifiedProvider) -> None:
    tokens = redeem(certified, sign_in(certified, Visitor())["code"])

    answer = post(certified, "revocation_endpoint", token=tokens["refresh_token"])

    assert answer.status_code == 200
    assert refresh(certified, tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_sign_out_sends_a_logout_token_and_returns(
    certified: CertifiedProvider, heard: "queue.Queue[str]"
) -> None:
    visitor = Visitor()
    tokens = redeem(certified, sign_in(certified, visitor)["code"])
    query = urlencode(
        {
            "id_token_hint": tokens["id_token"],
            "post_logout_redirect_uri": BYE,
            "state": "bye-state",
        }
    )
    asked = visitor.go(f"{metadata(certified)['end_session_endpoint']}?{query}")

    answer = visitor.go(
        f"{certified.issuer}/session/end/confirm",
        {**hidden_fields(asked.text), "logout": "yes"},
    )

    assert answer.headers["Location"].startswith(BYE)
    assert parse_qs(urlsplit(answer.headers["Location"]).query) == {"state": ["bye-state"]}
    token = verified(certified, heard.get(timeout=10))
    assert token.header["typ"] == "logout+jwt"
    assert token.claims["sid"] == verified(certified, tokens["id_token"]).claims["sid"]


def test_a_client_the_provider_refuses_is_reported_at_the_start() -> None:
    wrong = CertifiedClient(redirect_uris=("no-address",))

    with pytest.raises(RigError, match="redirect_uris"):
        CertifiedProvider(wrong).start()


def test_the_provider_ends_with_its_parent() -> None:
    program = (
        "import os\n"
        "from certified_provider import CertifiedClient, CertifiedProvider\n"
        f"rig = CertifiedProvider(CertifiedClient(redirect_uris=({CALLBACK!r},))).start()\n"
        "print(rig.process_id, flush=True)\n"
        "input()\n"
        "os._exit(0)\n"  # no clean-up of ours may run
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},  # noqa: TID251 - handed on
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        watched = os.pidfd_open(int(parent.stdout.readline()))
        try:
            alive_before = select.select([watched], [], [], 0)[0] == []
            parent.communicate("end\n", timeout=10)
            ended = select.select([watched], [], [], 10)[0] == [watched]
        finally:
            os.close(watched)

    assert alive_before
    assert ended
