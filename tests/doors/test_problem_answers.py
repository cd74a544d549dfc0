"""Every refusal has one shape: JSON for a script, a page for a person, no detail in either."""

import logging
from collections.abc import Iterator

import pytest
from bff_rig import BFF, BRAND, CSRF, BffRig, error_of
from door_rig import FETCH, NAVIGATION, preflight

from bff import errors
from bff.adapters.verified_tokens import KeyUnknownError
from bff.simulator.provider_faults import Fault
from bff.web.problems import STATUS, status_of


def tree(root: type[errors.BffError]) -> Iterator[type[errors.BffError]]:
    for branch in root.__subclasses__():
        yield branch
        yield from tree(branch)


EVERY_ERROR: list[type[errors.BffError]] = [
    error for error in tree(errors.BffError) if error.__module__ == errors.__name__
]


@pytest.mark.parametrize("error", EVERY_ERROR)
def test_every_error_has_a_status_of_its_own_choice(error: type[errors.BffError]) -> None:
    assert 400 <= STATUS[error] < 600


def test_a_kind_of_another_error_is_answered_like_it() -> None:
    """An ID token with a key that nobody knows, twice in a row, was a fault of ours (500)."""
    error = KeyUnknownError("signed with a key that we do not know yet")

    assert status_of(error) == STATUS[errors.ProviderAnswerError]


def test_codes_are_unique_and_sentences_are_for_people() -> None:
    everything: list[type[errors.BffError]] = [errors.BffError, *EVERY_ERROR]

    assert len({error.code for error in everything}) == len(everything)
    assert all(error.code.replace("_", "").islower() for error in everything)
    assert all(error.message.endswith(".") for error in everything)


def test_the_table_names_no_error_that_is_gone() -> None:
    assert set(STATUS) == set(EVERY_ERROR)


def test_a_script_gets_json_and_never_a_redirect(bff: BffRig) -> None:
    for method, path in (("GET", "/auth/login"), ("POST", "/messenger/code")):
        answer = bff.app.test_client().open(path, method=method, base_url=BFF, headers=CSRF)

        assert answer.status_code == 401, path
        assert answer.get_json() == {
            "code": "login_required",
            "message": "You are not signed in. Please sign in to continue.",
            "login_url": f"{BFF}/auth/login",
        }


def test_a_person_gets_a_page_with_a_way_on(bff: BffRig) -> None:
    answer = bff.browser().get("/auth/callback?state=unknown&code=x", **NAVIGATION)

    assert answer.status_code == 400
    assert answer.mimetype == "text/html"
    assert error_of(answer) == "sign_in_attempt_unknown"
    assert "<h1>This did not work</h1>" in answer.text
    assert f'href="{BRAND}/"' in answer.text
    assert f'href="{BFF}/auth/login"' in answer.text
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("headers", "page"),
    [
        ({"Sec-Fetch-Mode": "navigate"}, True),
        ({"Sec-Fetch-Mode": "cors", "Accept": "text/html"}, False),
        ({"Accept": "text/html,*/*;q=0.8"}, True),
        ({"Accept": "*/*"}, False),
        ({}, False),
    ],
)
def test_who_is_looking_is_told_by_the_browser(
    bff: BffRig, headers: dict[str, str], page: bool
) -> None:
    answer = bff.browser().get("/nowhere", **headers)

    assert answer.status_code == 404
    assert (answer.mimetype == "text/html") is page
    assert error_of(answer) == "not_found"


