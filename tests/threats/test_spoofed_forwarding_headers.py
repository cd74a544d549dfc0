"""`X-Forwarded-*` is a stranger's word unless the operator named proxies; paths are exact."""

import pytest
from bff_rig import BFF, BffRig
from security_model import Asset, Attacker, threat

SPOOFED = {
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": "host=evil.example",
    "X-Original-URL": "/healthz",
    "X-Rewrite-URL": "/healthz",
}


@threat(
    Attacker.STRANGER,
    Asset.SERVICE,
    can="Send `X-Forwarded-*`: ignored, unless the operator named proxies",
)
def test_spoofed_headers_change_no_address(bff: BffRig) -> None:
    browser = bff.browser()

    session = browser.get("/auth/session", **SPOOFED)
    refused = browser.client.post("/messenger/code", base_url=BFF, headers=SPOOFED)

    assert session.get_json()["login_url"] == f"{BFF}/auth/login"
    assert refused.status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/messenger/code%23/healthz",
        "/healthz/../messenger/code",
        "/messenger/code;/healthz",
        "//messenger/code",
        "/messenger//code",
        "/messenger/%2e%2e/messenger/code",
        "/messenger/code/.",
        "/healthz%2f..%2fmessenger%2fcode",
    ],
)
def test_no_spelling_of_a_path_gets_past_the_guard(bff: BffRig, path: str) -> None:
    browser = bff.browser()
    browser.sign_in()

    response = browser.client.post(path, base_url=BFF)

    assert response.status_code in {308, 403, 404, 405}
    assert "authCode" not in response.text


@pytest.mark.parametrize("agent", ["kube-probe/1.30", "GoogleHC/1.0", "ELB-HealthChecker/2.0"])
def test_a_health_checkers_name_opens_nothing(bff: BffRig, agent: str) -> None:
    response = bff.browser().post(
        "/messenger/code",
        headers={"User-Agent": agent, "X-CSRF": "1", "Origin": "http://www.brand.localhost"},
    )

    assert response.status_code == 401
