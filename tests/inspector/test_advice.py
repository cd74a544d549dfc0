"""Each piece of advice: seen where it is true, silent where it is nearly so."""

from collections.abc import Sequence
from typing import Any

import pytest

from bff.flow_ports import FlowStep
from bff.inspector.advice import RULES, findings
from bff.inspector.flow_events import FlowEvent, PageStep

NOW = 10_000_000
TAB, OTHER = "aaaa1111", "bbbb2222"
ONE, TWO = "11111111", "22222222"


def at(when: float, step: str, *, tab: str | None = TAB, **facts: str | int | bool) -> FlowEvent:
    """Return an event so many seconds after the beginning; the story is long over by NOW."""
    return FlowEvent(at_ms=int(when * 1000), step=step, tab=tab, facts=dict(facts))


def server(seconds: float, step: FlowStep, **facts: str | int | bool) -> FlowEvent:
    return at(seconds, step, tab=None, **facts)


def loaded(seconds: float = 0, tab: str = TAB) -> FlowEvent:
    return at(seconds, PageStep.PAGE_LOADED, tab=tab, shown=True)


def called(seconds: float, name: str, call: int = 1) -> FlowEvent:
    return at(seconds, PageStep.COMMAND_CALLED, name=name, call=call)


def settled(
    seconds: float, name: str, call: int = 1, how: str = "resolved", **facts: str | int | bool
) -> FlowEvent:
    known: dict[str, Any] = {"times": 1, "shape": "authCode,redirectUri", **facts}
    return at(seconds, PageStep.COMMAND_SETTLED, name=name, call=call, how=how, **known)


def bus(seconds: float, event: str, tab: str = TAB, **facts: str | int | bool) -> FlowEvent:
    return at(seconds, PageStep.BUS, tab=tab, event=event, **facts)


def jwt(seconds: float, name: str, exp: int, tab: str = TAB) -> FlowEvent:
    return bus(seconds, "Auth.authenticated", tab, jwt=name, exp=exp, refresh_token=True)


def asked(seconds: float, tab: str = TAB, name: str = "Auth.refreshToken") -> FlowEvent:
    return at(seconds, PageStep.ASKED, tab=tab, name=name, by="plugin")


def left(seconds: float) -> FlowEvent:
    return at(seconds, PageStep.PAGE_LEFT, persisted=False)


def registered(name: str, inside: str = "") -> FlowEvent:
    return at(0, PageStep.COMMAND_REGISTERED, name=name, inside=inside)


def published(seconds: float, event: str) -> FlowEvent:
    return at(seconds, PageStep.PUBLISHED, event=event)


def heard(seconds: float) -> FlowEvent:
    return at(seconds, PageStep.HEARD, event="Auth.signingIn", by="plugin")


def checked(**facts: bool) -> FlowEvent:
    known: dict[str, Any] = {"shown": True, "genesys": True, "auth_ready": True}
    return at(15, PageStep.CHECKED, **{**known, "provider": True, "provider_ready": True, **facts})


def signed_in(seconds: float, person: str) -> FlowEvent:
    return server(seconds, FlowStep.SIGN_IN_FINISHED, person=person)


def refused(why: str) -> FlowEvent:
    return server(1, FlowStep.CODE_REFUSED, why=why)


def state(seconds: float, name: str) -> FlowEvent:
    return at(seconds, PageStep.STATE, state=name)


ASKED_AGAIN = [called(1, "reAuthenticate"), settled(2, "reAuthenticate", code=TWO)]
SLEPT = at(600, PageStep.SLEPT, seconds=500)
FAILED_SIGN_IN = [called(1, "signIn"), settled(2, "signIn", how="rejected")]
WON_SIGN_IN = [called(1, "signIn"), settled(2, "signIn", code=ONE)]

