"""Runs an upstream over real sockets to the stand-in: one owner thread, one reader a socket."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import websocket
from genesys_rig import BRAND_ORIGIN, DEADLINE_S, GenesysRig
from hand_clock import START

from bff.adapters.system import SystemEntropy
from bff.guests.upstream import Upstream
from bff.guests.upstream_news import (
    Action,
    AskHistory,
    AskJwt,
    Connect,
    Delivered,
    Disconnect,
    Ended,
    Failed,
    Left,
    Write,
)
from bff.guests.upstream_policy import UpstreamPolicy
from bff.simulator.genesys_settings import DEMO_DEPLOYMENT

SPEED: Final = 10
# On this clock a tenth of it is real time; threads of a busy machine need some.
POLICY: Final = UpstreamPolicy(
    back_off_step=timedelta(seconds=2), settle=timedelta(seconds=8), messages_a_second=3
)


class HurriedClock:
    """Keeps `ports.Clock` and can be turned; a real second is many of its seconds."""

    def __init__(self) -> None:
        self.shift = timedelta(0)
        self._began = time.monotonic()

    def now(self) -> datetime:
        return START + timedelta(seconds=(time.monotonic() - self._began) * SPEED) + self.shift

    def sleep(self, duration: timedelta) -> None:
        threading.Event().wait(duration.total_seconds() / SPEED)


def _dialled(url: str, path: str) -> Any:
    socket: Any = websocket.WebSocket()
    socket.settimeout(DEADLINE_S)
    address = url.replace("http", "ws", 1).replace("genesys.localhost", "127.0.0.1")
    try:
        socket.connect(address + path, origin=BRAND_ORIGIN)
    except BaseException:
        socket.shutdown()
        raise
    return socket


class UpstreamDriver:
    """What a shell does, in threads: whatever happens is a call in the owner's queue."""

    def __init__(
        self, rig: GenesysRig, clock: HurriedClock, tokens: dict[str, str] | None, token: str
    ) -> None:
        self.log: list[Action] = []
        self.tokens = tokens
        self.upstream = Upstream(
            token=token,
            deployment_id=DEMO_DEPLOYMENT,
            application="messenger-bff-test",
            clock=clock,
            entropy=SystemEntropy(),
            authenticated=tokens is not None,
            policy=POLICY,
        )
        self._rig = rig
        self._clock = clock
        self._calls: queue.SimpleQueue[Callable[[], list[Action]] | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._dial_at: tuple[datetime, str] | None = None
        self._socket: Any = None
        self._readers: list[threading.Thread] = []
        self._owner = threading.Thread(target=self._serve, daemon=True)
        self._owner.start()

    def call(self, method: Callable[..., list[Action]], *args: Any) -> None:
        """Let the owner call a method of the upstream."""
        self._calls.put(partial(method, *args))

    def send(self, text: str, tracing_id: str) -> None:
        self.call(self.upstream.send, {"type": "Text", "text": text}, tracing_id)

    def until(self, wanted: Callable[[], Any]) -> None:
        with self._changed:
            assert self._changed.wait_for(wanted, timeout=3 * DEADLINE_S), self.log

    def told(self, kind: type[Any]) -> list[Any]:
        return [action for action in list(self.log) if isinstance(action, kind)]

    @property
    def delivered(self) -> int:
        """Return how many messages were told delivered."""
        return len(self.told(Delivered))

    def fates(self) -> dict[str, int]:
        """Return how often each message was told delivered or failed."""
        names = [action.tracing_id for action in [*self.told(Delivered), *self.told(Failed)]]
        return {name: names.count(name) for name in names}

    def stop(self) -> None:
        self._calls.put(None)
        self._owner.join(DEADLINE_S)
        self._drop_socket()
        for reader in self._readers:
            reader.join(DEADLINE_S)

    # The owner thread

    def _serve(self) -> None:
        while True:
            try:
                call = self._calls.get(timeout=self._patience())
            except queue.Empty:
                call = self.upstream.tick
            if call is None:
                return
            self._do(call())
            if self._dial_at is not None and self._dial_at[0] <= self._clock.now():
                self._dial(self._dial_at[1])

    def _patience(self) -> float:
        # The clock may be turned at any moment: never sleep long.
        wakes = [self.upstream.wake_at, self._dial_at[0] if self._dial_at else None]
        left = [(wake - self._clock.now()).total_seconds() / SPEED for wake in wakes if wake]
        return max(0.0, min([*left, 0.05]))

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            with self._changed:
                self.log.append(action)
                self._changed.notify_all()
            match action:
                case Connect(after=after, path=path):
                    self._dial_at = self._clock.now() + after, path
                case Write(text=text):
                    # A broken pipe is the reader's news.
                    with contextlib.suppress(websocket.WebSocketException, OSError):
                        self._socket.send(text.decode())
                case Disconnect():
                    self._dial_at = None
                    self._drop_socket()
                case AskJwt(refresh=refresh):
                    self._calls.put(partial(self._jwt, refresh=refresh))
                case AskHistory():
                    self._calls.put(partial(self._history, action))
                case _:
                    pass

    def _dial(self, path: str) -> None:
        self._dial_at = None
        try:
            self._socket = _dialled(self._rig.url, path)
        except websocket.WebSocketBadStatusException as refused:
            self._do(self.upstream.refused(refused.status_code))
        except (websocket.WebSocketException, OSError):
            self._do(self.upstream.closed())
        else:
            reader = threading.Thread(target=self._read, args=(self._socket,), daemon=True)
            self._readers.append(reader)
            reader.start()
            self._do(self.upstream.opened())

    def _drop_socket(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            with contextlib.suppress(websocket.WebSocketException, OSError):
                socket.send_close()

    def _jwt(self, *, refresh: bool) -> list[Action]:
        assert self.tokens is not None
        if refresh:
            answer = self._rig.refresh(self.tokens["refreshToken"])
            if not answer.ok:
                return self.upstream.jwt_failed(refused=True)
            self.tokens["jwt"] = answer.json()["jwt"]
        return self.upstream.jwt_ready(self.tokens["jwt"])

    def _history(self, ask: AskHistory) -> list[Action]:
        path = f"/api/v2/webmessaging/messages?pageSize=25&pageNumber={ask.page}"
        answer = self._rig.call("GET", path, headers={"Authorization": f"bearer {ask.jwt}"})
        return self.upstream.history(answer.text) if answer.ok else self.upstream.history_failed()

    # The reader threads

    def _read(self, socket: Any) -> None:
        try:
            while (text := socket.recv()) and socket.connected:
                self._calls.put(partial(self._of, socket, self.upstream.received, text))
        except (websocket.WebSocketException, OSError):
            pass
        self._calls.put(partial(self._of, socket, self._lost))
        socket.shutdown()

    def _lost(self) -> list[Action]:
        self._socket = None
        return self.upstream.closed(1006, "")

    def _of(self, socket: Any, call: Callable[..., list[Action]], *args: Any) -> list[Action]:
        """Call only while it is still about the socket in use."""
        return call(*args) if socket is self._socket else []

    @property
    def is_over(self) -> bool:
        return bool(self.told(Ended) or self.told(Left))


@contextmanager
def driven(
    rig: GenesysRig, *, tokens: dict[str, str] | None = None, token: str
) -> Iterator[UpstreamDriver]:
    """Start an upstream against the stand-in for one test."""
    driver = UpstreamDriver(rig, rig.clock, tokens, token)
    try:
        driver.call(driver.upstream.start)
        yield driver
    finally:
        driver.stop()
