"""`messenger-bff serve` as a process: it serves, says little, hides secrets and stops when told."""

import time
from pathlib import Path

import pytest
from bff_rig import BROWSER, SESSION, query_of
from command_rig import Serving, Site, brand_site, serving
from redis_server import RedisServer
from wire_browser import WireBrowser

from bff.settings import Settings
from bff.wiring import build

Served = tuple[Site, Serving]


def test_a_sign_in_works_from_the_first_redirect_to_the_code(served: Served) -> None:
    browser = WireBrowser(served[1].url)
    assert not browser.signed_in

    browser.sign_in()

    assert browser.get("/auth/session").json()["name"] == "Amira Haddad"
    assert browser.post("/messenger/code").json()["iss"] == f"{served[1].url}/op"


def test_the_script_is_served_for_every_page_and_cacheable(on_file: Served) -> None:
    answer = WireBrowser(on_file[1].url).get("/static/messenger-auth.js")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers


def test_nothing_on_stderr_is_a_warning(served: Served) -> None:
    browser = WireBrowser(served[1].url)
    browser.sign_in()
    with browser.listening():
        browser.post("/auth/logout")

    assert "Starting gunicorn" in served[1].log
    assert "Warning" not in served[1].log
    assert "Traceback" not in served[1].log
    assert "[ERROR]" not in served[1].log


def test_many_open_pages_do_not_keep_others_waiting(on_file: Served) -> None:
    browser = WireBrowser(on_file[1].url)
    browser.sign_in()
    streams = [browser.get("/auth/events", stream=True) for _ in range(60)]

    began = time.monotonic()
    assert browser.signed_in
    took = time.monotonic() - began

    assert {stream.status_code for stream in streams} == {200}
    assert took < 2
    for stream in streams:
        stream.close()


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_sigterm_ends_open_streams_and_stops_within_seconds(tmp_path: Path, store: str) -> None:
    with RedisServer() as redis:
        url = redis.url if store == "redis" else ""
        with brand_site(tmp_path, store_url=url) as site, serving(site) as running:
            browser = WireBrowser(running.url)
            browser.sign_in()
            with browser.listening() as listener:
                began = time.monotonic()
                code = running.stop()
                took = time.monotonic() - began

                assert listener.ended(within_s=1)

    assert code == 0
    # The grace is ten seconds; a stream must not use it up.
    assert took < 8
    assert "graceful timeout" not in running.log


def test_a_session_survives_a_restart_on_the_embedded_store(site: Site) -> None:
    browser = WireBrowser(site.url)
    with serving(site, name="first"):
        browser.sign_in()

    with serving(site, name="second"):
        assert browser.signed_in


def test_the_most_talkative_log_holds_no_secret(site: Site) -> None:
    talkative = site.with_settings(BFF_LOG_LEVEL="DEBUG", BFF_ACCESS_TOKEN_LIFE="10")
    with serving(talkative) as running:
        browser = WireBrowser(running.url)
        start = browser.get("/auth/login").headers["Location"]
        browser.sign_in()
        minted = browser.post("/messenger/code").json()
        here = build(Settings.read(talkative.env))
        tokens = here.vault.live_tokens(here.book.everyone()[0])
        here.close()
        cookies = (browser.cookies[SESSION], browser.cookies[BROWSER])
        browser.post("/auth/refresh")
        browser.post("/auth/logout")
        browser.get("/auth/callback?code=a-code-of-a-stranger&state=x")
        running.stop()

    secrets = [
        *cookies,
        query_of(start)["state"],
        query_of(start)["nonce"],
        minted["authCode"],
        minted["codeVerifier"],
        "a-code-of-a-stranger",
        tokens.access_token,
        tokens.refresh_token,
        tokens.id_token,
        *(value for name, value in site.env.items() if name.endswith(("_KEY", "_SALT", "_SECRET"))),
    ]
    assert "DEBUG" in running.log
    assert "session" in running.log
    for secret in secrets:
        assert secret
        assert secret not in running.log
