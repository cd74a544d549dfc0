"""The thin shell around web messaging: one receiver and one sender for each socket."""

import contextlib
import queue
import threading
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask_sock import Sock
from simple_websocket import ConnectionClosed
from wsproto.utilities import LocalProtocolError

from bff.ports import Clock
from bff.simulator.genesys_errors import PlatformRefusal
from bff.simulator.genesys_faults import Door
from bff.simulator.genesys_frames import Delivery
from bff.simulator.genesys_messaging import WebMessaging
from bff.simulator.genesys_settings import UnknownDeployment

if TYPE_CHECKING:
    from bff.simulator.genesys_state import GenesysState

SOCKET_PATH: Final = "/v1"
SWEEP_S: Final = 0.5
MAX_FRAME_BYTES: Final = 256 * 1024
ORIGIN_REFUSED: Final = 403
UNKNOWN_DEPLOYMENT: Final = {
    UnknownDeployment.UPGRADE_403: 403,
    UnknownDeployment.UPGRADE_400: 400,
}


class DaemonThread(threading.Thread):
    """A reader that does not keep the process alive when a client never says goodbye."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(daemon=True, **kwargs)


class Outbox:
    """The only one who writes to a socket; frames leave in the order they were put in."""

    def __init__(self, socket: Any, clock: Clock) -> None:
        self._socket = socket
        self._clock = clock
        self._waiting: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send_all, daemon=True)
        self._thread.start()

    def put(self, delivery: Delivery | None) -> None:
        """Queue a delivery; None ends the sender."""
        self._waiting.put(delivery)

    def stop(self) -> None:
        """Send what is queued and wait for the sender to end."""
        self.put(None)
        self._thread.join()

    def _send_all(self) -> None:
        while (delivery := self._waiting.get()) is not None:
            if delivery.after > timedelta(0):
                self._clock.sleep(delivery.after)
            # The other side may be gone at any moment; the receiver notices and cleans up. That
            # it has begun to close, wsproto may know before simple-websocket does.
            with contextlib.suppress(ConnectionClosed, LocalProtocolError, OSError):
                if delivery.frame is not None:
                    self._socket.send(delivery.text)
                if delivery.closes:
                    self._socket.close()


class SocketHub:
    """Which connection has which socket."""

    def __init__(self, messaging: WebMessaging, lock: threading.RLock, clock: Clock) -> None:
        self._messaging = messaging
        self._lock = lock
        self._clock = clock
        self._outboxes: dict[str, Outbox] = {}

    def post(self, deliveries: Iterable[Delivery]) -> None:
        """Hand deliveries to their senders. The caller holds the lock, so order is kept."""
        for delivery in deliveries:
            outbox = self._outboxes.get(delivery.connection)
            if outbox is not None:
                outbox.put(delivery)

    def attend(self, socket: Any, name: str) -> None:
        """Serve one socket until it ends."""
        outbox = Outbox(socket, self._clock)
        with self._lock:
            self._outboxes[name] = outbox
        try:
            self._listen(socket, name)
        except ConnectionClosed:
            pass
        finally:
            with self._lock:
                self._messaging.close(name)
                del self._outboxes[name]
            outbox.stop()

    def _listen(self, socket: Any, name: str) -> None:
        while True:
            text = socket.receive(timeout=SWEEP_S)
            with self._lock:
                self.post(self._messaging.sweep())
                if isinstance(text, str):
                    self.post(self._messaging.receive(name, text))


def refuse_before_upgrade(state: "GenesysState") -> Response | None:
    """Check deployment and Origin while the connection is still HTTP (section 6.1)."""
    if request.path != SOCKET_PATH:
        return None
    if request.headers.get("Upgrade", "").lower() != "websocket":
        return Response("This is a socket", status=400)
    try:
        state.faults.strike(Door.UPGRADE)
        _check_deployment_and_origin(state)
    except PlatformRefusal as refusal:
        return Response(refusal.message, refusal.status, refusal.headers())
    with state.lock:
        name = state.messaging.open(state.settings.deployment_id)
    if name is None:
        return Response("Too many connections", status=429)
    request.environ["genesys.connection"] = name
    return None


def _check_deployment_and_origin(state: "GenesysState") -> None:
    known = request.args.get("deploymentId") == state.settings.deployment_id
    noticed_as = UNKNOWN_DEPLOYMENT.get(state.behaviour.unknown_deployment)
    if not known and noticed_as is not None:
        raise PlatformRefusal(noticed_as, "Unknown deployment")
    host = urlsplit(request.headers.get("Origin", "")).hostname or ""
    if not state.settings.allows_host(host):
        raise PlatformRefusal(ORIGIN_REFUSED, "Origin is not allowed")


def open_socket(app: Flask, state: "GenesysState") -> None:
    """Add the web messaging socket to `app`."""
    app.config["SOCK_SERVER_OPTIONS"] = {
        "max_message_size": MAX_FRAME_BYTES,
        "thread_class": DaemonThread,
    }
    sock = Sock(app)
    app.before_request(lambda: refuse_before_upgrade(state))

    @sock.route(SOCKET_PATH)  # type: ignore[untyped-decorator]  # flask-sock ships no types
    def web_messaging(socket: Any) -> None:
        state.hub.attend(socket, request.environ["genesys.connection"])
