"""What a page reports is let in fact by fact; nothing secret gets past, whatever it sends."""

import base64
import json
from typing import Any

import pytest

from bff.flow_ports import code_mark
from bff.inspector.flow_events import (
    FlowEvent,
    checked_tab,
    distinct,
    salted,
    told,
)
from bff.inspector.redaction import without_secrets

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbWlyYSIsImV4cCI6MTc5NTI0fQ.c2lnbmF0dXJl-_abcdef"
CODE = base64.urlsafe_b64encode(bytes(range(48))).decode()


def report(step: str = "bus", t: Any = 1_000, **facts: Any) -> FlowEvent | None:
    return told({"t": t, "step": step, "facts": facts}, skew_ms=7, tab="aaaa1111")


def facts_of(**facts: Any) -> dict[str, Any]:
    event = report(**facts)
    assert event is not None
    return event.facts


def test_an_event_stands_where_our_clock_says() -> None:
    event = report(event="Auth.ready")

    assert event == FlowEvent(
        at_ms=1_007, step="bus", tab="aaaa1111", facts={"event": "Auth.ready"}
    )


@pytest.mark.parametrize("name", ["message", "reason", "key", "event", "shape", "name", "state"])
@pytest.mark.parametrize(
    "secret",
    [
        JWT,
        CODE,
        f"Bearer {JWT}",
        "amira@example.com",
        f"code={CODE}&state=1",
        "Amira <a@b.example>",
    ],
)
def test_no_text_carries_a_secret_or_an_address(name: str, secret: str) -> None:
    kept = json.dumps(facts_of(**{name: secret}), ensure_ascii=False)

    assert all(part not in kept for part in (JWT, CODE, JWT[:24], CODE[-20:], "@"))
    assert "…" in kept


@pytest.mark.parametrize(
    "facts",
    [
        {"jwt": JWT},
        {"code": CODE},
        {"code": "ABCDEF12"},
        {"exp": JWT},
        {"refresh_token": JWT},
        {"token": "short"},
        {"person": "amira"},
        {"why": "a fact of the server's"},
        {"force": 1},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": 10**20},
        {"message": ["a"]},
    ],
)
def test_a_fact_of_another_form_or_name_does_not_come_in(facts: dict[str, Any]) -> None:
    assert facts_of(**facts) == {}


def test_names_and_prints_come_in_as_they_are() -> None:
    facts = {
        "event": "MessagingService.steppedUpConversation",
        "code": "0a1b2c3d",
        "reason": "messenger_logged_out",
        "shape": "authCode,redirectUri,codeVerifier,nonce,maxAge,iss",
        "exp": 1_795_242_956,
        "force": False,
    }

    assert facts_of(**facts) == facts


@pytest.mark.parametrize(
    "raw",
    [
        {"t": 1, "step": "code_minted", "facts": {}},
        {"t": 1, "step": "session_ended", "facts": {}},
        {"t": "1", "step": "bus", "facts": {}},
        {"t": 1, "step": ["bus"], "facts": {}},
        {"t": 1, "step": "bus", "facts": []},
        {},
    ],
)
def test_a_page_cannot_speak_for_the_server_or_in_another_form(raw: dict[str, Any]) -> None:
    assert told(raw, skew_ms=0, tab="aaaa1111") is None


@pytest.mark.parametrize("name", ["", "zz", "AAAA1111", "<script>", None, 7, "a" * 20])
def test_a_tab_has_a_plain_name(name: object) -> None:
    assert checked_tab(name) is None


def test_long_texts_are_cut() -> None:
    assert len(without_secrets("word " * 100)) <= 120


def test_a_print_says_the_same_code_again_and_only_in_its_own_recording() -> None:
    assert salted(code_mark(CODE), salt="one") == salted(code_mark(CODE), salt="one")
    assert salted(code_mark(CODE), salt="one") != salted(code_mark(CODE), salt="two")
    assert len(salted(code_mark(CODE), salt="one")) == 8


def test_what_a_page_sends_twice_counts_once() -> None:
    first = FlowEvent(at_ms=1, step="bus", tab="aaaa1111", facts={"n": 5})
    again = FlowEvent(at_ms=9, step="bus", tab="aaaa1111", facts={"n": 5})
    elsewhere = FlowEvent(at_ms=9, step="bus", tab="bbbb2222", facts={"n": 5})
    server = FlowEvent(at_ms=3, step="code_minted")

    assert distinct([first, again, server, elsewhere, server]) == [first, server, elsewhere, server]
