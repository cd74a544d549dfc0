"""Nothing changes by a request that another site can make a browser send."""

import re

import pytest
from bff_rig import BFF, BRAND, BffRig, error_of
from security_model import Asset, Attacker, threat

from bff.web.guard import SAFE_METHODS, SERVER_TO_SERVER

GOOD = {"X-CSRF": "1", "Origin": BRAND}
FORGED = [
    ({"Origin": BRAND}, "csrf_header_missing"),
    ({"Origin": BRAND, "X-CSRF": "0"}, "csrf_header_missing"),
    ({"X-CSRF": "1"}, "origin_refused"),
    ({"X-CSRF": "1", "Origin": "null"}, "origin_refused"),
    ({"X-CSRF": "1", "Origin": "https://evil.example"}, "origin_refused"),
    ({"X-CSRF": "1", "Origin": BRAND + ".evil.example"}, "origin_refused"),
    ({"X-CSRF": "1", "Origin": BRAND.replace("http", "https")}, "origin_refused"),
    ({"X-CSRF": "1", "Referer": BRAND + "/"}, "origin_refused"),
]


def changing_doors(bff: BffRig) -> list[tuple[str, str]]:
    """Return each path and method of the application that may change something."""
    return [
        (re.sub(r"<[^>]+>", "x", rule.rule), method)
        for rule in bff.app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - SAFE_METHODS)
        if rule.endpoint not in SERVER_TO_SERVER
    ]


def test_there_are_doors_to_guard(bff: BffRig) -> None:
    assert {path for path, _ in changing_doors(bff)} >= {
        "/messenger/code",
        "/auth/logout",
        "/auth/refresh",
        "/auth/transactions",
    }


@threat(
    Attacker.STRANGER,
    Asset.SESSION,
    can="Make a browser send a request from another site: nothing changes",
    noticed="`origin_refused` or `csrf_header_missing`",
)
@pytest.mark.parametrize(("headers", "code"), FORGED)
def test_every_door_refuses_what_a_stranger_could_send(
    bff: BffRig, headers: dict[str, str], code: str
) -> None:
    browser = bff.browser()
    browser.sign_in()

    for path, method in changing_doors(bff):
        response = browser.client.open(path, method=method, base_url=BFF, headers=headers)
        assert (response.status_code, error_of(response)) == (403, code), path

    assert browser.signed_in


def test_the_same_requests_from_our_page_are_let_in(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()

    response = browser.client.post("/auth/refresh", base_url=BFF, headers=GOOD)

    assert response.status_code == 200


def test_nothing_changes_by_looking(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()

    for path in ("/auth/logout", "/messenger/code", "/auth/refresh", "/auth/transactions"):
        assert browser.get(path).status_code in {404, 405}, path

    assert browser.signed_in


def test_only_listed_origins_may_read_answers(bff: BffRig) -> None:
    browser = bff.browser()

    ours = browser.get("/auth/session", Origin=BRAND)
    foreign = browser.get("/auth/session", Origin="https://evil.example")

    assert ours.headers["Access-Control-Allow-Origin"] == BRAND
    assert ours.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Access-Control-Allow-Origin" not in foreign.headers


def test_a_preflight_of_a_stranger_is_not_answered_with_leave(bff: BffRig) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-csrf"}

    ours = bff.browser().client.options(
        "/messenger/code", base_url=BFF, headers={"Origin": BRAND, **asked}
    )
    foreign = bff.browser().client.options(
        "/messenger/code", base_url=BFF, headers={"Origin": "https://evil.example", **asked}
    )

    assert "x-csrf" in ours.headers["Access-Control-Allow-Headers"].lower()
    assert "Access-Control-Allow-Origin" not in foreign.headers
