"""Who may open a guest socket: decided before the upgrade, the same for every shell."""

import pytest
from listed_entropy import ListedEntropy

from bff import errors
from bff.guests.guest_upgrade import Admission, UpgradeRequest, UpgradeRules, admit

PAGE = "https://www.brand.example"
SECRET = "b" * 43
FRESH = b"\x01" * 32
GOOD = {
    "Upgrade": ["websocket"],
    "Connection": ["keep-alive, Upgrade"],
    "Sec-WebSocket-Version": ["13"],
    "Sec-WebSocket-Key": ["AAECAwQFBgcICQoLDA0ODw=="],
    "Origin": [PAGE],
}


def asked(
    *,
    headers: dict[str, list[str]] | None = None,
    method: str = "GET",
    room: bool = True,
    cross_site: bool = False,
    proxies: int = 0,
) -> Admission:
    sent = {**GOOD, **(headers or {})}
    return admit(
        UpgradeRequest(method=method, peer="10.0.0.9", values=lambda name: sent.get(name, [])),
        UpgradeRules(origins=frozenset({PAGE}), cross_site=cross_site, trusted_proxies=proxies),
        entropy=ListedEntropy(FRESH),
        room=room,
    )


def test_a_page_on_the_list_is_admitted_and_gets_a_lasting_cookie() -> None:
    admission = asked()

    visitor = admission.visitor
    assert (visitor.origin, visitor.address, visitor.session_token) == (PAGE, "10.0.0.9", None)
    assert admission.set_cookie == (
        f"__Host-bff-guest={visitor.browser_secret}; Max-Age=34560000; Path=/; Secure; HttpOnly; "
        "SameSite=Strict"
    )
    assert len(visitor.browser_secret) == 43


def test_a_page_of_another_site_gets_a_partitioned_cookie() -> None:
    cookie = asked(cross_site=True).set_cookie

    assert cookie is not None
    assert cookie.endswith("; Secure; HttpOnly; SameSite=None; Partitioned")


def test_a_browser_that_was_here_is_known_again_and_gets_no_cookie() -> None:
    cookies = f"a=b; __Host-bff-guest={SECRET}; __Host-bff=the-session; __Host-bff-browser=x"
    admission = asked(headers={"Cookie": [cookies]})

    assert admission.set_cookie is None
    assert admission.visitor.browser_secret == SECRET
    assert admission.visitor.session_token == "the-session"


@pytest.mark.parametrize("value", ["", "b" * 42, "b" * 44, "b" * 42 + "!", "é" * 43])
def test_a_cookie_that_is_not_of_our_making_is_replaced(value: str) -> None:
    admission = asked(headers={"Cookie": [f"__Host-bff-guest={value}"]})

    assert admission.set_cookie is not None
    assert admission.visitor.browser_secret in admission.set_cookie


@pytest.mark.parametrize("name", ["__Host-bff-guest", "__Host-bff"])
@pytest.mark.parametrize("parted", [True, False])
def test_two_cookies_of_one_name_are_refused(name: str, *, parted: bool) -> None:
    pair = [f"{name}={SECRET}", f"{name}={'c' * 43}"]

    with pytest.raises(errors.CookieTossedError):
        asked(headers={"Cookie": pair if parted else ["; ".join(pair)]})


@pytest.mark.parametrize(
    "origins", [[], ["null"], ["https://evil.example"], [PAGE + "/"], [PAGE, PAGE], [PAGE.upper()]]
)
def test_every_other_origin_is_refused(origins: list[str]) -> None:
    with pytest.raises(errors.OriginRefusedError):
        asked(headers={"Origin": origins})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Upgrade", []),
        ("Upgrade", ["h2c"]),
        ("Connection", ["keep-alive"]),
        ("Sec-WebSocket-Version", ["8"]),
        ("Sec-WebSocket-Version", ["13", "13"]),
        ("Sec-WebSocket-Key", []),
        ("Sec-WebSocket-Key", ["AAECAwQFBgcICQoLDA0O"]),
        ("Sec-WebSocket-Key", ["not base64 at all!!!"]),
        ("Sec-WebSocket-Key", ["é" * 24]),
    ],
)
def test_a_request_that_is_no_upgrade_is_refused(name: str, values: list[str]) -> None:
    with pytest.raises(errors.RequestRefusedError):
        asked(headers={name: values})


def test_another_method_is_refused() -> None:
    with pytest.raises(errors.RequestRefusedError):
        asked(method="POST")


def test_without_room_a_page_is_told_when_to_come_back() -> None:
    with pytest.raises(errors.TooManyConnectionsError) as refused:
        asked(room=False)

    assert refused.value.retry_after is not None


def test_a_stranger_does_not_learn_that_there_is_no_room() -> None:
    with pytest.raises(errors.OriginRefusedError):
        asked(room=False, headers={"Origin": ["https://evil.example"]})


@pytest.mark.parametrize(
    ("proxies", "listed", "address"),
    [
        (0, ["1.1.1.1"], "10.0.0.9"),
        (1, ["6.6.6.6, 1.1.1.1"], "1.1.1.1"),
        (1, ["6.6.6.6", "1.1.1.1"], "1.1.1.1"),
        (2, ["6.6.6.6, 1.1.1.1, 2.2.2.2"], "1.1.1.1"),
        (2, ["1.1.1.1"], "10.0.0.9"),
        (1, [], "10.0.0.9"),
        (1, [""], "10.0.0.9"),
        (1, ["x" * 5000], "x" * 64),
    ],
)
def test_only_trusted_proxies_are_believed_about_the_address(
    proxies: int, listed: list[str], address: str
) -> None:
    headers = {"X-Forwarded-For": listed}

    assert asked(headers=headers, proxies=proxies).visitor.address == address
