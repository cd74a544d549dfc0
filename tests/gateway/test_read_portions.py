"""A gateway that was kept from its work for a moment does not take in at once all that has come."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from gateway_rig import GatewayRig, Raise
from messaging_peer import messaging_peer
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not in its stubs
from raw_page import RawPage, spelled
from scripted_house import LIMIT_S, Script

from bff.gateway.read_portions import PORTION_BYTES

TEXT, LAST = 1, b"that was all"
# Many small ones: what must be kept between two reads is next to nothing.
SMALL = b"x" * 1000
MEGABYTES_OF_THEM = 8_000


@contextmanager
def held(gateway: GatewayRig) -> Iterator[None]:
    """Keep the loop from its work."""
    go_on, stands = threading.Event(), threading.Event()

    def stand() -> None:
        stands.set()
        go_on.wait(LIMIT_S)

    gateway.loop.call_soon_threadsafe(stand)
    assert stands.wait(LIMIT_S)
    try:
        yield
    finally:
        go_on.set()


def piled_up(sock: socket.socket, words: bytes) -> memoryview:
    """Send as much as the kernels keep for a reader who does not read; return the rest."""
    rest = memoryview(words)
    sock.setblocking(False)
    try:
        while rest:
            rest = rest[sock.send(rest) :]
    except BlockingIOError:
        pass
    sock.settimeout(LIMIT_S)
    return rest


def room(protocol: WSProtocol) -> int:
    """Return how much picows keeps to read into, behind what waits for its end."""
    return len(WSProtocol.get_buffer(protocol, -1))


def test_a_page_that_wrote_much_meanwhile_is_read_in_portions(
    raise_gateway: Raise, script: Script
) -> None:
    words = spelled(TEXT, SMALL) * MEGABYTES_OF_THEM + spelled(TEXT, LAST)
    with raise_gateway() as gateway, RawPage(gateway.port) as page:
        relay = script.relay()
        with held(gateway):
            rest = piled_up(page.socket, words)
        page.socket.sendall(rest)
        while relay.until("page_sent") != LAST:
            pass
        (protocol,) = gateway.gateway._pages
        assert gateway.here(lambda: room(protocol)) <= 2 * PORTION_BYTES


def test_a_genesys_that_said_much_meanwhile_is_read_in_portions(
    raise_gateway: Raise, script: Script
) -> None:
    script.on["start"] = lambda relay, _: relay.hands.dial("/v1", after=timedelta(0))
    words = unmasked(SMALL) * MEGABYTES_OF_THEM + unmasked(LAST)
    with (
        messaging_peer() as genesys,
        raise_gateway(messaging_url=genesys.url) as gateway,
        RawPage(gateway.port),
    ):
        relay = script.relay()
        relay.until("genesys_opened")
        sock = genesys.connection().socket
        with held(gateway):
            rest = piled_up(sock, words)
        sock.sendall(rest)
        while relay.until("genesys_sent") != LAST:
            pass
        (link,) = gateway.gateway.crowd.links
        assert link._transport is not None
        protocol = link._transport.underlying_transport.get_protocol()
        assert gateway.here(lambda: room(protocol)) <= 2 * PORTION_BYTES
        gateway.here(lambda: relay.hands.hang_up(1000))


def unmasked(text: bytes) -> bytes:
    """Return a frame as a server spells it."""
    long = len(text) >= 126
    length = b"\x7e" + len(text).to_bytes(2, "big") if long else bytes([len(text)])
    return b"\x81" + length + text
