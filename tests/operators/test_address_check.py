"""`messenger-bff check` tells what browsers will find at the public address."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from own_certificate import OwnCertificate, own_certificate

from bff.address_checkup import examine_address
from bff.findings import Finding, Verdict


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnCertificate:
    """Return a certificate that this machine believes."""
    made = own_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


@contextmanager
def listening(certificate: OwnCertificate, *protocols: str) -> Iterator[str]:
    """Shake hands with whoever comes, and hang up; yield the address."""
    context = certificate.server_side()
    if protocols:
        context.set_alpn_protocols(protocols)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"https://localhost:{server.getsockname()[1]}"
        thread.join(10)


def found_at(address: str) -> Finding:
    (finding,) = examine_address(address)
    return finding


def test_an_address_that_speaks_http_2_is_fine(certificate: OwnCertificate) -> None:
    with listening(certificate, "h2", "http/1.1") as address:
        finding = found_at(address)

    assert finding.verdict is Verdict.OK
    assert finding.what == f"{address} speaks HTTP/2"


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)])
def test_one_that_does_not_is_something_to_consider(
    certificate: OwnCertificate, protocols: tuple[str, ...]
) -> None:
    with listening(certificate, *protocols) as address:
        finding = found_at(address)

    assert finding.verdict is Verdict.WARNING
    assert finding.what == f"{address} speaks HTTP/1.1 only"
    assert "switch HTTP/2 on in the proxy" in finding.fix


def test_what_cannot_be_reached_is_not_taken_for_a_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"https://127.0.0.1:{server.getsockname()[1]}"
    finding = found_at(address)

    assert finding.verdict is Verdict.NOTE
    assert "not reached from here" in finding.what
    assert "HTTP/2" in finding.fix


def test_a_certificate_that_nobody_vouches_for_is_told(tmp_path: Path) -> None:
    with listening(own_certificate(tmp_path)) as address:
        finding = found_at(address)

    assert finding.verdict is Verdict.NOTE
    assert "certificate verify failed" in finding.what


def test_nothing_is_asked_of_an_address_without_tls() -> None:
    assert list(examine_address("http://localhost:8000")) == []
