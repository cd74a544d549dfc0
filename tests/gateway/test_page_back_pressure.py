"""A page that does not read fills nobody's memory, and is cut; one that is slow loses nothing."""

import queue
import socket
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from gateway_rig import Raise
from messaging_peer import Flood, messaging_peer
from raw_page import RawPage, spelled
from scripted_house import LIMIT_S, Script, ScriptedRelay

from bff.guests.guest_house import SocketRules

TEXT, PING, PONG = 1, 9, 10
MEGABYTE = 1024 * 1024
SMALL_WINDOW = 4096
# More than two kernels keep for a socket, and far less than is offered.
TAKEN_AT_MOST = 40 * MEGABYTE
RULES = SocketRules(unsent_limit=64 * 1024, unsent_patience=timedelta(seconds=1))


def joined(script: Script) -> None:
    """Dial at once, and hand on everything that Genesys says, while there is a page."""

    def hand_on(relay: ScriptedRelay, text: bytes) -> None:
        if relay.page_here:
            relay.hands.to_page(text)

    script.on["start"] = lambda relay, _: relay.hands.dial("/v1", after=timedelta(0))
    script.on["genesys_sent"] = hand_on
    # Not over: Genesys still has its say.
    script.on["page_gone"] = lambda relay, _: setattr(relay, "busy", True)


def test_genesys_is_left_unread_until_the_page_is_cut(raise_gateway: Raise, script: Script) -> None:
    joined(script)
    with (
        messaging_peer() as genesys,
        raise_gateway(rules=RULES, messaging_url=genesys.url) as gateway,
        RawPage(gateway.port, window=SMALL_WINDOW) as slow,
    ):
        flood = Flood(genesys.connection(), "x" * 16_000, most=300 * MEGABYTE)
        relay = script.relay()
        relay.until("page_gone")
        taken = flood.sent
        with RawPage(gateway.port) as neighbour:
            neighbour.send(TEXT, b"not disturbed")
            assert script.relay().until("page_sent") == b"not disturbed"
        # Without a page the rest of Genesys' words is wanted again: perhaps an echo.
        assert flood.done()
        gateway.here(lambda: relay.hands.hang_up(1000))
        gateway.here(lambda: setattr(relay, "busy", False))
        slow.socket.close()
    assert taken < TAKEN_AT_MOST
    assert flood.sent >= 300 * MEGABYTE


def test_a_slow_page_gets_everything_as_it_was_sent(raise_gateway: Raise, script: Script) -> None:
    # Of all sizes, and more than the limit: the small ones follow large ones that wait.
    sizes = [5, 9_000, 7, 70_000, 8_192, 8_193, 3, 200_000, 1, 126, 65_536] * 40
    texts = [bytes([65 + number % 26]) * size for number, size in enumerate(sizes)]
    stuffed = threading.Event()

    def send_all(relay: ScriptedRelay, text: bytes) -> None:
        if text == b"go":
            for one in texts:
                relay.hands.to_page(one)
            stuffed.set()

    script.on["page_sent"] = send_all
    rules = SocketRules(unsent_limit=64 * 1024, unsent_patience=timedelta(seconds=LIMIT_S))
    with raise_gateway(rules=rules) as gateway, RawPage(gateway.port, window=SMALL_WINDOW) as page:
        page.send(TEXT, b"go")
        assert stuffed.wait(LIMIT_S)
        page.send(TEXT, b"written while it could not read")
        assert [page.frame() for _ in texts] == [(TEXT, text) for text in texts]
        relay = script.relay()
        assert relay.until("page_sent") == b"go"
        assert relay.until("page_sent") == b"written while it could not read"


def test_a_page_that_only_pings_is_not_answered_without_end(
    raise_gateway: Raise, script: Script
) -> None:
    rules = SocketRules(unsent_limit=16 * 1024, unsent_patience=timedelta(seconds=1))
    with raise_gateway(rules=rules) as gateway, RawPage(gateway.port, window=SMALL_WINDOW) as page:
        relay = script.relay()
        pings = spelled(PING, b"x" * 125) * 1000
        sent = 0
        with suppress(BrokenPipeError, ConnectionResetError):
            while sent < 300 * MEGABYTE:
                sent += page.socket.send(pings)
        relay.until("page_gone")
    assert sent < TAKEN_AT_MOST


def test_genesys_is_read_again_when_the_page_reads_again(
    raise_gateway: Raise, script: Script
) -> None:
    joined(script)
    rules = SocketRules(unsent_limit=64 * 1024, unsent_patience=timedelta(seconds=LIMIT_S))
    with (
        messaging_peer() as genesys,
        raise_gateway(rules=rules, messaging_url=genesys.url) as gateway,
        RawPage(gateway.port, window=SMALL_WINDOW) as page,
    ):
        flood = Flood(genesys.connection(), "x" * 16_000, most=30 * MEGABYTE)
        relay = script.relay()
        heard = 0
        while heard < 30 * MEGABYTE:
            opcode, payload = page.frame()
            assert opcode == TEXT
            heard += len(payload)
        assert flood.done()
        gateway.here(lambda: relay.hands.hang_up(1000))


def test_frames_of_a_page_that_drains_stay_unread(raise_gateway: Raise, script: Script) -> None:
    with raise_gateway() as gateway, RawPage(gateway.port) as page:
        relay = script.relay()
        page.send(TEXT, b"before")
        relay.until("page_sent")
        gateway.drain()
        relay.until("drain")
        page.send(TEXT, b"too late")

        def leave() -> None:
            relay.page_here = False
            relay.hands.close_page(1012, "restart")

        gateway.here(leave)
        assert page.closed_with() == (1012, "restart")
        page.send(8, b"\x03\xf4")
        assert page.ended()
        assert gateway.gone()
        with pytest.raises(queue.Empty):
            relay.heard.get_nowait()


def test_after_the_grace_whoever_is_left_is_cut(raise_gateway: Raise, script: Script) -> None:
    with raise_gateway(grace=timedelta(milliseconds=300)) as gateway, RawPage(gateway.port) as page:
        relay = script.relay()
        gateway.drain()
        relay.until("drain")
        assert page.ended()
        assert gateway.gone()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", gateway.port), timeout=5)


def test_asked_twice_it_goes_at_once(raise_gateway: Raise, script: Script) -> None:
    with (
        raise_gateway(grace=timedelta(seconds=LIMIT_S)) as gateway,
        RawPage(gateway.port) as page,
    ):
        relay = script.relay()
        gateway.drain()
        relay.until("drain")
        gateway.drain()
        relay.until("page_gone")
        assert page.ended()
        assert gateway.gone()