GUILTY: list[tuple[str, Sequence[FlowEvent]]] = [
    (
        "same_code_again",
        [settled(1, "getAuthCode", 1, code=ONE), settled(9, "getAuthCode", 2, code=ONE)],
    ),
    ("settled_twice", [called(1, "signIn"), settled(2, "signIn"), settled(3, "signIn", times=2)]),
    ("never_settled", [loaded(), called(1, "getAuthCode")]),
    ("registered_inside", [registered("getAuthCode", inside="signIn")]),
    ("foreign_name", [registered("Auth.refreshToken")]),
    (
        "reauthenticate_without_sign_in",
        [called(1, "reAuthenticate"), settled(2, "reAuthenticate", shape="nothing")],
    ),
    ("reauthenticate_led_nowhere", ASKED_AGAIN),
    ("sign_in_failed_untold", FAILED_SIGN_IN),
    ("signed_in_untold", WON_SIGN_IN),
    (
        "auth_data_missing",
        [called(1, "getAuthCode"), settled(2, "getAuthCode", shape="authCode,nonce")],
    ),
    ("refresh_too_early", [loaded(), jwt(1, ONE, 900), asked(899.9)]),
    ("expired_in_sight", [loaded(), jwt(1, ONE, 900)]),
    ("woke_expired", [loaded(), jwt(1, ONE, 300), SLEPT]),
    (
        "code_too_old",
        [
            server(1, FlowStep.CODE_MINTED, code=ONE, life_s=60),
            settled(62, "getAuthCode", code=ONE),
        ],
    ),
    ("redirect_uri_mismatch", [refused("client or redirect_uri differ from the request")]),
    ("verifier_mismatch", [refused("code_verifier does not fit (RFC 7636 section 4.6)")]),
    ("code_spent", [refused("the code was used before: its tokens are revoked")]),
    ("exchange_failed", [bus(1, "Auth.error", message="no")]),
    ("refresh_refused", [bus(1, "Auth.tokenError", message="no")]),
    ("no_refresh_token", [bus(1, "Auth.authenticated", jwt=ONE, exp=90_000, refresh_token=False)]),
    ("tabs_refresh_together", [asked(1), asked(2, OTHER)]),
    ("sign_in_loop", [server(60 * n, FlowStep.SIGN_IN_STARTED) for n in range(4)]),
    ("clock_skew", [at(1, PageStep.PAGE_LOADED, skew_ms=31_000)]),
    ("code_in_address", [at(3, PageStep.ADDRESS_CODE, code=ONE)]),
    (
        "secret_in_storage",
        [at(3, PageStep.STORAGE_SECRET, where="localStorage", key="v", what="verifier")],
    ),
    ("leaves_in_signing_in", [heard(1), left(2)]),
    ("messenger_absent", [checked(genesys=False)]),
    ("messenger_absent", [checked(auth_ready=False)]),
    ("provider_missing", [checked(provider=False, provider_ready=False)]),
    ("provider_never_ready", [checked(provider_ready=False)]),
    ("person_changed", [signed_in(1, "abc"), signed_in(60, "xyz")]),
    ("recording_incomplete", [at(1, PageStep.EVENTS_LOST, count=3)]),
]

