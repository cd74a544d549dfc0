"""A sign-in that is begun elsewhere, or twice at once: no earlier session is left behind."""

import re
from html import unescape
from pathlib import Path
from typing import Final

import pytest
from bff_rig import BFF, BROWSER, SESSION, BffRig, Browser, query_of, running_bff
from security_model import Asset, Attacker, threat
from werkzeug.test import TestResponse

LINK: Final = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
OURS: Final = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}


class StrictBrowser(Browser):
    """Keeps `SameSite=Strict` cookies back where another site's page leads to us."""

    def by_link(self, path: str, **headers: str) -> TestResponse:
        """Follow a link on another site."""
        kept = self.cookie()
        self.client.delete_cookie(SESSION, domain="auth.brand.localhost")
        try:
            return self.get(path, **{**LINK, **headers})
        finally:
            if kept is not None:
                self.set_cookie(SESSION, kept)

    def come_back(self, path: str) -> TestResponse:
        """Come back from the provider, which is another site."""
        return self.by_link(path)


def onward(page: TestResponse) -> str:
    """Return where a page of ours leads by itself, as a browser reads it."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', page.text)
    assert found is not None, page.text
    return unescape(found[1]).removeprefix(BFF)


def clicked(page: TestResponse) -> str:
    found = re.search(r'<a class="action primary" href="([^"]*)"', page.text)
    assert found is not None, page.text
    return unescape(found[1]).removeprefix(BFF)


@pytest.fixture
def browser(bff: BffRig) -> StrictBrowser:
    return StrictBrowser(bff.app)


def signed_in_by_link(browser: StrictBrowser, person: str) -> TestResponse:
    """Sign in from a link on another site, the whole way."""
    page = browser.by_link("/auth/login?return_to=/orders")
    started = browser.get(onward(page), **OURS)
    browser.visitor.http.cookies.clear()
    back = browser.at_provider(started.headers["Location"], person)
    kept = browser.cookie()
    answer = browser.come_back(back)
    # What came with the answer is the newer one.
    fresh = answer.headers["Set-Cookie"].partition(f"{SESSION}=")[2].partition(";")[0]
    assert fresh != kept
    browser.set_cookie(SESSION, fresh)
    return answer


@threat(
    Attacker.NEXT_USER,
    Asset.SESSION,
    can="sign in by a link on another site, but not leave the session of whoever was there before "
    "alive: it ends as at a sign-out",
    noticed="the earlier session's pages are told `signed_out`; the audit log has its end",
)
def test_whoever_signs_in_by_a_link_ends_the_session_that_was_there(
    bff: BffRig, browser: StrictBrowser
) -> None:
    browser.sign_in("amira")
    before = bff.key_of(browser)

    answer = signed_in_by_link(browser, "zoe")

    assert answer.headers["Location"] == "http://www.brand.localhost/orders"
    assert [one.person.name for one in bff.services.book.everyone()] == ["Zoë Łukasik"]
    assert bff.services.book.look_up(before) is None  # type: ignore[arg-type]  # a key as text
    assert bff.services.store.get(f"vault:{before}") is None


def test_a_sign_out_then_leaves_nobody(bff: BffRig, browser: StrictBrowser) -> None:
    browser.sign_in("amira")
    signed_in_by_link(browser, "amira")

    browser.post("/auth/logout")

    assert bff.services.book.everyone() == []


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "?return_to=/orders",
        "?return_to=%2Forders%3Fa%3D1%26b%3D%2520%23x&origin=http%3A%2F%2Fshop.brand.localhost",
        "?return_to=/a%22%3E%3Cscript%3E&prompt=login&surface=redirect",
        "?x=%26amp;&return_to=/%C3%A9",
    ],
)
def test_what_was_asked_for_is_asked_for_again_to_the_letter(
    browser: StrictBrowser, query: str
) -> None:
    path = onward(browser.by_link(f"/auth/login{query}"))

    kept, _, mark = path.rpartition("from_here=")
    assert kept.rstrip("?&") == f"/auth/login{query}".rstrip("?")
    assert re.fullmatch(r"[\w-]{22}", mark)


@pytest.mark.parametrize(
    "path", ['/auth/login?a="><script>x</script>', "/auth/login?a='", "/auth/login?\u00e9=<>"]
)
def test_nothing_of_the_address_becomes_markup(browser: StrictBrowser, path: str) -> None:
    page = browser.by_link(path)

    assert "<script" not in page.text
    assert onward(page) == clicked(page)
    assert not set("\"'<> ") & set(re.sub("%..", "", onward(page).replace("'", "")))


def test_the_page_leads_to_us_whatever_the_request_says_about_us(bff: BffRig) -> None:
    page = bff.browser().client.get(
        "/auth/login?return_to=//evil.example/", base_url="http://evil.example", headers=LINK
    )

    assert f"url={BFF}/auth/login?" in page.text
    assert "http://evil.example" not in page.text


def test_it_leads_there_once(browser: StrictBrowser) -> None:
    path = onward(browser.by_link("/auth/login"))

    again = browser.by_link(path)

    assert again.status_code == 303


@pytest.mark.parametrize("mark", ["", "1", "x" * 22, "%00"])
def test_a_link_that_brings_a_mark_of_its_own_skips_nothing(
    browser: StrictBrowser, mark: str
) -> None:
    page = browser.by_link(f"/auth/login?return_to=/orders&from_here={mark}")

    # Not by itself: a browser without cookies would go round for ever.
    assert (page.status_code, "refresh" in page.text) == (200, False)
    started = browser.by_link(clicked(page))
    assert clicked(page).count("from_here") == 1
    assert started.status_code == 303


def test_nor_does_a_mark_that_another_browser_was_given(
    bff: BffRig, browser: StrictBrowser
) -> None:
    theirs = onward(StrictBrowser(bff.app).by_link("/auth/login"))

    page = browser.by_link(theirs)

    assert page.status_code == 200


def test_nobody_is_signed_in_or_out_by_the_page_itself(browser: StrictBrowser) -> None:
    browser.sign_in("amira")

    page = browser.by_link("/auth/login")

    assert browser.signed_in
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert [one.partition("=")[0] for one in page.headers.getlist("Set-Cookie")] == [BROWSER]


@pytest.mark.parametrize("site", ["same-origin", "same-site", "none", None])
def test_who_comes_from_here_goes_straight_on(browser: StrictBrowser, site: str | None) -> None:
    headers = {} if site is None else {"Sec-Fetch-Site": site}

    assert browser.get("/auth/login", **headers).status_code == 303


def test_so_does_whoever_brings_their_session_along(browser: StrictBrowser) -> None:
    browser.sign_in("amira")

    assert browser.get("/auth/login", **LINK).status_code == 303


def test_and_a_frame_whose_cookie_would_be_kept_back_again(browser: StrictBrowser) -> None:
    assert browser.by_link("/auth/login", **{"Sec-Fetch-Dest": "iframe"}).status_code == 303


def test_where_cookies_travel_nobody_is_held_up(tmp_path: Path) -> None:
    with running_bff(tmp_path, BFF_CROSS_SITE="true") as bff:
        assert bff.browser().get("/auth/login", **LINK).status_code == 303


def test_guesses_and_fetches_are_answered_as_ever(browser: StrictBrowser) -> None:
    guess = browser.by_link("/auth/login", **{"Sec-Purpose": "prefetch"})
    fetch = browser.by_link("/auth/login", **{"Sec-Fetch-Mode": "cors"})

    assert (guess.status_code, fetch.status_code) == (204, 401)


def test_a_visit_counts_once(tmp_path: Path) -> None:
    with running_bff(tmp_path, BFF_SIGN_INS_PER_MINUTE="2") as bff:
        browser = StrictBrowser(bff.app)

        visits = [
            browser.get(onward(browser.by_link("/auth/login")), **OURS).status_code
            for _ in range(3)
        ]

        assert visits == [303, 303, 429]


def test_two_tabs_that_sign_in_at_once_leave_one_session(
    bff: BffRig, browser: StrictBrowser
) -> None:
    first, second = browser.start(), browser.start()
    browser.get(browser.at_provider(second, "amira"), **LINK)
    browser.visitor.http.cookies.clear()
    there = browser.at_provider(first, "zoe")

    browser.get(there, **LINK)

    assert [one.person.name for one in bff.services.book.everyone()] == ["Zoë Łukasik"]


def test_and_the_same_person_twice_as_well(bff: BffRig, browser: StrictBrowser) -> None:
    ways = [browser.start() for _ in range(3)]

    for url in ways:
        browser.get(browser.at_provider(url), **LINK)

    assert len(bff.services.book.everyone()) == 1
    assert browser.signed_in


def test_another_browser_keeps_its_session(bff: BffRig, browser: StrictBrowser) -> None:
    other = bff.browser()
    other.sign_in("amira")

    browser.sign_in("amira")

    assert other.signed_in
    assert browser.signed_in
    assert query_of(browser.start())["state"]
