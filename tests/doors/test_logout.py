"""Signing out: here first, then at the provider, and back to the page exactly once."""

from datetime import timedelta

import pytest
from bff_rig import BFF, BRAND, SESSION, BffRig, Browser, error_of, query_of
from provider_visitor import hidden_fields

from bff.ports import TokenSet
from bff.signin.revocation_rounds import PAUSE, RevocationRounds
from bff.signin.sign_out import REVOCATION_LIFE, REVOCATIONS
from bff.simulator.provider_faults import Fault

LOGOUT = {"return_to": "/bye?a=1", "origin": "http://shop.brand.localhost"}


def rounds(bff: BffRig) -> RevocationRounds:
    return RevocationRounds(bff.services.sign_out, store=bff.services.store)


def revoked(bff: BffRig) -> int:
    return bff.provider.provider.tally["revocation"]


def signed_in(bff: BffRig, person: str = "amira") -> Browser:
    browser = bff.browser()
    browser.sign_in(person)
    return browser


def test_the_address_names_us_the_session_and_a_registered_way_back(bff: BffRig) -> None:
    browser = signed_in(bff)
    tokens = bff.services.vault.live_tokens(bff.services.book.everyone()[0])

    url = browser.post("/auth/logout", LOGOUT).get_json()["logout_url"]

    sent = query_of(url)
    assert url.startswith(f"{bff.provider.url}/")
    assert sent["client_id"] == "brand"
    assert sent["post_logout_redirect_uri"] == f"{BFF}/auth/logged-out"
    assert sent["id_token_hint"] == tokens.id_token
    assert len(sent["state"]) == 43


def test_the_browser_comes_back_to_the_page_that_asked_and_only_once(bff: BffRig) -> None:
    browser = signed_in(bff)
    url = browser.post("/auth/logout", LOGOUT).get_json()["logout_url"]
    answer = browser.visitor.go(url)
    if not answer.is_redirect:
        answer = browser.visitor.go(answer.url, {**hidden_fields(answer.text), "choice": "yes"})
    way_back = answer.headers["Location"].removeprefix(BFF)

    first = browser.get(way_back)
    again = browser.get(way_back)

    assert first.headers["Location"] == "http://shop.brand.localhost/bye?a=1"
    assert again.headers["Location"] == f"{BRAND}/"


def test_an_unknown_way_back_leads_to_the_site(bff: BffRig) -> None:
    for path in ("/auth/logged-out", "/auth/logged-out?state=" + "x" * 43):
        assert bff.browser().get(path).headers["Location"] == f"{BRAND}/"


def test_the_cookie_goes_and_the_session_with_it(bff: BffRig) -> None:
    browser = signed_in(bff)
    thief = bff.browser()
    thief.set_cookie(SESSION, browser.cookie() or "")

    answer = browser.post("/auth/logout")

    dropped = answer.headers["Set-Cookie"]
    assert dropped.startswith(f"{SESSION}=;")
    assert "Max-Age=0" in dropped
    assert "Secure" in dropped
    assert browser.cookie() is None
    assert not thief.signed_in


def test_signing_out_without_a_session_is_harmless(bff: BffRig) -> None:
    browser = bff.browser()
    browser.set_cookie(SESSION, "A" * 43)

    answer = browser.post("/auth/logout")

    assert (answer.status_code, answer.get_json()) == (200, {"logout_url": None})
    assert f"{SESSION}=;" in answer.headers["Set-Cookie"]
    assert revoked(bff) == 0


def test_signing_out_twice_revokes_once(bff: BffRig) -> None:
    browser = signed_in(bff)

    browser.post("/auth/logout")
    browser.post("/auth/logout")

    assert revoked(bff) == 1


def test_a_bad_way_back_is_refused_before_anything_ends(bff: BffRig) -> None:
    browser = signed_in(bff)

    answer = browser.post("/auth/logout", {"return_to": "//evil.example"})

    assert (answer.status_code, error_of(answer)) == (400, "return_to_refused")
    assert browser.signed_in


