"""The gateway's way to Genesys: what came of dialling is told exactly once, and in time."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from gateway_rig import GatewayRig, Raise
from messaging_peer import messaging_peer
from own_certificate import own_certificate
from raw_page import RawPage
from scripted_house import LIMIT_S, PAGE, Script, ScriptedRelay
from websockets.exceptions import ConnectionClosed

from bff.gateway.messaging_link import MessagingHost
from bff.guests.guest_house import SocketRules

HASTY = SocketRules(
    dial_patience=timedelta(milliseconds=300), close_patience=timedelta(milliseconds=300)
)
NOW = timedelta(0)


def dialling(script: Script, *, after: timedelta = NOW) -> None:
    script.on["start"] = lambda relay, _: relay.hands.dial("/v1?deploymentId=d", after=after)


def told(relay: ScriptedRelay) -> list[str]:
    """Everything that was said about Genesys so far."""
    heard = []
    while not relay.heard.empty():
        heard.append(relay.heard.get_nowait()[0])
    return [what for what in heard if what.startswith("genesys_")]


def until(page: RawPage, wanted: Callable[[], bool]) -> None:
    """Wait for what nothing announces, a round trip at a time."""
    deadline = time.monotonic() + LIMIT_S
    while not wanted():
        assert time.monotonic() < deadline
        page.send(9)
        page.frame()


def no_links(gateway: GatewayRig) -> bool:
    return gateway.here(lambda: not gateway.gateway.crowd.links)


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Listen for one caller after the other; say these words to each, and hang up.

    None of them is hung up on that is answered with nothing.
    """
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept = []

        def serve() -> None:
            for answer in answers:
                caller, _ = listener.accept()
                kept.append(caller)
                asked.append(caller.recv(65536))
                if answer:
                    caller.sendall(answer)
                    caller.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}", asked
        for caller in kept:
            caller.close()


def test_it_is_dialled_in_the_name_of_the_page(raise_gateway: Raise, script: Script) -> None:
    dialling(script)
    with (
        messaging_peer() as genesys,
        raise_gateway(messaging_url=genesys.url) as gateway,
        RawPage(gateway.port),
    ):
        request = genesys.connection().request
        assert request is not None
        script.relay().until("genesys_opened")
    assert request.path == "/v1?deploymentId=d"
    assert request.headers["Origin"] == PAGE
    assert request.headers["Host"] == genesys.url.removeprefix("ws://")
    assert "Cookie" not in request.headers


def test_words_go_both_ways_and_in_pieces(raise_gateway: Raise, script: Script) -> None:
    dialling(script)
    with (
        messaging_peer() as genesys,
        raise_gateway(messaging_url=genesys.url) as gateway,
        RawPage(gateway.port),
    ):
        peer, relay = genesys.connection(), script.relay()
        relay.until("genesys_opened")
        gateway.here(lambda: relay.hands.to_genesys(b'{"action":"echo"}'))
        assert peer.recv(timeout=LIMIT_S) == '{"action":"echo"}'
        peer.send(["one ", "", "message"])
        peer.send("x" * 512 * 1024)
        assert relay.until("genesys_sent") == b"one message"
        assert len(relay.until("genesys_sent")) == 512 * 1024
        assert peer.ping().wait(LIMIT_S)


@pytest.mark.parametrize("pieces", [["x" * (512 * 1024 + 1)], ["x" * 300_000, "x" * 300_000]])
def test_more_than_the_limit_ends_the_connection(
    raise_gateway: Raise, script: Script, pieces: list[str]
) -> None:
    dialling(script)
    with (
        messaging_peer() as genesys,
        raise_gateway(messaging_url=genesys.url) as gateway,
        RawPage(gateway.port),
    ):
        peer, relay = genesys.connection(), script.relay()
        with suppress(ConnectionClosed):
            peer.send(pieces)
        with pytest.raises(ConnectionClosed):
            peer.recv(timeout=LIMIT_S)
        relay.until("genesys_closed")
        assert peer.close_code == 1009


def test_a_close_is_told_with_its_code_and_reason(raise_gateway: Raise, script: Script) -> None:
    dialling(script)
    with (
        messaging_peer() as genesys,
        raise_gateway(messaging_url=genesys.url) as gateway,
        RawPage(gateway.port),
    ):
        peer, relay = genesys.connection(), script.relay()
        relay.until("genesys_opened")
        peer.close(4017, "cannot downgrade")
        assert relay.until("genesys_closed") == (4017, "cannot downgrade")
        assert told(relay) == []


def test_a_lost_connection_is_told_without_a_code(raise_gateway: Raise, script: Script) -> None:
    dialling(script)
    with (
        messaging_peer() as genesys,
        raise_gateway(messaging_url=genesys.url) as gateway,
        RawPage(gateway.port),
    ):
        peer, relay = genesys.connection(), script.relay()
        relay.until("genesys_opened")
        peer.socket.shutdown(socket.SHUT_RDWR)
        assert relay.until("genesys_closed") == (None, "")


