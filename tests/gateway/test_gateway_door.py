"""The gateway's door: what is answered before a socket is open."""

import json
import queue
import socket
import threading

import pytest
from background_rig import AT_ONCE, Hurry, Mortal, becomes, eventually
from gateway_rig import GatewayRig, Raise
from raw_page import RawPage
from scripted_house import PAGE, Script

from bff import errors
from bff.background.jobs import Job, JobState
from bff.gateway.page_door import STATUS
from bff.guests.guest_house import SocketRules
from bff.signin.records import SessionKey
from bff.web.problems import STATUS as OF_THE_SERVICE


def test_the_table_of_statuses_says_what_the_service_says() -> None:
    assert {error: OF_THE_SERVICE[error] for error in STATUS} == STATUS


def test_an_upgrade_is_granted_as_firefox_asks_for_it(gateway: GatewayRig, script: Script) -> None:
    with RawPage(gateway.port) as page:
        assert page.status == 101
        assert b"__Host-bff-guest=" in page.head
        assert b"Sec-WebSocket-Extensions" not in page.head
        visitor = script.relay().visitor
    assert (visitor.origin, visitor.address) == (PAGE, "127.0.0.1")


def test_no_extension_and_no_subprotocol_is_agreed_to(gateway: GatewayRig) -> None:
    offered = {"Sec-WebSocket-Extensions": "permessage-deflate", "Sec-WebSocket-Protocol": "chat"}
    with RawPage(gateway.port, headers=offered) as page:
        assert page.status == 101
        assert b"sec-websocket-extensions" not in page.head.lower()
        assert b"sec-websocket-protocol" not in page.head.lower()


def test_the_cookies_of_a_known_browser_reach_the_relay(
    gateway: GatewayRig, script: Script
) -> None:
    secret = "s" * 43
    with RawPage(
        gateway.port, headers={"Cookie": f"__Host-bff-guest={secret}; __Host-bff=token"}
    ) as page:
        assert b"Set-Cookie" not in page.head
        visitor = script.relay().visitor
    assert (visitor.browser_secret, visitor.session_token) == (secret, "token")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"Origin": "https://evil.example"}, 403, "origin_refused"),
        ({"Origin": None}, 403, "origin_refused"),
        ({"Cookie": "__Host-bff=a; __Host-bff=b"}, 400, "cookie_conflict"),
        ({"Upgrade": None, "Connection": None}, 400, "request_refused"),
        ({"Sec-WebSocket-Key": "short"}, 400, "request_refused"),
        ({"Sec-WebSocket-Version": "8"}, 400, "request_refused"),
    ],
)
def test_a_refusal_is_json_and_the_end_of_the_connection(
    gateway: GatewayRig, changes: dict[str, str | None], status: int, code: str
) -> None:
    with RawPage(gateway.port, headers=changes) as page:
        assert page.status == status
        assert json.loads(page.body)["code"] == code
        assert b"application/json" in page.head


@pytest.mark.parametrize("path", ["/ws/other", "/", "/ws/guest/", "http://evil.example/ws/guest"])
def test_every_other_path_is_empty(gateway: GatewayRig, path: str) -> None:
    with RawPage(gateway.port, path=path) as page:
        assert page.status == 404
        assert json.loads(page.body)["code"] == "not_found"


def test_the_one_too_many_is_told_when_to_come_and_a_place_is_given_back(
    raise_gateway: Raise, script: Script
) -> None:
    with raise_gateway(rules=SocketRules(connections=1)) as gateway:
        with RawPage(gateway.port) as first:
            relay = script.relay()
            with RawPage(gateway.port) as second:
                assert second.status == 503
                assert b"Retry-After: 5" in second.head
                assert json.loads(second.body)["code"] == "too_many_connections"
            first.send(8, b"\x03\xe8")
            relay.until("page_gone")
            assert first.ended()
        assert gateway.pages == 0
        with RawPage(gateway.port) as third:
            assert third.status == 101


def test_the_address_is_what_the_trusted_proxy_saw(raise_gateway: Raise, script: Script) -> None:
    seen = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7"}
    with raise_gateway(proxies=1) as gateway, RawPage(gateway.port, headers=seen):
        assert script.relay().visitor.address == "203.0.113.7"


def test_probes_are_answered_on_the_same_port(gateway: GatewayRig, script: Script) -> None:
    key = SessionKey("s" * 64)
    news = gateway.gateway.crowd.news
    told: queue.SimpleQueue[object] = queue.SimpleQueue()
    with news.inbox(key):  # which waits until something could be heard
        news.follow(key, told.put)
    assert probed(gateway, "/healthz") == (200, {"status": "ok"})
    assert probed(gateway, "/readyz") == (200, {"status": "ok"})

    script.store.down = True
    assert told.get(timeout=5) is None
    assert probed(gateway, "/healthz")[0] == 200
    status, body = probed(gateway, "/readyz")
    script.store.down = False

    assert (status, body["code"]) == (503, errors.StoreDownError.code)


def test_a_dead_job_is_seen_at_the_probe_until_it_is_back(raise_gateway: Raise) -> None:
    background, work, alive = Hurry().runner(), Mortal(), threading.Event()

    def once() -> None:
        if not alive.is_set():
            raise RuntimeError("unforeseen")
        work.once()

    with raise_gateway(background=background) as gateway:
        with gateway.gateway.crowd.news.inbox(SessionKey("s" * 64)):
            pass
        background.start(Job(name="work", once=once, every=AT_ONCE))
        assert becomes(background, "work", JobState.RESTARTING)
        status, body = probed(gateway, "/readyz")
        assert (status, body["code"]) == (503, errors.NotReadyError.code)

        alive.set()
        assert work.was_done()
        assert eventually(lambda: probed(gateway, "/readyz")[0] == 200)
    background.stop()


def probed(gateway: GatewayRig, path: str) -> tuple[int, dict[str, str]]:
    with RawPage(gateway.port, path=path, headers={"Upgrade": None, "Connection": None}) as page:
        return page.status, json.loads(page.body)


def test_a_fault_of_ours_shows_the_stranger_nothing(
    gateway: GatewayRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr(gateway.gateway.crowd, "carrier", broken)
    with RawPage(gateway.port) as page:
        assert page.status == 500
        assert json.loads(page.body)["code"] == "internal_error"


def test_a_stranger_who_says_nothing_or_nonsense_disturbs_nobody(
    gateway: GatewayRig, script: Script
) -> None:
    silent = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(200)]
    for number, one in enumerate(silent):
        if number % 2:
            one.sendall(b"\x16\x03\x01 nonsense \x00\r\n\r\n")
    with RawPage(gateway.port) as page:
        page.send(1, b"{}")
        assert script.relay().until("page_sent") == b"{}"
    for one in silent:
        one.close()
