"""The page's socket in the gateway: what is a message, what is too much, and who is cut."""

import time
from datetime import timedelta
from typing import Any

import pytest
from gateway_rig import GatewayRig, Raise
from raw_page import RawPage, head, spelled
from scripted_house import Script, ScriptedRelay

from bff.guests.frame_errors import FrameCode
from bff.guests.guest_house import SocketRules

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
LIMIT = 64 * 1024


def milliseconds(count: int) -> timedelta:
    return timedelta(milliseconds=count)


def test_a_message_in_pieces_is_one_with_pings_in_between(
    gateway: GatewayRig, script: Script
) -> None:
    with RawPage(gateway.port) as page:
        page.send(TEXT, b"one ", fin=False)
        page.send(PING, b"are you there")
        page.send(CONTINUATION, b"", fin=False)
        page.send(CONTINUATION, b"message")
        page.send(TEXT, b"two")
        assert page.frame() == (PONG, b"are you there")
        relay = script.relay()
        assert relay.until("page_sent") == b"one message"
        assert relay.until("page_sent") == b"two"


def test_a_binary_message_is_told_once_whole(gateway: GatewayRig, script: Script) -> None:
    with RawPage(gateway.port) as page:
        page.send(BINARY, b"\x00" * 100, fin=False)
        page.send(CONTINUATION, b"\x00" * 100)
        page.send(BINARY, b"")
        page.send(TEXT, b"\xff\xfe is for the relay to judge")
        relay = script.relay()
        assert relay.until("page_sent_badly") is FrameCode.FRAME_NOT_TEXT
        assert relay.until("page_sent_badly") is FrameCode.FRAME_NOT_TEXT
        assert relay.until("page_sent") == b"\xff\xfe is for the relay to judge"


