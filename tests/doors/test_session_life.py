"""How long a session lasts: used, unused, looked at, and at the most."""

from datetime import datetime, timedelta
from pathlib import Path

from bff_rig import BffRig, Browser, error_of, running_bff

from bff.signin.records import SessionKey

IDLE = timedelta(hours=12)
HOUR = timedelta(hours=1)


def ends(browser: Browser) -> datetime:
    return datetime.fromisoformat(browser.session()["expires_at"])


def test_looking_does_not_extend_a_session(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    end = ends(browser)

    for _ in range(11):
        bff.clock.advance(HOUR)
        assert ends(browser) == end
    bff.clock.advance(HOUR)

    assert not browser.signed_in
    assert error_of(browser.post("/auth/refresh")) == "login_required"


def test_refreshing_extends_it_and_says_until_when(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    bff.clock.advance(11 * HOUR)

    told = datetime.fromisoformat(browser.post("/auth/refresh").get_json()["expires_at"])
    bff.clock.advance(11 * HOUR)

    assert told == ends(browser) == bff.clock.now() + HOUR
    assert browser.signed_in


def test_asking_for_a_code_is_using_it(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    bff.clock.advance(11 * HOUR)

    assert browser.post("/messenger/code").status_code == 200

    assert ends(browser) == bff.clock.now() + IDLE


def test_nothing_extends_it_beyond_the_absolute_limit(tmp_path: Path) -> None:
    with running_bff(tmp_path, BFF_SESSION_ABSOLUTE="86400", BFF_SESSION_IDLE="43200") as bff:
        browser = bff.browser()
        browser.sign_in()
        begun = bff.clock.now()
        for _ in range(23):
            bff.clock.advance(HOUR)
            assert browser.post("/auth/refresh").status_code == 200
        last = ends(browser)
        bff.clock.advance(HOUR)

        assert last == begun + timedelta(days=1)
        assert not browser.signed_in
        assert browser.post("/auth/refresh").status_code == 401
        assert bff.services.book.everyone() == []


def test_a_stranger_learns_where_to_sign_in_and_nothing_else(bff: BffRig) -> None:
    assert set(bff.browser().session()) == {"signed_in", "login_url", "server_now_ms"}


def test_the_page_is_told_who_but_not_by_what_name_anybody_else_knows_them(bff: BffRig) -> None:
    browser, other = bff.browser(), bff.browser()
    browser.sign_in()
    other.sign_in()
    held = bff.services.book.everyone()[0]

    told = browser.session()

    assert (told["name"], told["email"]) == ("Amira Haddad", "amira@example.com")
    assert told["person"] == other.session()["person"]
    assert told["person"] not in {held.person.subject, held.person.pairwise, held.key}
    assert told["server_now_ms"] == int(bff.clock.now().timestamp() * 1000)


def test_a_session_whose_beginning_was_cut_short_is_no_session(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    bff.services.vault.take(SessionKey(bff.key_of(browser)))

    refused = browser.post("/messenger/code")

    assert error_of(refused) == "login_required"
    assert not browser.signed_in
