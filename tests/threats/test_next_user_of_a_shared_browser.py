"""The next user of a shared computer signs in: what the one before had must be dead by then."""

from datetime import timedelta

import pytest
from bff_rig import BROWSER, SESSION, BffRig, Browser
from security_model import Asset, Attacker, threat

from bff.errors import CodeRefusedError, TokensRefusedError
from bff.ports import TokenSet
from bff.signin.records import BrowserSession


def tokens_of(bff: BffRig, browser: Browser) -> tuple[BrowserSession, TokenSet]:
    session = bff.services.book.look_up(bff.key_of(browser))  # type: ignore[arg-type]  # as text
    assert session is not None
    return session, bff.services.vault.live_tokens(session)


@threat(
    Attacker.NEXT_USER,
    Asset.TOKENS,
    can="not use the earlier user's refresh token, nor their session cookie: both die with the "
    "new sign-in",
    noticed="`session_revoked` by `other_user` in the audit log",
)
@pytest.mark.parametrize("remembered", [True, False])
@pytest.mark.parametrize("person", ["zoe", "amira"])
def test_the_earlier_refresh_token_is_dead_at_the_provider(
    bff: BffRig, person: str, remembered: bool
) -> None:
    browser = bff.browser()
    browser.sign_in("amira")
    cookie = browser.cookie()
    _, tokens = tokens_of(bff, browser)
    bff.clock.advance(timedelta(minutes=1))
    if not remembered:
        # The cookie that ties sign-ins to a browser lives for minutes.
        browser.client.delete_cookie(BROWSER, domain="auth.brand.localhost")

    browser.sign_in(person)

    thief = bff.browser()
    thief.set_cookie(SESSION, cookie or "")
    assert not thief.signed_in
    with pytest.raises(TokensRefusedError):
        bff.services.providers["main"].renew(tokens)
    assert browser.signed_in
    assert len(bff.services.book.everyone()) == 1
    tokens_of(bff, browser)


@threat(
    Attacker.NEXT_USER,
    Asset.SESSION,
    can="not leave or find a forgotten session: of several sign-ins that were started in one "
    "browser, the last one alone lives",
)
def test_sign_ins_that_overlap_in_one_browser_leave_one_session(bff: BffRig) -> None:
    browser = bff.browser()
    ways = [browser.start() for _ in range(3)]
    cookies = []
    for way, person in zip(ways, ("amira", "amira", "zoe"), strict=True):
        browser.visitor.http.cookies.clear()
        browser.get(browser.at_provider(way, person))
        cookies.append(browser.cookie())

    (left,) = bff.services.book.everyone()
    assert left.person.claims["email"].startswith("zoe")
    assert bff.provider.provider.tally["revocation"] == 2
    assert len(set(cookies)) == 3


def test_another_browser_of_the_same_person_is_left_alone(bff: BffRig) -> None:
    laptop, phone = bff.browser(), bff.browser()
    laptop.sign_in()
    phone.sign_in()

    phone.sign_in()

    assert laptop.signed_in
    assert phone.signed_in
    assert len(bff.services.book.everyone()) == 2


@threat(
    Attacker.NEXT_USER,
    Asset.TOKENS,
    can="not redeem a code that was minted for the earlier user",
)
def test_a_code_of_the_earlier_user_dies_with_their_session(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in("amira")
    minted = bff.services.broker.mint(bff.key_of(browser))

    browser.sign_in("zoe")

    with pytest.raises(CodeRefusedError):
        bff.services.broker.redeem(
            minted.code,
            client_id="genesys",
            redirect_uri=minted.redirect_uri,
            code_verifier=minted.code_verifier,
        )