INNOCENT: list[tuple[str, Sequence[FlowEvent]]] = [
    (
        "same_code_again",
        [settled(1, "getAuthCode", 1, code=ONE), settled(9, "getAuthCode", 2, code=TWO)],
    ),
    ("never_settled", [loaded(), called(1, "getAuthCode"), left(5)]),
    ("never_settled", [loaded(), called(1, "getAuthCode"), loaded(7)]),
    ("never_settled", [called(1, "signIn"), state(2, "signing-in")]),
    ("registered_inside", [registered("getAuthCode")]),
    ("reauthenticate_without_sign_in", [*ASKED_AGAIN]),
    (
        "reauthenticate_without_sign_in",
        [called(1, "reAuthenticate"), settled(2, "reAuthenticate", shape="nothing"), left(3)],
    ),
    ("reauthenticate_led_nowhere", [*ASKED_AGAIN, jwt(10, ONE, 900)]),
    ("sign_in_failed_untold", [*FAILED_SIGN_IN, published(2, "signInFailed")]),
    ("signed_in_untold", [*WON_SIGN_IN, published(2, "signedIn")]),
    ("auth_data_missing", [called(1, "getAuthCode"), settled(2, "getAuthCode", shape="idToken")]),
    ("refresh_too_early", [loaded(), jwt(1, ONE, 900), asked(899.9), asked(900.3)]),
    ("refresh_too_early", [loaded(), jwt(1, ONE, 900), asked(899.9), jwt(901, TWO, 1800)]),
    ("expired_in_sight", [loaded(), jwt(1, ONE, 900), at(800, PageStep.HIDDEN)]),
    ("expired_in_sight", [loaded(), jwt(1, ONE, 900), bus(850, "Auth.loggedOut")]),
    ("expired_in_sight", [loaded(), jwt(1, ONE, 900), state(901, "halted")]),
    ("expired_in_sight", [loaded(), jwt(1, ONE, 900), jwt(901, TWO, 9_999)]),
    ("woke_expired", [loaded(), jwt(1, ONE, 300), SLEPT, asked(601)]),
    ("woke_expired", [loaded(), jwt(1, ONE, 9_000), SLEPT]),
    (
        "code_too_old",
        [
            server(1, FlowStep.CODE_MINTED, code=ONE, life_s=60),
            settled(50, "getAuthCode", code=ONE),
        ],
    ),
    ("code_spent", [refused("client or redirect_uri differ from the request")]),
    ("exchange_failed", [bus(2, "Auth.error", message="no"), refused("the code was used before")]),
    ("tabs_refresh_together", [asked(1), asked(1.5)]),
    ("tabs_refresh_together", [asked(1), asked(9, OTHER)]),
    ("sign_in_loop", [server(120 * n, FlowStep.SIGN_IN_STARTED) for n in range(4)]),
    ("clock_skew", [at(1, PageStep.PAGE_LOADED, skew_ms=-29_000)]),
    ("clock_skew", [at(1, PageStep.PAGE_LOADED, skew_ms=40_000), at(2, PageStep.BUS, skew_ms=70)]),
    ("leaves_in_signing_in", [bus(1, "Auth.signingIn"), left(2)]),
    ("leaves_in_signing_in", [heard(1), left(30)]),
    ("messenger_absent", [checked()]),
    ("provider_missing", [checked()]),
    ("person_changed", [signed_in(1, "abc"), bus(30, "Auth.loggedOut"), signed_in(60, "xyz")]),
    ("person_changed", [signed_in(1, "abc"), signed_in(60, "abc")]),
]


def codes(events: Sequence[FlowEvent], now_ms: int = NOW) -> list[str]:
    return [one.code for one in findings(events, now_ms=now_ms)]


@pytest.mark.parametrize(("code", "events"), GUILTY, ids=[code for code, _ in GUILTY])
def test_what_is_wrong_is_found_by_its_name(code: str, events: Sequence[FlowEvent]) -> None:
    assert code in codes(events)


@pytest.mark.parametrize(
    ("code", "events"), INNOCENT, ids=[f"{code}-{n}" for n, (code, _) in enumerate(INNOCENT)]
)
def test_what_only_looks_like_it_is_not_found(code: str, events: Sequence[FlowEvent]) -> None:
    assert code not in codes(events)


def test_every_rule_has_a_story_that_it_finds() -> None:
    assert {code for code, _ in GUILTY} == {rule.code for rule in RULES}


def test_an_empty_recording_is_well() -> None:
    assert codes([]) == []


@pytest.mark.parametrize(
    ("events", "too_soon"),
    [
        ([loaded(), called(1, "getAuthCode")], 15_000),
        ([loaded(), jwt(1, ONE, 900)], 905_000),
        (ASKED_AGAIN, 20_000),
        (FAILED_SIGN_IN, 4_000),
    ],
)
def test_what_may_still_come_is_waited_for(events: Sequence[FlowEvent], too_soon: int) -> None:
    assert codes(events, now_ms=too_soon) == []


def test_the_worst_comes_first_and_says_when_it_was() -> None:
    found = findings([asked(1), asked(2, OTHER), *GUILTY[1][1]], now_ms=NOW)

    assert [one.weight.value for one in found] == sorted(
        [one.weight.value for one in found], key=["broken", "risky", "hint"].index
    )
    assert found[0].times == (3_000,)
    assert found[0].seen == "A command was settled after it was settled already, once: signIn."


def test_every_finding_says_why_and_how_to_mend_it() -> None:
    for rule in RULES:
        assert all(len(text) > 20 and text[-1] in ".”" for text in (rule.why, rule.fix)), rule.code
        assert not rule.title.endswith("."), rule.code
