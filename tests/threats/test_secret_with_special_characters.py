"""RFC 6749 section 2.3.1: a secret with any characters in it proves the same client both ways."""

from dataclasses import replace
from pathlib import Path

import pytest
from bff_rig import CLIENT, running_bff

SECRET = "a+b%2Bc d:e&f=g/ü-0123456789"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_secret_full_of_signs_signs_people_in_and_out(tmp_path: Path, method: str) -> None:
    secret = {
        "BFF_PROVIDERS__MAIN__CLIENT_SECRET": SECRET,
        "BFF_PROVIDERS__MAIN__TOKEN_AUTH": method,
    }
    with running_bff(tmp_path, secret) as bff:
        provider = bff.provider.provider
        provider.register(replace(CLIENT, client_secret=SECRET))
        browser = bff.browser()

        browser.sign_in()
        assert browser.signed_in
        browser.post("/auth/logout")

        assert provider.tally["tokens_revoked"] == 1
