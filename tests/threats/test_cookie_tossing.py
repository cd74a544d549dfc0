"""A sibling subdomain cannot plant or shadow our cookies."""

import pytest
from bff_rig import BROWSER, SESSION, BffRig, error_of, running_bff
from security_model import Asset, Attacker, threat


@threat(
    Attacker.STRANGER,
    Asset.SESSION,
    can="Plant a cookie from a sibling subdomain: refused, neither one is believed",
    noticed="`cookie_conflict`",
)
@pytest.mark.parametrize("name", [SESSION, BROWSER])
def test_two_cookies_of_one_name_are_refused(bff: BffRig, name: str) -> None:
    # Without a jar of its own the client sends the header as it is.
    client = bff.app.test_client(use_cookies=False)
    double = f"{name}={'A' * 43}; {name}={'B' * 43}"
    path = "/auth/session" if name == SESSION else "/auth/login"

    response = client.get(path, base_url="http://auth.brand.localhost", headers={"Cookie": double})

    assert (response.status_code, error_of(response)) == (400, "cookie_conflict")


def test_cookies_are_host_only_secure_and_out_of_reach(bff: BffRig) -> None:
    browser = bff.browser()
    started = browser.get("/auth/login")
    finished = browser.get(browser.at_provider(started.headers["Location"]))

    lax, strict = started.headers["Set-Cookie"], finished.headers["Set-Cookie"]

    for cookie in (lax, strict):
        assert cookie.startswith("__Host-")
        assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
    assert "SameSite=Lax" in lax
    assert "SameSite=Strict" in strict


def test_a_cookie_without_the_prefix_is_no_session(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    thief = bff.browser()

    thief.set_cookie("bff", browser.cookie() or "")

    assert not thief.signed_in


def test_pages_of_another_site_get_a_partitioned_cookie(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running_bff(tmp_path_factory.mktemp("cross"), BFF_CROSS_SITE="true") as bff:
        response = bff.browser().sign_in()

    assert {"SameSite=None", "Partitioned", "Secure"} <= set(
        response.headers["Set-Cookie"].split("; ")
    )
