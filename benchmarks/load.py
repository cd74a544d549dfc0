"""The load generator: N pages in a closed loop, each sends when its last frame was answered.

One command a line on its standard input, one answer a line on its output, both JSON:

    {"do": "open", "url": "ws://…", "wire": "page", "count": 50, "proxied": false, "origin": "…"}
    {"do": "sign", "frames": 400}      each page has so many frames ready
    {"do": "send"}                     all of them are sent and answered: one window
    {"do": "close"}

What it takes to sign is spent before a window, so that in it there is nothing to do but to send
and to count. Its own processor time is in each answer: it must be less than the server's, or it
would be the bottleneck. Started by `frames_per_cpu.py`.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import uvloop
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from wires import PageWire, PeerWire, SharedWire, Wire

ACCEPTED: Final = b'{"type":"message_accepted"'
CREATED: Final = b'{"type":"session_created"'
AT_ONCE: Final = 50
PATIENCE_S: Final = 120.0
READ_BUFFER_BYTES: Final = 1024

_WireMaker: TypeAlias = Callable[[], Wire]


class Meter:
    """What the pages of this process measure together."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self.busy = 0
        self.over = asyncio.Event()
        self.fault = ""

    def fail(self, fault: str) -> None:
        """A benchmark with a fault measures nothing: stop."""
        self.fault = self.fault or fault
        self.over.set()

    async def until_over(self) -> None:
        """Wait for the end of a window."""
        async with asyncio.timeout(PATIENCE_S):
            await self.over.wait()
        if self.fault:
            raise SystemExit(self.fault)


class Page(WSListener):
    """One connection."""

    def __init__(self, wire: Wire, meter: Meter, *, proxied: bool) -> None:
        self._wire = wire
        self._meter = meter
        self._last = wire.delivered if proxied else ACCEPTED
        self._transport: WSTransport | None = None
        self._ready: list[bytes] = []
        self._sent_at = 0.0
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.accepted = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Say who we are."""
        self._transport = transport
        transport.send(WSMsgType.TEXT, self._wire.init())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take an answer; if it was the last one to a frame, send the next."""
        now = time.perf_counter()
        if frame.msg_type is not WSMsgType.TEXT:
            self._take_control_frame(transport, frame)
            return
        raw = frame.get_payload_as_bytes()
        if raw.startswith(ACCEPTED):
            self.accepted += 1
        if raw.startswith(self._last):
            self._meter.took.append(now - self._sent_at)
            self.send_next()
        elif not raw.startswith(ACCEPTED):
            self._take_other(raw)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Nobody closes during a benchmark but we."""
        self._transport = None
        self._meter.fail(f"the server closed: {transport.close_handshake}")
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed before the session was there"))

    def sign(self, count: int) -> None:
        """Have so many frames ready."""
        frames = [self._wire.frame() for _ in range(count)]
        frames.reverse()
        self._ready = frames

    def send_next(self) -> None:
        """Send the next frame that is ready, or be done."""
        if self._ready and self._transport is not None:
            self._sent_at = time.perf_counter()
            self._transport.send(WSMsgType.TEXT, self._ready.pop())
            return
        self._meter.busy -= 1
        if not self._meter.busy:
            self._meter.over.set()

    async def close(self) -> None:
        """Go."""
        if self._transport is not None:
            transport, self._transport = self._transport, None
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
            await transport.wait_disconnected()

    def _take_control_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            self._meter.fail(f"closed with {frame.get_close_code()} {frame.get_close_reason()}")
            transport.disconnect()

    def _take_other(self, raw: bytes) -> None:
        if raw.startswith(CREATED):
            self._wire.learn(json.loads(raw))
            self.opened.set_result(None)
        elif raw.startswith(b'{"type":"error"'):
            self._meter.fail(f"refused: {raw.decode()}")


class Generator:
    """Does what it is told."""

    def __init__(self, secret: bytes) -> None:
        self._wires: dict[str, _WireMaker] = {
            "peer": lambda: PeerWire(secret),
            "page": PageWire,
            "shared": lambda: SharedWire(secret),
        }
        self._meter = Meter()
        self._pages: list[Page] = []

    async def open(
        self, *, url: str, wire: str, count: int, proxied: bool = False, origin: str = ""
    ) -> dict[str, Any]:
        """Open so many pages more, some at a time."""

        async def one(number: int) -> Page:
            # An address for each page: the limit of new sessions for one address stays as it is.
            address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
            headers = {"Origin": origin, "X-Forwarded-For": address} if origin else {}
            page = Page(self._wires[wire](), self._meter, proxied=proxied)
            await ws_connect(
                lambda: page,
                url,
                extra_headers=headers,
                read_buffer_init_size=READ_BUFFER_BYTES,
                websocket_handshake_timeout=PATIENCE_S,
            )
            async with asyncio.timeout(PATIENCE_S):
                await page.opened
            return page

        for first in range(0, count, AT_ONCE):
            known = len(self._pages)
            some = [one(known + step) for step in range(min(AT_ONCE, count - first))]
            self._pages += await asyncio.gather(*some)
        return {"pages": len(self._pages)}

    async def sign(self, *, frames: int) -> dict[str, Any]:
        """Let each page have so many frames ready."""
        for page in self._pages:
            page.sign(frames)
        gc.collect()
        return {"ready": frames * len(self._pages)}

    async def send(self) -> dict[str, Any]:
        """Send everything that is ready; return what it took."""
        meter = self._meter
        meter.took = []
        meter.busy = len(self._pages)
        meter.over.clear()
        accepted = sum(page.accepted for page in self._pages)
        gc.disable()
        spent, began = _spent(), time.perf_counter()
        for page in self._pages:
            page.send_next()
        await meter.until_over()
        seconds, spent = time.perf_counter() - began, _spent() - spent
        gc.enable()
        accepted = sum(page.accepted for page in self._pages) - accepted
        if accepted != len(meter.took):
            raise SystemExit(f"{accepted} accepted of {len(meter.took)}")
        return {"frames": len(meter.took), "seconds": seconds, "cpu_s": spent, **_quantiles(meter)}

    async def close(self) -> dict[str, Any]:
        """Close all pages."""
        await asyncio.gather(*(page.close() for page in self._pages))
        self._pages, self._meter = [], Meter()
        return {"pages": 0}


def _quantiles(meter: Meter) -> dict[str, float]:
    took = sorted(meter.took)
    return {f"p{share}_ms": took[len(took) * share // 100] * 1000 for share in (50, 99)}


def _spent() -> float:
    """Return the seconds of processor time that this process has taken."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def obey(generator: Generator) -> None:
    """Take commands until there are no more."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        answer = await getattr(generator, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)


def main() -> None:
    """Take the secret as the first line, then commands."""
    secret = sys.stdin.readline().strip().encode()
    uvloop.run(obey(Generator(secret)))


if __name__ == "__main__":
    main()
