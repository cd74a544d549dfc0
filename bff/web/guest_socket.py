"""The guest socket inside the Flask application: flask-sock's route, a better-kept engine behind.

flask-sock's own server counts characters instead of bytes, queues without a bound, truncates
large answers under gevent and stops without a close frame, so its route is given
`adapters.framed_socket` instead.
"""

import threading
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Final, cast

from flask import Flask, Response, current_app, request
from flask.typing import ResponseReturnValue
from flask_sock import Sock

from bff.adapters.framed_socket import FramedSocket, UpgradeRefusedError, upgraded
from bff.errors import GuestsOffError, RequestRefusedError
from bff.guests.guest_house import GuestHouse
from bff.guests.guest_upgrade import PATH, Admission, UpgradeRequest, UpgradeRules, admit
from bff.web.doorway import EXTENSION as SERVICES
from bff.web.doorway import Services, SiteRules, services
from bff.web.page_line import PageLine

EXTENSION: Final = "guest-lines"
# Of the ten seconds that a worker has: it looks around once a second, and the last two are for
# a busy machine.
LEAVE_WITHIN_S: Final = 6


class GuestLines:
    """The lines of this process: how many there may be, and all of them when it leaves."""

    def __init__(self, house: GuestHouse, site: SiteRules) -> None:
        self.house = house
        # Flask's own address has been through ProxyFix: no header is believed a second time.
        self.rules = UpgradeRules(
            origins=frozenset({site.public_url, *site.allowed_origins}), cross_site=site.cross_site
        )
        self._lock = threading.Lock()
        self._lines: set[PageLine] = set()
        self._leaving = False

    @property
    def room(self) -> bool:
        """Say whether one more connection may come."""
        return not self._leaving and len(self._lines) < self.house.rules.connections

    @property
    def count(self) -> int:
        """Return how many there are."""
        return len(self._lines)

    def carry(self, line: PageLine) -> None:
        """Run a line to its end."""
        with self._lock:
            self._lines.add(line)
            leaving = self._leaving
        try:
            if leaving:
                line.drain()
            line.run()
        finally:
            with self._lock:
                self._lines.discard(line)

    def drain(self) -> None:
        """Accept no more, finish what is in flight, and send the pages elsewhere."""
        with self._lock:
            self._leaving = True
            lines = list(self._lines)
        for line in lines:
            line.drain()
        last = threading.Timer(LEAVE_WITHIN_S, self._give_up)
        last.daemon = True
        last.start()

    def _give_up(self) -> None:
        """End the lines that hang on somebody who does not read."""
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.give_up()


class Upgraded(Response):
    """What Flask returns after the socket was used up: the server must not write to it."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """End the request as each server wants it, which is flask-sock's knowledge."""
        if "gunicorn.socket" in environ:
            raise StopIteration
        return super().__call__(environ, start_response)


class EngineSock(Sock):  # type: ignore[misc]  # flask-sock ships no types
    """flask-sock, with `adapters.framed_socket` in the place of its server."""

    def route(
        self, path: str, bp: Any = None, **options: Any
    ) -> Callable[[Callable[[FramedSocket, Admission], None]], None]:
        """Register what carries a connection, as flask-sock does; it is admitted before."""

        def decorator(carry: Callable[[FramedSocket, Admission], None]) -> None:
            @wraps(carry)
            def websocket_route() -> ResponseReturnValue:
                admission = _admitted()
                carry(_opened(admission), admission)
                return Upgraded()

            (bp or self.app).route(path, websocket=True, **options)(websocket_route)

        return decorator


def install(app: Flask) -> None:
    """Open the door; without guest sessions it says that there are none."""
    here = cast("Services", app.extensions[SERVICES])
    if here.guests is not None:
        app.extensions[EXTENSION] = GuestLines(here.guests, here.site)
    EngineSock(app).route(PATH, endpoint="guests.socket")(_carry)
    app.add_url_rule(PATH, "guests.no_upgrade", _no_upgrade)


def drain(app: Flask) -> None:
    """Send every page elsewhere; the process is leaving."""
    lines = app.extensions.get(EXTENSION)
    if isinstance(lines, GuestLines):
        lines.drain()


def _lines() -> GuestLines:
    lines = current_app.extensions.get(EXTENSION)
    if not isinstance(lines, GuestLines):
        raise GuestsOffError("BFF_GENESYS_DEPLOYMENT_ID is not set")
    return lines


def _admitted() -> Admission:
    lines = _lines()
    upgrade = UpgradeRequest(
        method=request.method,
        peer=request.remote_addr or "",
        values=request.headers.getlist,
    )
    return admit(upgrade, lines.rules, entropy=services().entropy, room=lines.room)


def _opened(admission: Admission) -> FramedSocket:
    """Answer the upgrade on the server's own socket."""
    rules = _lines().house.rules
    environ = request.environ
    try:
        return upgraded(
            environ.get("gunicorn.socket") or environ["werkzeug.socket"],
            dict(request.headers),
            set_cookie=admission.set_cookie,
            max_bytes=rules.max_frame_bytes,
            send_limit=rules.unsent_patience,
        )
    except UpgradeRefusedError as refused:
        raise RequestRefusedError(f"guest socket: {refused}") from None


def _carry(page: FramedSocket, admission: Admission) -> None:
    """Carry a guest session over a WebSocket (docs/guest-socket.md)."""
    lines, here = _lines(), services()
    lines.carry(PageLine(lines.house, page, admission.visitor, here.news))


def _no_upgrade() -> ResponseReturnValue:
    """Say that this address wants an upgrade."""
    _lines()
    raise RequestRefusedError("guest socket: no Upgrade to websocket")
