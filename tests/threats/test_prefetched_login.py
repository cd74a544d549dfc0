"""A browser that guesses the next click must not sign anybody in or out."""

import pytest
from bff_rig import BffRig
from security_model import Asset, Attacker, threat


@threat(
    Attacker.STRANGER,
    Asset.SESSION,
    can="Have a browser prefetch the sign-in address: no sign-in starts",
)
@pytest.mark.parametrize(
    "purpose", ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip"]
)
def test_a_guess_starts_no_sign_in(bff: BffRig, purpose: str) -> None:
    response = bff.browser().get("/auth/login", **{"Sec-Purpose": purpose})

    assert response.status_code == 204
    assert "Set-Cookie" not in response.headers


def test_a_fetch_is_told_where_to_go_instead_of_being_sent(bff: BffRig) -> None:
    response = bff.browser().get("/auth/login", **{"Sec-Fetch-Mode": "cors"})

    assert response.status_code == 401
    assert response.get_json()["login_url"] == "http://auth.brand.localhost/auth/login"
