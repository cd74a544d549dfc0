"""`return_to` leads back to a page of an allowed origin, whatever is written into it."""

from urllib.parse import quote, urlsplit

import pytest
from bff_rig import BRAND, BffRig, error_of
from hypothesis import given
from hypothesis import strategies as st
from security_model import Asset, Attacker, threat

from bff.errors import ReturnPathError
from bff.signin.return_path import return_url

EVIL = "evil.example"
HOSTS = [f"//{EVIL}", f"///{EVIL}", f"////{EVIL}", f"/\\{EVIL}", f"\\/{EVIL}", f"\\\\{EVIL}"]
SCHEMES = ["http:", "https:", "HTTPS:", "javascript:", "data:text/html,", "ftp:", "vbscript:"]
BLANKS = ["", " ", "\t", "\n", "\r", "\0", "\x0b", "\x0c", "\x85", "\u2028", "\ufeff", "%09", "%0a"]
TRICKS = [
    "",
    EVIL,
    "@" + EVIL,
    "/%2f" + EVIL,
    "/%5c" + EVIL,
    "/%09/" + EVIL,
    "/\t/" + EVIL,
    "/\n/" + EVIL,
    "/ /" + EVIL,
    "/x\\..\\\\" + EVIL,
    "/%00/" + EVIL,
    "?//" + EVIL,
    "#//" + EVIL,
    ".." + EVIL,
    "./" + EVIL,
]
CORPUS = sorted(
    {
        form
        for blank in BLANKS
        for scheme in ["", *SCHEMES]
        for host in HOSTS
        for form in (blank + scheme + host, scheme + blank + host)
    }
    | {trick for trick in TRICKS if trick}
)
ALLOWED = ("https://www.brand.example", "https://shop.brand.example")


def test_the_corpus_is_as_large_as_it_is_meant_to_be() -> None:
    assert len(CORPUS) >= 487


@threat(
    Attacker.STRANGER,
    Asset.SESSION,
    can="Put a foreign address into `return_to`: refused before anything else happens",
    noticed="`return_to_refused`",
)
@pytest.mark.parametrize("payload", CORPUS)
def test_no_known_trick_leaves_the_site(payload: str) -> None:
    with pytest.raises(ReturnPathError):
        return_url(payload, origin=None, allowed=ALLOWED)


@pytest.mark.parametrize(
    "path",
    ["/", "/orders", "/orders?id=7&from=/a//b", "/a#part", "/caf%C3%A9", "/a//b", "/@me", "/a:b"],
)
def test_a_plain_path_is_kept_to_the_letter(path: str) -> None:
    assert return_url(path, origin=ALLOWED[1], allowed=ALLOWED) == ALLOWED[1] + path


@given(st.text(max_size=60), st.sampled_from([None, *ALLOWED]))
def test_whatever_is_accepted_stays_on_the_origin(path: str, origin: str | None) -> None:
    try:
        url = return_url(path, origin=origin, allowed=ALLOWED)
    except ReturnPathError:
        return
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" == (origin or ALLOWED[0])


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://www.brand.example.evil.example",
        "https://www.brand.example@evil.example",
        "http://www.brand.example",
        "https://www.brand.example:444",
        "null",
        "",
    ],
)
def test_only_an_exact_origin_is_an_origin(origin: str) -> None:
    with pytest.raises(ReturnPathError):
        return_url("/", origin=origin, allowed=ALLOWED)


def test_the_login_door_refuses_before_anything_else_happens(bff: BffRig) -> None:
    response = bff.browser().get("/auth/login?return_to=" + quote("//evil.example"))

    assert (response.status_code, error_of(response)) == (400, "return_to_refused")
    assert bff.provider.provider.tally["discovery"] == 0


def test_logging_out_leads_nowhere_else_either(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()

    response = browser.post("/auth/logout", {"return_to": "//evil.example"})
    stray = browser.get("/auth/logged-out?state=invented")

    assert error_of(response) == "return_to_refused"
    assert browser.signed_in
    assert stray.headers["Location"] == f"{BRAND}/"
