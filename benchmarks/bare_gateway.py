"""Our core on the barest picows shell, in both shapes: the floor under the gateway.

    python benchmarks/bare_gateway.py [--upstream ws://127.0.0.1:…] [--trust certificate.pem]

No store, no desk, no `Origin`, no limits of size, no pings, no back-pressure: what a message costs
here is the relay and the sockets; what the gateway costs besides is its care.
"""

import argparse
import asyncio
import ssl
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import uvloop
from echo_upstream import LOOPBACK, READ_BUFFER_BYTES, WAITING_CONNECTIONS
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_connect,
    ws_create_server,
)
from under_load import EchoRelay, unhurried

from bff.adapters.system import SystemClock, SystemEntropy
from bff.guests.frame_keys import PageKeys
from bff.guests.guest_binding import GuestSessionId
from bff.guests.guest_tasks import (
    Answer,
    GuestOpened,
    GuestStillThere,
    LookAgain,
    OpenGuest,
    Task,
)
from bff.guests.relay import GuestRelay
from bff.guests.relay_hands import Visitor
from bff.guests.relay_plan import RelayPlan

LIFETIME: Final = timedelta(hours=1)


class GenesysEnd(WSListener):
    """The socket to the upstream."""

    def __init__(self, page: "PageEnd") -> None:
        self._page = page

    def on_ws_connected(self, transport: WSTransport) -> None:
        """It is open."""
        self._page.genesys = transport
        self._page.relay.genesys_opened()
        self._page.settle()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """It said something."""
        if frame.msg_type is WSMsgType.TEXT:
            self._page.relay.genesys_sent(frame.get_payload_as_memoryview())
            self._page.settle()
        else:
            transport.disconnect()


class PageEnd(WSListener):
    """One page, and `relay_hands.Hands` of its relay."""

    def __init__(self, shell: "BareShell", visitor: Visitor) -> None:
        self._shell = shell
        self._transport: WSTransport | None = None
        self._tasks: deque[Task] = deque()
        self.genesys: WSTransport | None = None
        kind = GuestRelay if shell.upstream else EchoRelay
        self.relay = cast("GuestRelay", kind(shell.plan, self, visitor))

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        self._transport = transport
        self.relay.start()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Hand a frame in, and look when to come back, as a shell must."""
        if frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
            return
        self.relay.page_sent(frame.get_payload_as_memoryview())
        self.settle()

    def settle(self) -> None:
        """After each call of the relay: answer what it asked, and look when to come back."""
        while self._tasks:
            self.relay.answered(self._shell.perform(self._tasks.popleft()))
        _ = self.relay.wake_at

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The page is gone."""
        del transport
        self._transport = None
        self.relay.page_gone()

    def to_page(self, text: bytes) -> None:
        """Send it."""
        if self._transport is not None:
            self._shell.send_soon(self._transport, text)

    def to_genesys(self, text: bytes) -> None:
        """Send it."""
        if self.genesys is not None:
            self._shell.send_soon(self.genesys, text)

    def ask(self, task: Task) -> None:
        """Answer it in a moment."""
        self._tasks.append(task)

    def close_page(self, code: int, reason: str) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.send_close(WSCloseCode(code), reason.encode())
            self._transport.disconnect()

    def dial(self, path: str, *, after: timedelta) -> None:
        """Dial at once."""
        del after
        self._shell.dial(path, self)

    def hang_up(self, code: int) -> None:
        """Close it."""
        del code
        if self.genesys is not None:
            self.genesys.disconnect()

    def watch(self, session_key: str) -> None:
        """Nobody signs in here."""


class BareShell:
    """What the pages of this process share."""

    def __init__(self, upstream: str | None, trust: str | None) -> None:
        entropy = SystemEntropy()
        self.upstream = upstream
        self._outgoing: list[tuple[WSTransport, bytes]] = []
        self._encryption = ssl.create_default_context(cafile=trust) if trust else None
        self._dialling: set[asyncio.Task[object]] = set()
        self.plan = unhurried(
            RelayPlan(
                clock=SystemClock(),
                entropy=entropy,
                scheme=PageKeys(entropy),
                deployment_id="benchmark",
                application="benchmark",
            )
        )

    def send_soon(self, transport: WSTransport, text: bytes) -> None:
        """Send at the end of the loop's turn, with what all others have to send.

        A frame that is written at once finds the other end asleep, and waking it costs more than
        writing; of those that are written together, most find it awake.
        """
        self._outgoing.append((transport, text))
        if len(self._outgoing) == 1:
            asyncio.get_running_loop().call_soon(self._send_all)

    def _send_all(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        for transport, text in outgoing:
            transport.send(WSMsgType.TEXT, text)

    def page(self, _: WSUpgradeRequest) -> PageEnd:
        """Take a page in, whoever it is."""
        browser = self.plan.entropy.token()
        visitor = Visitor(origin="https://example.com", address=LOOPBACK, browser_secret=browser)
        return PageEnd(self, visitor)

    def perform(self, task: Task) -> Answer:
        """Open a session that nobody keeps, and never lose it."""
        if isinstance(task, LookAgain):
            return GuestStillThere()
        if not isinstance(task, OpenGuest):
            raise SystemExit(f"nobody can {task}")
        entropy = self.plan.entropy
        return GuestOpened(
            session_id=GuestSessionId(entropy.token()),
            encrypted_session_id=entropy.token(59),
            guest_id=entropy.token(16),
            genesys_token=entropy.token(27),
            expires_at=datetime.now(UTC) + LIFETIME,  # noqa: TID251 - a benchmark's clock
            resumed=False,
        )

    def dial(self, path: str, page: PageEnd) -> None:
        """Open a socket to the upstream."""
        dialling = asyncio.get_running_loop().create_task(
            ws_connect(
                lambda: GenesysEnd(page),
                f"{self.upstream}{path}",
                ssl_context=self._encryption,
                read_buffer_init_size=READ_BUFFER_BYTES,
            )
        )
        self._dialling.add(dialling)
        dialling.add_done_callback(self._dialling.discard)

    async def serve(self, port: int) -> None:
        """Serve until killed."""
        server = await ws_create_server(
            self.page,
            LOOPBACK,
            port,
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
    parser.add_argument("--upstream", help="the proxy shape; without it, the echo shape")
    parser.add_argument("--trust", help="a PEM file: whom to trust in the upstream's TLS")
    arguments = parser.parse_args()
    uvloop.run(BareShell(arguments.upstream, arguments.trust).serve(arguments.port))


if __name__ == "__main__":
    main()
