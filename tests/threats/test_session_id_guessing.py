"""Session ids are 256 random bits, stored as a hash; near misses are plain misses."""

import sqlite3
from pathlib import Path

from bff_rig import BffRig
from security_model import Asset, Attacker, threat


@threat(
    Attacker.STORE_OWNER,
    Asset.SESSION,
    can="Read the store: session ids lie there as hashes, which open no session",
)
def test_the_store_never_holds_an_id_that_opens_a_session(bff: BffRig, tmp_path: Path) -> None:
    browser = bff.browser()
    browser.sign_in()
    cookie = browser.cookie() or ""

    with sqlite3.connect(tmp_path / "store.sqlite3") as reader:
        dump = "\n".join(reader.iterdump())
    reader.close()

    assert len(cookie) == 43
    assert bff.key_of(browser) in dump
    assert cookie not in dump
    assert "amira@example.com" not in dump


def test_the_stored_key_opens_nothing(bff: BffRig) -> None:
    browser, thief = bff.browser(), bff.browser()
    browser.sign_in()

    thief.set_cookie("__Host-bff", bff.key_of(browser))

    assert not thief.signed_in


@threat(
    Attacker.STRANGER,
    Asset.SESSION,
    can="Guess or alter a session cookie: 256 random bits, every miss looks the same",
)
def test_near_misses_and_monsters_are_plain_misses(bff: BffRig) -> None:
    browser, thief = bff.browser(), bff.browser()
    browser.sign_in()
    cookie = browser.cookie() or ""

    for guess in (cookie[:-1], cookie + "A", cookie.swapcase(), "A" * 4000, "é" * 43):
        thief.set_cookie("__Host-bff", guess)
        assert not thief.signed_in
