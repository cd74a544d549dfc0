"""The stand-in provider's ways out, and what a client hears through the back channel."""

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask, request
from joserfc import jws, jwt
from joserfc.jwk import KeySet
from provider_visitor import CLIENT, ProviderRig, Visitor, hidden_fields, query_of, running_provider

from bff.simulator.provider_tokens import LOGOUT_EVENT, LogoutDefect
from bff.simulator.serving import Served

BYE = CLIENT.post_logout_redirect_uris[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    rig: ProviderRig
    heard: "queue.Queue[str]"


@pytest.fixture
def setting() -> Iterator[Setting]:
    heard: queue.Queue[str] = queue.Queue()
    receiver = Flask("receiver")

    @receiver.post("/backchannel")
    def listen() -> str:
        heard.put(request.form["logout_token"])
        return ""

    with (
        Served(receiver, host="auth.brand.localhost") as served,
        running_provider(
            client=replace(CLIENT, backchannel_logout_uri=f"{served.url}/backchannel")
        ) as rig,
    ):
        yield Setting(rig=rig, heard=heard)


def test_a_hint_of_ours_signs_out_without_a_question(setting: Setting) -> None:
    rig, visitor = setting.rig, Visitor()
    tokens = rig.tokens(visitor)

    answer = visitor.go(
        f"{rig.url}/end-session?id_token_hint={tokens['id_token']}"
        f"&post_logout_redirect_uri={BYE}&state=s-1"
    )

    assert answer.headers["Location"] == f"{BYE}?state=s-1"
    assert query_of(visitor.go(rig.authorize_url(prompt="none")))["error"] == "login_required"
    assert rig.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_every_client_of_the_sign_on_gets_a_logout_token(setting: Setting) -> None:
    rig, visitor = setting.rig, Visitor()
    id_token = rig.tokens(visitor)["id_token"]
    claims = rig.provider.keys.read(id_token)
    assert claims is not None

    visitor.go(f"{rig.url}/end-session?id_token_hint={id_token}")

    received = setting.heard.get(timeout=5)
    keys = KeySet.import_key_set(rig.get("/jwks").json())
    token = jwt.decode(received, keys, algorithms=["RS256"])
    now = int(rig.clock.now().timestamp())
    assert token.header["typ"] == "logout+jwt"
    assert token.claims == {
        "iss": rig.url,
        "aud": "brand",
        "sub": claims["sub"],
        "sid": claims["sid"],
        "iat": now,
        "exp": now + 120,
        "jti": token.claims["jti"],
        "events": {LOGOUT_EVENT: {}},
    }
    assert rig.provider.deliveries[0].status == 200


def test_without_a_hint_the_person_is_asked_first(setting: Setting) -> None:
    rig, visitor = setting.rig, Visitor()
    rig.sign_in(visitor)

    page = visitor.go(
        f"{rig.url}/end-session?client_id=brand&post_logout_redirect_uri={BYE}&state=s"
    )
    assert len(rig.provider.sign_ons.living()) == 1
    answer = visitor.go(page.url, {**hidden_fields(page.text), "confirmed": "yes"})

    assert answer.headers["Location"] == f"{BYE}?state=s"
    assert rig.provider.sign_ons.living() == []


@pytest.mark.parametrize(
    "query",
    [
        "client_id=brand&post_logout_redirect_uri=https://evil.example/",
        f"post_logout_redirect_uri={BYE}",
        "id_token_hint=not.ours.really",
    ],
)
def test_an_untrusted_sign_out_request_goes_nowhere(setting: Setting, query: str) -> None:
    visitor = Visitor()
    setting.rig.sign_in(visitor)

    answer = visitor.go(f"{setting.rig.url}/end-session?{query}")

    assert answer.status_code == 400
    assert len(setting.rig.provider.sign_ons.living()) == 1


def test_the_account_page_signs_out_everywhere(setting: Setting) -> None:
    rig = setting.rig
    here, elsewhere, stranger = Visitor(), Visitor(), Visitor()
    rig.sign_in(here, "amira")
    rig.sign_in(elsewhere, "amira")
    rig.sign_in(stranger, "ben")

    page = here.go(f"{rig.url}/account")
    after = here.go(f"{rig.url}/account/sign-out", {})

    assert "all 2 browsers" in page.text
    assert "You are signed out" in after.text
    assert [one.person.username for one in rig.provider.sign_ons.living()] == ["ben"]
    assert len({setting.heard.get(timeout=5), setting.heard.get(timeout=5)}) == 2
    assert setting.heard.empty()


def test_a_person_can_sign_in_to_the_account_itself(setting: Setting) -> None:
    visitor = Visitor()
    page = visitor.go(f"{setting.rig.url}/account/sign-in")

    account = visitor.go(page.url, {"choice": "person:zoe"})

    assert account.url == f"{setting.rig.url}/account"
    assert "Zoë Łukasik" in account.text


def test_a_client_that_does_not_answer_stops_no_sign_out() -> None:
    client = replace(CLIENT, backchannel_logout_uri="http://auth.brand.localhost:1/backchannel")
    with running_provider(client=client) as rig:
        rig.sign_in(Visitor())

        rig.provider.sign_out_everywhere("c-20417")

        assert rig.provider.sign_ons.living() == []
        assert [delivery.status for delivery in rig.provider.deliveries] == [None]


CLAIM_DEFECTS: dict[LogoutDefect, Callable[[dict[str, Any]], bool]] = {
    LogoutDefect.AUDIENCE_WRONG: lambda c: c["aud"] != "brand",
    LogoutDefect.ISSUER_WRONG: lambda c: "other" in c["iss"],
    LogoutDefect.NONCE_PRESENT: lambda c: "nonce" in c,
    LogoutDefect.EVENTS_MISSING: lambda c: "events" not in c,
    LogoutDefect.EVENTS_OTHER: lambda c: LOGOUT_EVENT not in c["events"],
    LogoutDefect.EVENTS_NO_OBJECT: lambda c: not isinstance(c["events"], dict),
    LogoutDefect.IAT_MISSING: lambda c: "iat" not in c,
    LogoutDefect.EXP_MISSING: lambda c: "exp" not in c,
    LogoutDefect.JTI_MISSING: lambda c: "jti" not in c,
    LogoutDefect.NOBODY_NAMED: lambda c: not {"sub", "sid"} & set(c),
    LogoutDefect.SUBJECT_EMPTY: lambda c: c["sub"] == "",
}
TIME_DEFECTS = {
    LogoutDefect.ISSUED_IN_FUTURE: ("iat", 600),
    LogoutDefect.ISSUED_LONG_AGO: ("iat", -86400),
    LogoutDefect.EXPIRED: ("exp", -3600),
}


@pytest.mark.parametrize("defect", CLAIM_DEFECTS)
def test_a_logout_token_has_the_wrong_claims_it_was_asked_for(
    setting: Setting, defect: LogoutDefect
) -> None:
    provider = setting.rig.provider

    broken = provider.logout_token("brand", subject="c-1", sid="s-1", defects=[defect])
    whole = provider.logout_token("brand", subject="c-1", sid="s-1")

    wrong, right = provider.keys.read(broken), provider.keys.read(whole)
    assert wrong is not None
    assert right is not None
    assert CLAIM_DEFECTS[defect](wrong)
    assert not CLAIM_DEFECTS[defect](right)


@pytest.mark.parametrize("defect", TIME_DEFECTS)
def test_a_logout_token_is_from_the_wrong_time(setting: Setting, defect: LogoutDefect) -> None:
    rig = setting.rig
    claim, shift = TIME_DEFECTS[defect]

    claims = rig.provider.keys.read(
        rig.provider.logout_token("brand", subject="c-1", defects=[defect])
    )

    assert claims is not None
    assert claims[claim] == int(rig.clock.now().timestamp()) + shift


@pytest.mark.parametrize(
    ("defect", "header"),
    [
        (LogoutDefect.TYPE_WRONG, {"typ": "JWT", "alg": "RS256"}),
        (LogoutDefect.TYPE_MISSING, {"typ": None, "alg": "RS256"}),
        (LogoutDefect.KID_UNKNOWN, {"typ": "logout+jwt", "kid": "a-key-nobody-knows"}),
        (LogoutDefect.ALGORITHM_NONE, {"typ": "logout+jwt", "alg": "none"}),
        (LogoutDefect.ALGORITHM_HS256, {"typ": "logout+jwt", "alg": "HS256"}),
    ],
)
def test_a_logout_token_has_the_wrong_header_it_was_asked_for(
    setting: Setting, defect: LogoutDefect, header: dict[str, str | None]
) -> None:
    token = setting.rig.provider.logout_token("brand", subject="c-1", defects=[defect])

    fields = jws.extract_compact(token.encode()).headers()
    assert {name: fields.get(name) for name in header} == header


def test_a_logout_token_with_a_bad_signature_does_not_verify(setting: Setting) -> None:
    provider = setting.rig.provider

    token = provider.logout_token("brand", sid="s", defects=[LogoutDefect.SIGNATURE_BAD])

    assert provider.keys.read(token) is None


def test_a_replayed_jti_is_that_of_the_token_before(setting: Setting) -> None:
    provider = setting.rig.provider
    first = provider.keys.read(provider.logout_token("brand", sid="s-1"))

    again = provider.keys.read(
        provider.logout_token("brand", sid="s-2", defects=[LogoutDefect.JTI_REPLAYED])
    )
    other = provider.keys.read(provider.logout_token("brand", sid="s-3"))

    assert first is not None
    assert again is not None
    assert other is not None
    assert again["jti"] == first["jti"] != other["jti"]


def test_every_defect_of_a_logout_token_has_its_test() -> None:
    elsewhere = {
        LogoutDefect.TYPE_WRONG,
        LogoutDefect.TYPE_MISSING,
        LogoutDefect.KID_UNKNOWN,
        LogoutDefect.ALGORITHM_NONE,
        LogoutDefect.ALGORITHM_HS256,
        LogoutDefect.SIGNATURE_BAD,
        LogoutDefect.JTI_REPLAYED,
    }

    assert set(CLAIM_DEFECTS) | set(TIME_DEFECTS) | elsewhere == set(LogoutDefect)
