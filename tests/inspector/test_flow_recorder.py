"""What the server writes into a recording, whose it is, and what never reaches it."""

import json
from pathlib import Path
from typing import Any

import pytest
from bff_rig import BROWSER, SESSION, BffRig, Browser, query_of, running_bff
from op_visitor import OpVisitor

from bff.errors import StoreDownError
from bff.simulator.provider_faults import Fault
from bff.web.cookies import RECORDING


@pytest.fixture
def op(tmp_path: Path) -> Any:
    """A relying party, and a signed-in browser that is recorded."""
    with running_bff(tmp_path, BFF_INSPECTOR="everybody") as bff:
        visitor = OpVisitor(bff)
        assert visitor.browser.post("/inspector/start", {}).status_code == 201
        yield visitor


def told(browser: Browser) -> dict[str, Any]:
    (found,) = browser.get("/inspector/recordings").get_json()["recordings"]
    answer: dict[str, Any] = browser.get(f"/inspector/recordings/{found['id']}").get_json()
    return answer


def steps(browser: Browser) -> list[str]:
    return [one["step"] for one in told(browser)["events"]]


def test_a_sign_in_is_told_from_its_beginning_to_its_end(everybody: BffRig) -> None:
    browser = everybody.browser()
    browser.post("/inspector/start", {})

    browser.sign_in()
    browser.post("/auth/logout")

    assert steps(browser) == ["sign_in_started", "tokens_kept", "sign_in_finished", "session_ended"]
    assert told(browser)["events"][-1]["facts"]["reason"] == "signed_out"


def test_a_sign_in_that_fails_is_told_with_its_public_code(everybody: BffRig) -> None:
    browser = everybody.browser()
    browser.post("/inspector/start", {})
    answer = browser.at_provider(browser.start())
    everybody.provider.provider.faults.plant(Fault.CUT, times=9)

    browser.get(answer)

    failed = told(browser)["events"][-1]
    assert failed["words"] == "The sign-in failed: provider_unavailable"
    assert failed["level"] == "bad"


def test_what_genesys_does_with_a_code_is_told_in_the_browsers_recording(op: OpVisitor) -> None:
    form = op.code_form()
    op.token(form)
    op.token(form)
    op.token(form)

    events = told(op.browser)["events"]

    assert [one["step"] for one in events] == [
        "code_minted",
        "code_redeemed",
        "code_refused",
        "code_refused",
    ]
    assert len({one["facts"]["code"] for one in events}) == 1
    assert "used before" in events[2]["facts"]["why"]
    assert "code_spent" in [one["code"] for one in told(op.browser)["findings"]]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"redirect_uri": "http://elsewhere.example/"}, "redirect_uri_mismatch"),
        ({"code_verifier": "x" * 43}, "verifier_mismatch"),
    ],
)
def test_why_a_code_is_refused_is_found(
    op: OpVisitor, change: dict[str, str], finding: str
) -> None:
    op.token(op.code_form(**change))

    assert [one["code"] for one in told(op.browser)["findings"]] == [finding]


def test_a_refresh_by_genesys_is_told_and_one_that_is_refused(op: OpVisitor) -> None:
    first = op.tokens()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    op.token(form)
    op.browser.post("/auth/logout")
    op.token({**form, "refresh_token": first["refresh_token"]})

    seen = steps(op.browser)

    assert seen[-3:] == ["genesys_refreshed", "session_ended", "genesys_refresh_refused"]


def test_another_browsers_flow_is_in_no_recording_but_its_own(everybody: BffRig) -> None:
    watched, other = everybody.browser(), everybody.browser()
    watched.post("/inspector/start", {})

    other.sign_in("zoe")
    other.post("/messenger/code")

    assert steps(watched) == []


def test_a_store_that_is_away_costs_nobody_their_sign_in(
    everybody: BffRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = everybody.browser()
    browser.post("/inspector/start", {})
    house = everybody.services.inspector
    assert house is not None

    def away(*_: object, **__: object) -> None:
        raise StoreDownError("told so")

    monkeypatch.setattr(type(house.shelf), "look_up", away)
    browser.sign_in()

    assert browser.signed_in


def test_a_whole_day_leaves_no_secret_and_no_name_in_the_recording(op: OpVisitor) -> None:
    bff, browser = op.bff, op.browser
    url = browser.start()
    answer = browser.at_provider(url)
    browser.get(answer)
    (session,) = bff.services.book.everyone()
    vault = bff.services.vault.live_tokens(session)
    tokens = op.tokens()
    again = op.token({"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})
    cookies = [browser.cookie(name) for name in (SESSION, BROWSER, RECORDING)]
    browser.post("/auth/logout")

    (found,) = browser.get("/inspector/recordings").get_json()["recordings"]
    export = browser.get(f"/inspector/recordings/{found['id']}/export").text
    listed = browser.get("/inspector/recordings").text
    page = browser.get("/inspector").text

    assert len(json.loads(export)["events"]) >= 8
    secrets = [
        *cookies,
        *(query_of(answer)[name] for name in ("code", "state")),
        query_of(url)["nonce"],
        *(op.minted[name] for name in ("authCode", "codeVerifier", "nonce")),
        *(tokens[name] for name in ("access_token", "refresh_token", "id_token")),
        *(again.get_json()[name] for name in ("access_token", "refresh_token", "id_token")),
        *(vault.access_token, vault.refresh_token, vault.id_token),
        session.key,
        session.person.pairwise,
        session.person.subject,
        *("amira@example.com", "Amira", "Haddad"),
    ]
    for secret in secrets:
        assert secret
        for place in (export, listed, page):
            assert secret not in place
            assert secret[:16] not in place
