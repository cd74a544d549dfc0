"""No token, code, verifier, cookie or secret reaches a log, however much is logged."""

import logging
from datetime import timedelta

import pytest
from bff_rig import BROWSER, BffRig, query_of
from security_model import Asset, Attacker, threat

from bff.simulator.provider_faults import Fault


@threat(
    Attacker.STRANGER,
    Asset.TOKENS,
    can="Read the logs at any level: no token, code, verifier, cookie or secret is in them",
)
def test_a_whole_day_leaves_no_secret_in_the_log(
    bff: BffRig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    browser = bff.browser()
    url = browser.start()
    answer = browser.at_provider(url)
    browser.get(answer)
    session = bff.services.book.everyone()[0]
    first = bff.services.vault.live_tokens(session)
    minted = browser.post("/messenger/code").get_json()
    bff.clock.advance(timedelta(minutes=15))
    browser.post("/auth/refresh")
    second = bff.services.vault.live_tokens(session)
    bff.provider.provider.faults.plant(Fault.CUT, times=1)
    bff.clock.advance(timedelta(minutes=15))
    browser.post("/auth/refresh")
    cookies = [browser.cookie(), browser.cookie(BROWSER)]
    browser.get(answer)
    browser.post("/auth/logout")

    secrets = [
        *cookies,
        query_of(answer)["code"],
        query_of(url)["state"],
        query_of(url)["nonce"],
        minted["authCode"],
        minted["codeVerifier"],
        *(tokens.access_token for tokens in (first, second)),
        *(tokens.refresh_token for tokens in (first, second)),
        *(tokens.id_token for tokens in (first, second)),
        bff.settings.providers["main"].client_secret.get_secret_value(),
        bff.settings.genesys_client_secret.get_secret_value(),
        bff.settings.master_key.get_secret_value(),
    ]
    ours = [r for r in caplog.records if not r.name.startswith(("werkzeug", "bff.simulator"))]
    written = "\n".join(record.getMessage() + str(record.exc_info or "") for record in ours)
    assert ours
    for secret in secrets:
        assert secret
        assert secret not in written


def test_the_objects_that_hold_secrets_do_not_show_them(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    session = bff.services.book.everyone()[0]
    tokens = bff.services.vault.live_tokens(session)

    shown = repr(tokens) + repr(bff.settings) + repr(bff.services.broker.mint(session.key))

    assert tokens.access_token not in shown
    assert (tokens.refresh_token or "-") not in shown
    assert bff.settings.genesys_client_secret.get_secret_value() not in shown
