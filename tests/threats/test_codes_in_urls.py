"""A code for Genesys is in a JSON body and nowhere else: no URL, no cache, no referrer."""

from bff_rig import BffRig
from security_model import Asset, Attacker, threat


@threat(
    Attacker.STRANGER,
    Asset.TOKENS,
    can="Read addresses, caches and referrers: no code for Genesys is ever in one",
)
def test_a_minted_code_travels_in_the_body_alone(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()

    response = browser.post("/messenger/code")

    code = response.get_json()["authCode"]
    assert code not in str(response.headers)
    assert code not in response.get_json()["redirectUri"]
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_the_page_comes_back_to_a_clean_address(bff: BffRig) -> None:
    browser = bff.browser()

    response = browser.sign_in(path="/auth/login?return_to=/orders?id=7")

    assert response.headers["Location"] == "http://www.brand.localhost/orders?id=7"
