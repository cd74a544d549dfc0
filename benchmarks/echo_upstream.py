"""The far end of the proxy shape: speaks just enough web messaging, and is as cheap as can be.

It answers `configureSession` with a SessionResponse, and each `onMessage` with its echo, as Genesys
spells it. It checks nothing and keeps nothing. Started by `frames_per_cpu.py`.
"""

import argparse
import ssl
from typing import Final

import msgspec
import uvloop
from msgspec import Raw, Struct, field
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

LOOPBACK: Final = "127.0.0.1"
READ_BUFFER_BYTES: Final = 1024
WAITING_CONNECTIONS: Final = 4096

_CONFIGURED: Final = (
    b'{"type":"response","class":"SessionResponse","code":200,'
    b'"body":{"connected":true,"newSession":true,"readOnly":false},"tracingId":"%s"}'
)
_ECHO: Final = (
    b'{"type":"message","class":"StructuredMessage","code":200,"body":{"direction":"Inbound",'
    b'"id":"%032d","channel":{"time":"2026-11-20T10:00:00.000Z",'
    b'"messageId":"00000000-0000-4000-8000-%012d"},%s,"tracingId":"%s"}'
)


class _Request(Struct, rename="camel"):
    action: str
    tracing_id: str
    message: Raw = field(default_factory=Raw)


_read = msgspec.json.Decoder(_Request).decode


class Echo(WSListener):
    """One session."""

    __slots__ = ("_heard",)

    def __init__(self) -> None:
        self._heard = 0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer a request."""
        if frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
            return
        request = _read(frame.get_payload_as_memoryview())
        tracing_id = request.tracing_id.encode()
        if request.action == "onMessage":
            self._heard += 1
            number = self._heard
            # The message goes back as it is, behind its opening brace.
            echo = _ECHO % (number, number, bytes(request.message)[1:], tracing_id)
            transport.send(WSMsgType.TEXT, echo)
        elif request.action == "configureSession":
            transport.send(WSMsgType.TEXT, _CONFIGURED % tracing_id)


async def serve(port: int, encryption: ssl.SSLContext | None) -> None:
    """Serve until killed."""

    def echo(_: WSUpgradeRequest) -> Echo:
        return Echo()

    server = await ws_create_server(
        echo,
        LOOPBACK,
        port,
        ssl=encryption,
        backlog=WAITING_CONNECTIONS,
        websocket_handshake_timeout=60,
        read_buffer_init_size=READ_BUFFER_BYTES,
    )
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate", help="a PEM file with key and certificate: serve TLS")
    arguments = parser.parse_args()
    encryption = None
    if arguments.certificate:
        encryption = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        encryption.load_cert_chain(arguments.certificate)
    uvloop.run(serve(arguments.port, encryption))


if __name__ == "__main__":
    main()
