"""Whatever another server sends, we read so many bytes for so long, and no inner host is called."""

import gzip
import resource
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress

import brotli
import pytest
import requests
from scripted_server import Scripted, ScriptedServer

from bff.adapters.http_client import (
    LONGEST_BODY,
    AnswerTooLongError,
    InnerAddressError,
    http_session,
    json_object,
)
from bff.adapters.provider_metadata import fetch_json
from bff.errors import IdentityProviderDownError, ProviderAnswerError

BOMB_BYTES = 300 * 1024 * 1024


def pieces_until(server: ScriptedServer, piece: bytes, pause_s: float) -> Iterator[bytes]:
    """Send a piece at a time for as long as somebody reads."""
    while not server.over.wait(pause_s):
        yield piece


def bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1024 * 1024)
    packed = b"".join(packer.compress(block) for _ in range(BOMB_BYTES // len(block)))
    return packed + packer.flush()


class SlowHeaders(threading.Thread):
    """Accepts connections and sends one header for ever, a byte at a time."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self._listener = listener

    def run(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not self.over.wait(0.05):
                connection.sendall(b"a")


def memory_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_a_bomb_of_gzip_is_not_unpacked(server: ScriptedServer) -> None:
    server.always("/jwks", Scripted(body=bomb(), headers={"Content-Encoding": "gzip"}))
    before = memory_kib()

    with pytest.raises(AnswerTooLongError):
        http_session().get(f"{server.url}/jwks")

    assert memory_kib() - before < 64 * 1024, "far less than what it unpacks to"


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate", "br"])
def test_the_limit_counts_what_was_unpacked(server: ScriptedServer, encoding: str) -> None:
    pack = {
        "identity": bytes,
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": brotli.compress,
    }[encoding]
    headers = {} if encoding == "identity" else {"Content-Encoding": encoding}
    server.always("/fits", Scripted(body=pack(b"x" * LONGEST_BODY), headers=headers))
    server.always("/long", Scripted(body=pack(b"x" * (LONGEST_BODY + 1)), headers=headers))

    assert len(http_session().get(f"{server.url}/fits").content) == LONGEST_BODY
    with pytest.raises(AnswerTooLongError):
        http_session().get(f"{server.url}/long")


def test_a_byte_at_a_time_does_not_go_on_for_ever(server: ScriptedServer) -> None:
    server.answers["/slow"] = lambda: Scripted(body=pieces_until(server, b" ", 0.05))
    began = time.monotonic()

    with pytest.raises(requests.RequestException):
        http_session(total_s=1).get(f"{server.url}/slow")

    assert time.monotonic() - began < 10


def test_headers_at_a_byte_a_time_do_not_go_on_for_ever_either() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.settimeout(10)
        session = http_session(total_s=1)
        began = time.monotonic()
        sender = SlowHeaders(listener)
        sender.start()
        try:
            with pytest.raises(requests.RequestException):
                session.get(f"http://127.0.0.1:{port}/")
        finally:
            sender.over.set()
            sender.join()

    assert time.monotonic() - began < 10


def test_no_answer_at_all_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = time.monotonic()
        with pytest.raises(requests.RequestException):
            http_session(total_s=1).get(f"http://127.0.0.1:{listener.getsockname()[1]}/")

    assert time.monotonic() - began < 10, "the second try is within the same time"


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"a":' * 60_000, b"[]", b"nonsense", b"\xff"])
def test_what_is_no_json_object_is_none(server: ScriptedServer, body: bytes) -> None:
    server.always("/odd", Scripted(body=body))

    assert json_object(http_session().get(f"{server.url}/odd")) is None
    with pytest.raises(ProviderAnswerError, match="no JSON object"):
        fetch_json(http_session(), f"{server.url}/odd")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_told_as_what_it_is(server: ScriptedServer, status: int) -> None:
    where = {"Location": "https://idp.example/new/keys?secret=1"}
    server.always("/moved", Scripted(status=status, headers=where))

    with pytest.raises(ProviderAnswerError) as told:
        fetch_json(http_session(), f"{server.url}/moved")

    assert f"{status}, a redirect to https://idp.example/new/keys;" in told.value.detail
    assert "secret" not in told.value.detail


@pytest.mark.parametrize(("status", "meant"), [(500, "down"), (503, "down"), (404, "answer")])
def test_refused_and_unreachable_are_told_apart(
    server: ScriptedServer, status: int, meant: str
) -> None:
    server.always("/x", Scripted(status=status))
    error = IdentityProviderDownError if meant == "down" else ProviderAnswerError

    with pytest.raises(error):
        fetch_json(http_session(), f"{server.url}/x")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0", "::", "::ffff:127.0.0.1"],
)
def test_an_inner_address_is_not_even_dialled(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    dialled: list[object] = []
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = [(family, socket.SOCK_STREAM, 6, "", (address, 9))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: found)
    monkeypatch.setattr(socket.socket, "connect", lambda _, where: dialled.append(where))

    with pytest.raises(InnerAddressError, match=r"rebound\.example resolves to .* inner address"):
        http_session().get("http://rebound.example:9/")

    assert dialled == []


def test_one_inner_address_among_others_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 9))
        for address in ("192.0.2.1", "127.0.0.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: found)

    with pytest.raises(InnerAddressError):
        http_session(total_s=1).get("http://rebound.example:9/")


def test_the_second_address_is_tried_when_the_first_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer
) -> None:
    port = int(server.url.rpartition(":")[2])
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
        for address in ("127.0.0.2", "127.0.0.1")
    ]
    server.always("/there", Scripted(body=b"yes"))
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *args, **more: found if host == "127.0.0.1" else real(host, *args, **more),
    )

    assert http_session().get(f"http://two.localhost:{port}/there").content == b"yes"