def test_the_provider_is_told_when_nobody_can_use_the_session_any_more(
    bff: BffRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(bff)
    key = bff.key_of(browser)
    seen: list[tuple[object, object]] = []
    main = bff.services.providers["main"]
    real = main.revoke

    def looked_at(tokens: TokenSet) -> None:
        book, vault = bff.services.book, bff.services.vault
        seen.append((book.look_up(key), vault.take(key)))  # type: ignore[arg-type]  # a key of ours
        real(tokens)

    monkeypatch.setattr(main, "revoke", looked_at)
    browser.post("/auth/logout")

    assert seen == [(None, None)]
    assert revoked(bff) == 1


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.CUT])
def test_a_provider_that_is_down_keeps_nobody_signed_in_here(bff: BffRig, fault: Fault) -> None:
    browser = signed_in(bff)
    bff.provider.provider.faults.plant(fault, endpoint="revocation")

    answer = browser.post("/auth/logout")

    assert answer.status_code == 200
    assert answer.get_json()["logout_url"].startswith(bff.provider.url)
    assert not browser.signed_in
    assert len(bff.services.store.members(REVOCATIONS)) == 1


def test_what_the_provider_was_not_told_is_told_later_once(bff: BffRig) -> None:
    browser = signed_in(bff)
    bff.provider.provider.faults.plant(Fault.SERVER_ERROR, endpoint="revocation")
    browser.post("/auth/logout")

    while_down = rounds(bff).once()
    kept = bff.services.store.members(REVOCATIONS)
    bff.provider.provider.faults.clear()
    bff.clock.advance(PAUSE)
    before = revoked(bff)
    after = rounds(bff).once()
    bff.clock.advance(PAUSE)
    nothing_left = rounds(bff).once()

    assert (while_down, after, nothing_left) == (0, 1, 0)
    assert len(kept) == 1
    assert revoked(bff) == before + 1
    assert bff.services.store.members(REVOCATIONS) == []


def test_rounds_of_several_processes_stay_apart(bff: BffRig) -> None:
    bff.provider.provider.faults.plant(Fault.SERVER_ERROR, endpoint="revocation", times=1)
    signed_in(bff).post("/auth/logout")

    told = [rounds(bff).once() for _ in range(3)]
    bff.provider.provider.faults.plant(Fault.SERVER_ERROR, endpoint="revocation", times=1)
    signed_in(bff, "zoe").post("/auth/logout")
    too_early = rounds(bff).once()
    bff.clock.advance(PAUSE)
    later = rounds(bff).once()

    assert told == [1, 0, 0]
    assert (too_early, later) == (0, 1)


def test_a_silent_provider_costs_one_question_a_round(
    bff: BffRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    bff.provider.provider.faults.plant(Fault.SERVER_ERROR, endpoint="revocation")
    for person in ("amira", "zoe", "ben"):
        signed_in(bff, person).post("/auth/logout")
    main = bff.services.providers["main"]
    asked: list[TokenSet] = []
    real = main.revoke

    def counted(tokens: TokenSet) -> None:
        asked.append(tokens)
        real(tokens)

    monkeypatch.setattr(main, "revoke", counted)
    rounds(bff).once()

    assert len(asked) == 1
    assert len(bff.services.store.members(REVOCATIONS)) == 3


def test_it_is_given_up_after_a_day(bff: BffRig) -> None:
    bff.provider.provider.faults.plant(Fault.SERVER_ERROR, endpoint="revocation")
    signed_in(bff).post("/auth/logout")
    bff.clock.advance(REVOCATION_LIFE + timedelta(seconds=1))
    bff.provider.provider.faults.clear()
    before = revoked(bff)

    assert rounds(bff).once() == 0
    assert revoked(bff) == before


def test_the_rounds_go_by_themselves(bff: BffRig) -> None:
    bff.provider.provider.faults.plant(Fault.SERVER_ERROR, endpoint="revocation", times=1)
    signed_in(bff).post("/auth/logout")
    # The lease lives on the hand clock and never runs out: one round is all that can happen.
    going = RevocationRounds(
        bff.services.sign_out, store=bff.services.store, every=timedelta(milliseconds=5)
    )
    before = revoked(bff)

    going.start()

    assert bff.provider.provider.tally.wait_for("revocation", before + 1)
    going.stop()


def test_signing_out_from_a_page_that_may_not_is_refused(bff: BffRig) -> None:
    browser = signed_in(bff)

    answer = browser.post(
        "/auth/logout", headers={"X-CSRF": "1", "Origin": "http://evil.localhost"}
    )

    assert (answer.status_code, error_of(answer)) == (403, "origin_refused")
    assert browser.signed_in