def test_the_largest_message_goes_through(gateway: GatewayRig, script: Script) -> None:
    with RawPage(gateway.port) as page:
        page.send(TEXT, b"x" * LIMIT)
        page.send(TEXT, b"y" * (LIMIT // 2), fin=False)
        page.send(CONTINUATION, b"y" * (LIMIT // 2))
        relay = script.relay()
        assert len(relay.until("page_sent")) == LIMIT
        assert len(relay.until("page_sent")) == LIMIT


@pytest.mark.parametrize("pieces", [1, 2, 100])
def test_one_byte_more_closes_with_1009_and_reaches_nobody(
    gateway: GatewayRig, script: Script, pieces: int
) -> None:
    size = LIMIT // pieces
    with RawPage(gateway.port) as page:
        for number in range(pieces):
            page.send(CONTINUATION if number else TEXT, b"x" * size, fin=False)
        page.send(CONTINUATION, b"x" * (LIMIT - size * pieces + 1))
        assert page.closed_with()[0] == 1009
        relay = script.relay()
        relay.until("page_gone")
        page.send(CLOSE, b"\x03\xf1")
        assert page.ended()
    assert gateway.pages == 0


def test_a_frame_of_100_megabytes_is_not_taken_in(gateway: GatewayRig, script: Script) -> None:
    sent = 0
    with RawPage(gateway.port) as page:
        page.socket.sendall(head(0x81, 100 * 1024 * 1024) + b"mask")
        script.relay().until("page_gone")
        try:
            while sent < 100 * 1024 * 1024:
                sent += page.socket.send(b"x" * 65536)
        except (BrokenPipeError, ConnectionResetError):
            pass
    # No more than the kernel keeps for both ends; collecting until the end took 13 MB and more.
    assert sent < 8 * 1024 * 1024


@pytest.mark.parametrize(
    "frames",
    [
        [spelled(CONTINUATION, b"of nothing")],
        [spelled(TEXT, b"one", fin=False), spelled(TEXT, b"two")],
        [spelled(TEXT, b"compressed?", bits=0x40)],
        [spelled(CONTINUATION, b"x", bits=0x10)],
        [spelled(3, b"no such kind")],
        [spelled(PING, b"in pieces", fin=False)],
        [spelled(PING, b"x" * 126)],
        [b"\x81\x05hello"],
        [spelled(CLOSE, b"x")],
    ],
    ids=[
        "continuation of nothing",
        "a text within a text",
        "reserved bit",
        "reserved bit of a piece",
        "unknown opcode",
        "ping in pieces",
        "large ping",
        "not masked",
        "close of one byte",
    ],
)
def test_what_breaks_the_protocol_is_closed_with_1002(
    gateway: GatewayRig, script: Script, frames: list[bytes]
) -> None:
    with RawPage(gateway.port) as page:
        for frame in frames:
            page.socket.sendall(frame)
        assert page.closed_with()[0] == 1002
        script.relay().until("page_gone")


@pytest.mark.parametrize(
    ("said", "answer"),
    [(b"\x03\xe8bye", 1000), (b"", 1000), (b"\x0f\xa1", 4001), (b"\x03\xe9", 1001)],
)
def test_a_close_is_answered_and_hung_up(
    gateway: GatewayRig, script: Script, said: bytes, answer: int
) -> None:
    with RawPage(gateway.port) as page:
        page.send(CLOSE, said)
        assert page.closed_with()[0] == answer
        assert page.ended()
        script.relay().until("page_gone")


def test_what_was_sent_before_a_close_arrives_before_it(
    gateway: GatewayRig, script: Script
) -> None:
    def leave(relay: ScriptedRelay, _: Any) -> None:
        relay.hands.to_page(b"last words")
        relay.page_here = False
        relay.hands.close_page(4001, "come_back")
        relay.hands.to_page(b"never seen")

    script.on["page_sent"] = leave
    with RawPage(gateway.port) as page:
        page.send(TEXT, b"go")
        assert page.frame() == (TEXT, b"last words")
        assert page.closed_with() == (4001, "come_back")
        page.send(TEXT, b"ignored")
        page.send(CLOSE, b"\x0f\xa1")
        assert page.ended()


def test_a_page_that_does_not_answer_a_close_is_cut_after_a_while(
    raise_gateway: Raise, script: Script
) -> None:
    def leave(relay: ScriptedRelay, _: Any) -> None:
        relay.page_here = False
        relay.hands.close_page(1000, "ended")

    script.on["page_sent"] = leave
    rules = SocketRules(close_patience=milliseconds(200))
    with raise_gateway(rules=rules) as gateway, RawPage(gateway.port) as page:
        page.send(TEXT, b"go")
        assert page.closed_with()[0] == 1000
        before = time.monotonic()
        assert page.ended()
        assert 0.1 < time.monotonic() - before < 3


def test_a_silent_page_is_pinged_and_one_that_answers_stays(
    raise_gateway: Raise, script: Script
) -> None:
    rules = SocketRules(ping_every=milliseconds(100), pong_patience=milliseconds(300))
    with raise_gateway(rules=rules) as gateway, RawPage(gateway.port) as page:
        for _ in range(5):
            assert page.frame() == (PING, b"")
            page.send(PONG)
        page.send(TEXT, b"still here")
        assert script.relay().until("page_sent") == b"still here"


@pytest.mark.parametrize("trickle", [b"", spelled(TEXT, b"x" * 1000), b"ping"])
def test_a_page_without_a_sign_of_life_is_cut(
    raise_gateway: Raise, script: Script, trickle: bytes
) -> None:
    rules = SocketRules(ping_every=milliseconds(200), pong_patience=milliseconds(200))
    with raise_gateway(rules=rules) as gateway, RawPage(gateway.port) as page:
        relay = script.relay()
        page.socket.settimeout(0.02)
        sent, deadline = 0, time.monotonic() + 10
        try:
            while time.monotonic() < deadline:
                # A byte now and then, or pings of its own: neither is an answer.
                page.socket.sendall(
                    spelled(PING, b"") if trickle == b"ping" else trickle[sent : sent + 1]
                )
                sent += 1
                try:
                    if not page.socket.recv(100):
                        break
                except TimeoutError:
                    continue
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert time.monotonic() < deadline - 5, "it was borne for as long as it liked"
        relay.until("page_gone")


def test_a_page_that_leaves_without_a_word_is_noticed(gateway: GatewayRig, script: Script) -> None:
    page = RawPage(gateway.port)
    relay = script.relay()
    page.socket.close()
    relay.until("page_gone")
    assert gateway.pages == 0


def test_a_fault_of_ours_closes_that_page_with_1011_and_no_other(
    gateway: GatewayRig, script: Script
) -> None:
    def fail(_: ScriptedRelay, text: bytes) -> None:
        if text == b"fail":
            raise RuntimeError("a fault")

    script.on["page_sent"] = fail
    with RawPage(gateway.port) as good, RawPage(gateway.port) as bad:
        bad.send(TEXT, b"fail")
        assert bad.closed_with() == (1011, "")
        first, second = script.relay(), script.relay()
        good.send(TEXT, b"fine")
        assert b"fine" in {first.until("page_sent"), second.until("page_sent")}
