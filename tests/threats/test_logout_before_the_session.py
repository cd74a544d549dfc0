"""The provider logs somebody out while their sign-in is on its way: redeemed, not yet a session."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bff_rig import BffRig, Browser, fragment_of
from security_model import Asset, Attacker, threat

from bff.errors import TokensRefusedError
from bff.ports import VerifiedIdentity


def after_redeeming(
    bff: BffRig, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[VerifiedIdentity], object]
) -> list[VerifiedIdentity]:
    """Have something happen when the code is redeemed and nothing is written."""
    main = bff.services.providers["main"]
    redeem, seen = main.redeem, []

    def redeemed(*given: Any, **named: Any) -> VerifiedIdentity:
        identity = redeem(*given, **named)
        seen.append(identity)
        meanwhile(identity)
        return identity

    monkeypatch.setattr(main, "redeem", redeemed)
    return seen


def told(bff: BffRig, identity: VerifiedIdentity, *, by: str) -> None:
    claims = identity.claims
    sid = {"sid": claims["sid"]} if by == "sid" else {}
    token = bff.provider.provider.logout_token("brand", subject=claims["sub"], **sid)
    browser = bff.browser()
    answer = browser.client.post("/auth/backchannel-logout", data={"logout_token": token})
    assert answer.status_code == 200


@threat(
    Attacker.NEXT_USER,
    Asset.SESSION,
    can="not get a session of somebody whom the provider has logged out meanwhile: the sign-in is "
    "refused, and its tokens are revoked",
    noticed="`sign_in_failed` in the audit log",
)
@pytest.mark.parametrize("by", ["sid", "sub"])
def test_the_sign_in_is_refused_and_its_tokens_are_dead(
    bff: BffRig, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    browser = bff.browser()
    seen = after_redeeming(bff, monkeypatch, lambda identity: told(bff, identity, by=by))

    answer = browser.sign_in()

    assert "sign_in_denied" in fragment_of(answer)
    assert browser.cookie() is None
    assert bff.services.book.everyone() == []
    with pytest.raises(TokensRefusedError):
        bff.services.providers["main"].renew(seen[0].tokens)


@pytest.mark.parametrize("seconds", [0, 2])
@pytest.mark.parametrize("by", ["sid", "sub"])
def test_the_sign_in_after_that_lives(
    bff: BffRig, monkeypatch: pytest.MonkeyPatch, by: str, seconds: int
) -> None:
    """Even within the same second, and although the provider's own session went on."""
    browser = bff.browser()
    with monkeypatch.context() as once:
        after_redeeming(bff, once, lambda identity: told(bff, identity, by=by))
        browser.sign_in()
    bff.clock.advance(timedelta(seconds=seconds))

    browser.sign_in()

    assert browser.signed_in


@pytest.mark.parametrize("by", ["sid", "sub"])
def test_a_logout_before_the_code_is_redeemed_counts_too(bff: BffRig, by: str) -> None:
    """The person has come back from the provider, and their browser is slow."""
    browser = bff.browser()
    way_back = browser.at_provider(browser.start())
    other = bff.browser()
    other.visitor.http.cookies.update(browser.visitor.http.cookies)
    other.sign_in()
    session = bff.services.book.look_up(bff.key_of(other))  # type: ignore[arg-type]  # as text
    assert session is not None
    sid = session.provider_sid if by == "sid" else None
    token = bff.provider.provider.logout_token("brand", subject=session.person.subject, sid=sid)
    other.client.post("/auth/backchannel-logout", data={"logout_token": token})

    answer = browser.get(way_back)

    assert not other.signed_in
    assert not browser.signed_in
    assert "sign_in_denied" in fragment_of(answer)


def test_the_session_that_the_browser_had_goes_on(
    bff: BffRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = bff.browser()
    browser.sign_in("zoe")
    bff.clock.advance(timedelta(seconds=2))
    browser.visitor.http.cookies.clear()
    after_redeeming(bff, monkeypatch, lambda identity: told(bff, identity, by="sid"))

    browser.sign_in("amira")

    assert browser.signed_in
    assert [s.person.claims["email"] for s in bff.services.book.everyone()] == ["zoe@example.org"]


def test_the_window_beside_the_page_is_told_too(
    bff: BffRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser: Browser = bff.browser()
    opened = browser.post("/auth/transactions", {"surface": "popup", "return_to": "/"}).get_json()
    after_redeeming(bff, monkeypatch, lambda identity: told(bff, identity, by="sid"))

    browser.sign_in(path=opened["url"])

    state = browser.get(f"/auth/transactions/{opened['id']}").get_json()
    assert state == {"status": "failed", "code": "sign_in_denied"}