@pytest.mark.parametrize("status", [302, 400, 401, 403, 429, 500, 503])
def test_a_refused_upgrade_is_told_with_its_status_and_not_followed(
    raise_gateway: Raise, script: Script, status: int
) -> None:
    dialling(script)
    answer = f"HTTP/1.1 {status} No\r\nLocation: ws://127.0.0.1:9/elsewhere\r\n\r\n"
    with (
        answering(answer.encode()) as (url, asked),
        raise_gateway(messaging_url=url) as gateway,
        RawPage(gateway.port),
    ):
        relay = script.relay()
        assert relay.until("genesys_refused") == status
        assert told(relay) == []
    assert len(asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n"
        ),
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 20_000,
    ],
    ids=["silence", "hung up", "another protocol", "bare 101", "wrong accept", "endless head"],
)
def test_whoever_is_no_genesys_is_told_as_closed_once(
    raise_gateway: Raise, script: Script, answer: bytes
) -> None:
    dialling(script)
    with (
        answering(answer) as (url, _),
        raise_gateway(messaging_url=url, rules=HASTY) as gateway,
        RawPage(gateway.port),
    ):
        relay = script.relay()
        assert relay.until("genesys_closed") == (None, "")
        assert no_links(gateway)
        assert told(relay) == []


def test_nobody_there_is_told_as_closed(gateway: GatewayRig, script: Script) -> None:
    dialling(script)
    with RawPage(gateway.port):
        assert script.relay().until("genesys_closed") == (None, "")


@pytest.mark.parametrize("when", ["waiting", "dialling", "open"])
def test_after_hanging_up_nothing_more_is_told(
    raise_gateway: Raise, script: Script, when: str
) -> None:
    with (
        messaging_peer() as genesys,
        answering(b"") as (silent, asked),
        raise_gateway(messaging_url=silent if when == "dialling" else genesys.url) as gateway,
        RawPage(gateway.port) as page,
    ):
        relay = script.relay()
        wait = timedelta(hours=1) if when == "waiting" else NOW
        gateway.here(lambda: relay.hands.dial("/v1", after=wait))
        if when == "open":
            relay.until("genesys_opened")
        until(page, lambda: bool(asked) or when != "dialling")
        gateway.here(lambda: relay.hands.hang_up(1000))
        gateway.here(lambda: relay.hands.to_genesys(b"to nobody"))
        if when == "open":
            with pytest.raises(ConnectionClosed):
                genesys.connection().recv(timeout=LIMIT_S)
        until(page, lambda: no_links(gateway))
        assert told(relay) == []


def test_a_genesys_that_does_not_answer_a_close_is_cut(
    raise_gateway: Raise, script: Script
) -> None:
    dialling(script)
    with (
        messaging_peer() as genesys,
        raise_gateway(messaging_url=genesys.url, rules=HASTY) as gateway,
        RawPage(gateway.port) as page,
    ):
        peer, relay = genesys.connection(), script.relay()
        relay.until("genesys_opened")
        protocol: Any = peer.protocol
        protocol.receive_data = lambda _: None  # deaf from now on
        gateway.here(lambda: relay.hands.hang_up(1000))
        until(page, lambda: no_links(gateway))


def test_a_name_that_ends_in_localhost_is_this_machine(
    raise_gateway: Raise, script: Script
) -> None:
    dialling(script)
    with messaging_peer() as genesys:
        url = f"ws://genesys.localhost:{genesys.port}"
        with raise_gateway(messaging_url=url) as gateway, RawPage(gateway.port):
            request = genesys.connection().request
            assert request is not None
            assert request.headers["Host"] == f"genesys.localhost:{genesys.port}"


@pytest.mark.parametrize("url", ["ws://genesys.example", "http://127.0.0.1:1", "wss://", ""])
def test_nothing_is_dialled_in_the_clear_but_loopback(url: str) -> None:
    with pytest.raises(ValueError, match="web messaging"):
        MessagingHost.at(url)


@pytest.mark.parametrize("trusted", [True, False])
def test_a_certificate_is_believed_only_if_the_machine_does(
    raise_gateway: Raise,
    script: Script,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    trusted: bool,
) -> None:
    certificate = own_certificate(tmp_path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    dialling(script)
    with (
        messaging_peer(certificate.server_side()) as genesys,
        raise_gateway(messaging_url=genesys.url) as gateway,
        RawPage(gateway.port),
    ):
        relay = script.relay()
        if trusted:
            relay.until("genesys_opened")
            gateway.here(lambda: relay.hands.to_genesys(b"over TLS"))
            assert genesys.connection().recv(timeout=LIMIT_S) == "over TLS"
        else:
            assert relay.until("genesys_closed") == (None, "")
