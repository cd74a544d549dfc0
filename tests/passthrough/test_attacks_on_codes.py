"""What a stranger, a replay or another provider could do with codes that nobody has redeemed."""

import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bff_rig import BRAND, CSRF, BffRig, Browser, error_of
from passthrough_rig import NAVIGATION, CodePage, running_passthrough

from bff.simulator.provider_faults import Fault

OTHER = {**CSRF, "Origin": "https://evil.example"}


def code_of(answer_path: str) -> str:
    return answer_path.partition("code=")[2].partition("&")[0]


@pytest.fixture
def used(page: CodePage) -> CodePage:
    page.sign_in()
    assert page.ask().status_code == 200
    return page


@pytest.fixture
def mallory(bff: BffRig) -> CodePage:
    """Somebody else, signed in as themselves in another browser."""
    page = CodePage(bff.browser())
    page.sign_in("zoe")
    assert page.ask().status_code == 200
    return page


def way_back(page: CodePage) -> str:
    """Return the path at which a frame of this page would come back with a code."""
    _, path = page.channel()
    out = page.browser.get(path, **NAVIGATION)
    return page.browser.at_provider(out.headers["Location"])


def test_the_answer_to_another_browsers_errand_is_refused(
    used: CodePage, mallory: CodePage
) -> None:
    theirs = way_back(mallory)

    answer = used.browser.get(theirs, **NAVIGATION)

    assert (answer.status_code, error_of(answer)) == (400, "sign_in_attempt_unknown")
    assert used.ask().status_code == 202


def test_a_callback_counts_once(used: CodePage) -> None:
    back = way_back(used)
    used.browser.get(back, **NAVIGATION)

    again = used.browser.get(back, **NAVIGATION)

    assert (again.status_code, error_of(again)) == (400, "sign_in_attempt_unknown")


@pytest.mark.parametrize("fault", [Fault.STATE_WRONG, Fault.STATE_MISSING])
def test_an_answer_without_our_state_brings_nothing(
    bff: BffRig, used: CodePage, fault: Fault
) -> None:
    key, path = used.channel()
    bff.provider.provider.faults.plant(fault)

    answer = used.frame(path)

    assert error_of(answer) == "sign_in_attempt_unknown"
    assert used.ask(transaction=key).status_code == 401


@pytest.mark.parametrize("fault", [Fault.RESPONSE_ISSUER_WRONG, Fault.RESPONSE_ISSUER_MISSING])
def test_a_code_of_a_mixed_up_provider_is_not_handed_on(
    bff: BffRig, used: CodePage, fault: Fault
) -> None:
    key, path = used.channel()
    bff.provider.provider.faults.plant(fault)

    used.frame(path)

    state = used.browser.get(f"/auth/transactions/{key}").get_json()
    assert state == {"status": "failed", "code": "issuer_mismatch"}
    assert used.ask(transaction=key).status_code == 401


def test_a_stolen_transaction_is_worth_nothing(used: CodePage, mallory: CodePage) -> None:
    key, path = used.channel()
    used.frame(path)

    looked = mallory.browser.get(f"/auth/transactions/{key}")
    visited = mallory.browser.get(path, **NAVIGATION)
    taken = mallory.ask(transaction=key)

    assert (looked.status_code, taken.status_code) == (404, 404)
    assert error_of(taken) == "transaction_unknown"
    assert visited.headers["Location"] == "/messenger/silent"
    assert used.ask(transaction=key).status_code == 200


def test_nor_to_another_session_in_the_same_browser(used: CodePage) -> None:
    key, path = used.channel()
    used.frame(path)
    used.browser.visitor.http.cookies.clear()
    used.sign_in("zoe")

    taken = used.ask(transaction=key)

    assert (taken.status_code, error_of(taken)) == (404, "transaction_unknown")


def test_a_frame_goes_out_once(used: CodePage) -> None:
    _, path = used.channel()
    first = used.browser.get(path, **NAVIGATION)

    second = used.browser.get(path, **NAVIGATION)

    assert urlsplit(first.headers["Location"]).path == "/authorize"
    assert second.headers["Location"] == "/messenger/silent"


def test_a_frames_transaction_signs_nobody_in(used: CodePage) -> None:
    key, _ = used.channel()

    answer = used.browser.get(f"/auth/login?transaction={key}", **NAVIGATION)

    assert (answer.status_code, error_of(answer)) == (404, "transaction_unknown")


def test_a_windows_transaction_brings_no_code(used: CodePage) -> None:
    opened = used.browser.post("/auth/transactions", {}).get_json()

    visited = used.browser.get(f"/messenger/authorize?transaction={opened['id']}", **NAVIGATION)
    taken = used.ask(transaction=opened["id"])

    assert visited.headers["Location"] == "/messenger/silent"
    assert taken.status_code == 404


