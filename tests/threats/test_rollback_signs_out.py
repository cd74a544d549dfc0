"""A version is rolled back, or a key is away for a while: nobody is signed out, nothing revoked."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from bff_rig import BffRig, Browser, error_of, running_bff
from newer_version import LIFE, by_another_key, by_newer_version, tampered, unreadable
from security_model import Asset, Attacker, threat

TOKEN: Final = "token-of-the-watcher-0123456789"
Plant = Callable[[BffRig, str], bytes]
PLANTED: dict[str, Plant] = {
    "newer version": lambda bff, key: by_newer_version(
        bff.services.store, bff.services.key_ring, key, **NEWER[key.partition(":")[0]]
    ),
    "another key": lambda bff, key: by_another_key(bff.services.store, bff.services.key_ring, key),
    "tampered": lambda bff, key: tampered(bff.services.store, key),
}
NEWER: dict[str, dict[str, object]] = {
    "session": {"person": ["several", "people"]},
    "vault": {"tokens": {"box": 7}},
}


@pytest.fixture(params=PLANTED)
def plant(request: pytest.FixtureRequest) -> Plant:
    return PLANTED[request.param]


@pytest.fixture
def signed_in(bff: BffRig) -> Browser:
    browser = bff.browser()
    browser.sign_in()
    return browser


@threat(
    Attacker.STORE_OWNER,
    Asset.SESSION,
    can="make a session unreadable: it answers 503 until it is read again, or its user signs in",
    noticed="a warning in the log and a count in the metrics",
)
def test_an_unreadable_session_is_neither_ended_nor_believed(
    bff: BffRig, signed_in: Browser, plant: Plant
) -> None:
    key = f"session:{bff.key_of(signed_in)}"
    cookie = signed_in.cookie()

    with unreadable(bff.services.store, key, plant(bff, key)):
        for answer in (
            signed_in.get("/auth/session"),
            signed_in.get("/auth/events"),
            signed_in.post("/auth/refresh"),
            signed_in.post("/messenger/code"),
        ):
            assert (answer.status_code, error_of(answer)) == (503, "record_unreadable")
            assert "Set-Cookie" not in answer.headers
            assert int(answer.headers["Retry-After"]) > 0
        assert bff.services.unreadable["session"] > 0

    assert signed_in.cookie() == cookie
    assert signed_in.signed_in
    assert signed_in.post("/messenger/code").status_code == 200


def test_a_user_who_signs_out_is_signed_out_although_nobody_can_tell_who_it_was(
    bff: BffRig, signed_in: Browser, plant: Plant
) -> None:
    key = f"session:{bff.key_of(signed_in)}"

    bff.services.store.put(key, plant(bff, key), ttl=LIFE)

    answer = signed_in.post("/auth/logout")

    assert answer.status_code == 200
    assert answer.get_json()["logout_url"], "the vault knows which provider it was"
    assert bff.services.store.get(key) is None
    assert not signed_in.signed_in
    assert bff.provider.provider.tally["revocation"] == 1


def test_unreadable_tokens_end_no_session_and_are_not_revoked(
    bff: BffRig, signed_in: Browser, plant: Plant
) -> None:
    key = f"vault:{bff.key_of(signed_in)}"

    with unreadable(bff.services.store, key, plant(bff, key)):
        answer = signed_in.post("/auth/refresh")
        assert (answer.status_code, error_of(answer)) == (503, "record_unreadable")
        assert signed_in.signed_in

    assert signed_in.post("/auth/refresh").status_code == 200
    assert bff.provider.provider.tally["revocation"] == 0


def test_who_has_an_unreadable_session_can_sign_in_again(
    bff: BffRig, signed_in: Browser, plant: Plant
) -> None:
    key = f"session:{bff.key_of(signed_in)}"
    with unreadable(bff.services.store, key, plant(bff, key)):
        answer = signed_in.sign_in()

        assert answer.status_code == 303
        assert signed_in.signed_in
        assert signed_in.post("/messenger/code").status_code == 200


def test_a_list_of_sessions_hides_only_the_unreadable_one(
    bff: BffRig, signed_in: Browser, plant: Plant
) -> None:
    other = bff.browser()
    other.sign_in("zoe")
    key = f"session:{bff.key_of(signed_in)}"
    with unreadable(bff.services.store, key, plant(bff, key)):
        assert [session.key for session in bff.services.book.everyone()] == [bff.key_of(other)]


def test_a_sign_in_on_its_way_survives(bff: BffRig) -> None:
    browser = bff.browser()
    back = browser.at_provider(browser.start())
    (key,) = _keys(bff, "attempt:")
    with unreadable(bff.services.store, key, tampered(bff.services.store, key)):
        answer = browser.get(back)
        assert (answer.status_code, error_of(answer)) == (503, "record_unreadable")

    assert browser.get(back).status_code == 303
    assert browser.signed_in


def test_a_code_and_a_refresh_token_of_the_broker_are_not_refused(
    bff: BffRig, signed_in: Browser
) -> None:
    minted = signed_in.post("/messenger/code").get_json()
    (key,) = _keys(bff, "broker-grant:")
    form = {
        "grant_type": "authorization_code",
        "code": minted["authCode"],
        "code_verifier": minted["codeVerifier"],
        "redirect_uri": minted["redirectUri"],
    }
    client = (bff.settings.genesys_client_id, bff.settings.genesys_client_secret.get_secret_value())

    def redeem() -> tuple[int, str]:
        answer = bff.app.test_client().post(
            "/op/token", base_url="http://auth.brand.localhost", data=form, auth=client
        )
        return answer.status_code, str(answer.get_json().get("error", ""))

    with unreadable(bff.services.store, key, tampered(bff.services.store, key)):
        assert redeem() == (503, "temporarily_unavailable")
    assert redeem()[0] == 200


def test_the_figures_tell_of_it(tmp_path: Path) -> None:
    with running_bff(tmp_path, BFF_METRICS_TOKEN=TOKEN) as bff:
        browser = bff.browser()
        browser.sign_in()
        bff.services.store.put(
            f"session:{bff.key_of(browser)}", b"garbage", ttl=bff.settings.session_idle
        )
        browser.get("/auth/session")
        text = bff.browser().get("/metrics", Authorization=f"Bearer {TOKEN}").text
    assert 'messenger_bff_unreadable_records_total{kind="session"} 1.0' in text


def _keys(bff: BffRig, prefix: str) -> list[str]:
    """Return the names in the store's file that begin so."""

    with sqlite3.connect(bff.settings.store_path) as file:
        rows = file.execute(
            "SELECT name FROM entries WHERE name LIKE ?", (prefix + "%",)
        ).fetchall()
    return [row[0] for row in rows]
