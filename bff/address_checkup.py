"""What `check` can find out about the address that browsers use."""

import socket
import ssl
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from bff.findings import Finding, fine, note, warning

HTTPS_PORT: Final = 443
PATIENCE_S: Final = 5.0
HTTP_2: Final = "h2"
HTTP_1: Final = "http/1.1"
WHY: Final = (
    "each open tab keeps an event stream, and over HTTP/1.1 a browser opens six connections to "
    "one host: what the sixth tab asks would wait"
)


def examine_address(public_url: str) -> Iterator[Finding]:
    """Yield whether the address speaks HTTP/2; nothing for plain HTTP, where no browser does."""
    parts = urlsplit(public_url)
    if parts.scheme != "https" or not parts.hostname:
        return
    try:
        agreed = agreed_protocol(parts.hostname, parts.port or HTTPS_PORT)
    except OSError as error:
        yield note(
            f"{public_url}: not reached from here ({error})",
            f"see that it speaks HTTP/2 where browsers are: {WHY}",
        )
        return
    if agreed == HTTP_2:
        yield fine(f"{public_url} speaks HTTP/2")
    else:
        yield warning(
            f"{public_url} speaks HTTP/1.1 only",
            f"switch HTTP/2 on in the proxy in front of it: {WHY}",
        )


def agreed_protocol(host: str, port: int) -> str | None:
    """Return what a server chooses of HTTP/2 and HTTP/1.1, by ALPN (RFC 7301); None: nothing.

    Raises:
        OSError: there is no connection, or no TLS that this machine believes.

    """
    trust = ssl.create_default_context()
    trust.set_alpn_protocols([HTTP_2, HTTP_1])
    with (
        socket.create_connection((host, port), timeout=PATIENCE_S) as plain,
        trust.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return secure.selected_alpn_protocol()