def test_who_signs_out_while_the_frame_is_away_leaves_no_code(used: CodePage) -> None:
    key, path = used.channel()
    out = used.browser.get(path, **NAVIGATION)
    back = used.browser.at_provider(out.headers["Location"])
    used.browser.post("/auth/logout")

    used.browser.get(back, **NAVIGATION)

    state = used.browser.get(f"/auth/transactions/{key}").get_json()
    assert state == {"status": "failed", "code": "login_required"}
    assert used.ask(transaction=key).status_code == 401


def test_a_code_that_waits_is_gone_with_its_session(bff: BffRig, page: CodePage) -> None:
    page.sign_in()
    cookie = str(page.browser.cookie())
    bff.services.sign_out.revoke(bff.key_of(page.browser))  # type: ignore[arg-type]  # a key as text

    page.browser.set_cookie("__Host-bff", cookie)

    assert page.ask().status_code == 401


def test_an_operator_who_ends_a_session_ends_its_frame(bff: BffRig, used: CodePage) -> None:
    _, path = used.channel()
    bff.services.sign_out.revoke(bff.key_of(used.browser))  # type: ignore[arg-type]  # a key as text

    out = used.browser.get(path, **NAVIGATION)

    assert out.headers["Location"] == "/messenger/silent"


@pytest.mark.parametrize("headers", [{}, OTHER, {"Origin": BRAND}, {"X-CSRF": "1"}])
def test_only_our_page_gets_a_code(page: CodePage, headers: dict[str, str]) -> None:
    page.sign_in()

    refused = page.browser.post("/messenger/code", {}, headers=headers)

    assert refused.status_code == 403
    assert page.ask().status_code == 200


def test_a_script_cannot_fetch_what_a_frame_visits(used: CodePage) -> None:
    _, path = used.channel()

    answer = used.browser.get(path, **{"Sec-Fetch-Mode": "cors"})

    assert answer.status_code == 401


@pytest.mark.parametrize("surface", ["redirect", "popup", "modal", "silent"])
def test_no_page_stays_at_an_address_with_a_code(used: CodePage, surface: str) -> None:
    back = way_back(used) if surface == "silent" else chained_back(used, surface)

    answer = used.browser.get(back, **NAVIGATION)

    code = code_of(back)
    assert len(code) > 20
    assert answer.status_code == 303
    assert code not in answer.headers["Location"]
    assert code not in answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


def chained_back(page: CodePage, surface: str) -> str:
    path = "/auth/login"
    if surface != "redirect":
        opened = page.browser.post("/auth/transactions", {"surface": surface}).get_json()
        path = f"/auth/login?transaction={opened['id']}"
    on_the_way = page.browser.sign_in(path=path)
    return page.browser.at_provider(on_the_way.headers["Location"])


def test_no_code_and_no_verifier_is_in_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with running_passthrough(tmp_path, BFF_LOG_LEVEL="DEBUG") as bff:
        page = CodePage(bff.browser())
        page.sign_in()
        handed = [page.ask().get_json(), page.silent_code()]

    secrets = [code[name] for code in handed for name in ("authCode", "codeVerifier", "nonce")]
    assert "began at main" in caplog.text
    assert not [secret for secret in secrets if secret in caplog.text]


def test_what_waits_is_sealed(bff: BffRig, page: CodePage, tmp_path: Path) -> None:
    back = page.browser.at_provider(page.browser.sign_in().headers["Location"])
    page.browser.get(back, **NAVIGATION)

    files = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())

    assert bff.key_of(page.browser).encode() in files
    assert code_of(back).encode() not in files


def test_a_frame_that_comes_back_without_our_cookie_brings_nothing_and_says_so_at_once(
    bff: BffRig, used: CodePage
) -> None:
    key, path = used.channel()
    back = used.browser.at_provider(used.browser.get(path, **NAVIGATION).headers["Location"])
    stranger = Browser(bff.app)

    answer = stranger.get(back, **NAVIGATION)

    state = used.browser.get(f"/auth/transactions/{key}").get_json()
    taken = used.ask(transaction=key)
    assert error_of(answer) == "sign_in_attempt_unknown"
    assert state == {"status": "failed", "code": "interaction_required"}
    assert (taken.status_code, error_of(taken)) == (401, "interaction_required")


def test_a_sign_in_that_comes_back_without_our_cookie_is_refused(
    bff: BffRig, page: CodePage
) -> None:
    back = chained_back(page, "popup")
    stranger = Browser(bff.app)

    answer = stranger.get(back, **NAVIGATION)

    assert error_of(answer) == "sign_in_attempt_unknown"
    assert page.ask().status_code == 202