@pytest.mark.parametrize("headers", [NAVIGATION, FETCH])
def test_a_fault_of_ours_shows_nothing_of_itself(
    bff: BffRig,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    headers: dict[str, str],
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("the-inner-detail")

    monkeypatch.setattr(bff.services.book, "find", broken)
    with caplog.at_level(logging.ERROR):
        answer = bff.browser().get("/auth/session", **headers)

    assert (answer.status_code, error_of(answer)) == (500, "internal_error")
    assert "the-inner-detail" not in answer.text
    assert "Traceback" not in answer.text
    assert "the-inner-detail" in caplog.text


def test_a_wrong_method_names_the_right_ones(bff: BffRig) -> None:
    answer = bff.browser().get("/auth/refresh")

    assert (answer.status_code, error_of(answer)) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_a_body_that_is_too_large_is_refused_unread(bff: BffRig) -> None:
    answer = bff.browser().post("/auth/logout", {"return_to": "/" + "x" * 70_000})

    assert (answer.status_code, error_of(answer)) == (413, "request_too_large")


@pytest.mark.parametrize("body", ["[]", "nonsense", '"text"', '{"return_to": 1}'])
def test_a_body_of_another_shape_is_refused(bff: BffRig, body: str) -> None:
    answer = bff.app.test_client().post(
        "/auth/logout",
        base_url=BFF,
        data=body,
        headers={**CSRF, "Content-Type": "application/json"},
    )

    assert (answer.status_code, error_of(answer)) == (400, "request_refused")


def test_a_provider_that_is_down_is_a_page_that_says_when_to_come_back(bff: BffRig) -> None:
    bff.provider.provider.faults.plant(Fault.UNAVAILABLE, endpoint="discovery")

    answer = bff.browser().get("/auth/login", **NAVIGATION)

    assert (answer.status_code, error_of(answer)) == (503, "provider_unavailable")
    assert "<h1>Please try again in a moment</h1>" in answer.text
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault.NONCE_WRONG, 502, "provider_answer_invalid"),
        (Fault.SIGNATURE_BAD, 502, "provider_answer_invalid"),
        (Fault.RESPONSE_ISSUER_WRONG, 400, "issuer_mismatch"),
    ],
)
def test_an_answer_of_the_provider_that_is_not_believed_stays_on_a_page_of_ours(
    bff: BffRig, fault: Fault, status: int, code: str
) -> None:
    browser = bff.browser()
    bff.provider.provider.faults.plant(fault)

    answer = browser.get(browser.at_provider(browser.start()), **NAVIGATION)

    assert (answer.status_code, error_of(answer)) == (status, code)
    assert not browser.signed_in


@pytest.mark.parametrize("error", ["access_denied", "server_error", "login_required", "x" * 500])
def test_a_cancelled_sign_in_goes_back_to_the_page_with_a_code_of_ours(
    bff: BffRig, error: str
) -> None:
    browser = bff.browser()
    bff.provider.provider.faults.plant(Fault.AUTHORIZE_ERROR, value=error)

    answer = browser.get(browser.at_provider(browser.start()), **NAVIGATION)

    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{BRAND}/orders#messenger-auth-error=sign_in_denied"


def test_what_a_stranger_sends_is_not_repeated_to_the_person(bff: BffRig) -> None:
    answer = bff.browser().get("/auth/login?provider=<script>alert(1)</script>", **NAVIGATION)

    assert answer.status_code == 404
    assert "alert(1)" not in answer.text


def test_a_page_on_the_list_may_send_our_header_with_cookies(bff: BffRig) -> None:
    answer = preflight(bff, "/messenger/code")

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == BRAND
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Access-Control-Allow-Headers"].lower() == "content-type, x-csrf"
    assert answer.headers["Access-Control-Max-Age"] == "600"
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "http://www.brand.localhost.evil.example",
        "http://wwwxbrand.localhost",
        "https://www.brand.localhost",
        "http://www.brand.localhost:81",
        "null",
    ],
)
def test_any_other_page_is_allowed_nothing(bff: BffRig, origin: str) -> None:
    answer = preflight(bff, "/messenger/code", origin=origin)

    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_refusal_can_be_read_by_the_page_that_asked(bff: BffRig) -> None:
    answer = bff.browser().post("/messenger/code")

    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == BRAND
    assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"


def test_too_many_sign_ins_are_told_when_to_come_back(bff: BffRig) -> None:
    browser = bff.browser()
    for _ in range(30):
        browser.start()

    answer = browser.get("/auth/login", **NAVIGATION)

    assert (answer.status_code, error_of(answer)) == (429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_whoever_names_no_origin_is_told_of_none(bff: BffRig) -> None:
    assert "Access-Control-Allow-Origin" not in bff.browser().get("/auth/session").headers
