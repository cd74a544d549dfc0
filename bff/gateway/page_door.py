"""The door of the gateway: an upgrade, a probe, or a refusal in JSON; decided before the 101."""

import json
import logging
import math
from http import HTTPStatus
from typing import Final

from picows import WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener

from bff import errors
from bff.background.runner import BackgroundRunner
from bff.gateway.crowd import Crowd
from bff.guests.guest_upgrade import PATH, UpgradeRequest, UpgradeRules, admit
from bff.ports import Entropy

log = logging.getLogger(__name__)

STATUS: Final[dict[type[errors.BffError], int]] = {
    errors.RequestRefusedError: 400,
    errors.CookieTossedError: 400,
    errors.OriginRefusedError: 403,
    errors.TooManyConnectionsError: 503,
    errors.StoreDownError: 503,
    errors.UnreadableRecordError: 503,
    errors.NotReadyError: 503,
}
"""The same as at the doors of the service, whose table needs Flask."""

NOT_FOUND: Final = ("not_found", "There is nothing at this address.")
HEADERS: Final = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)
COME_AGAIN_S: Final = 2


class PageDoor:
    """Answers each request, once; a connection that was refused is closed."""

    def __init__(
        self, crowd: Crowd, rules: UpgradeRules, entropy: Entropy, background: BackgroundRunner
    ) -> None:
        self._crowd = crowd
        self._background = background
        self._rules = rules
        self._entropy = entropy

    def answer(self, request: WSUpgradeRequest, peer: str) -> WSUpgradeResponseWithListener:
        """Admit, or say why not. Raises nothing: picows would show it to the stranger."""
        path = request.path.split(b"?", 1)[0].decode("ascii", "replace")
        try:
            if path == PATH:
                return self._admitted(request, peer)
            return self._probed(path)
        except errors.BffError as error:
            return _refused(error)
        except Exception:
            log.exception("guest socket")
            return _refused(errors.BffError())

    def _admitted(self, request: WSUpgradeRequest, peer: str) -> WSUpgradeResponseWithListener:
        headers = request.headers
        upgrade = UpgradeRequest(
            method=request.method.decode("ascii", "replace"),
            peer=peer,
            values=lambda name: headers.getall(name, ()),
        )
        admission = admit(upgrade, self._rules, entropy=self._entropy, room=self._crowd.room)
        # picows looks for this one word; Firefox says `keep-alive, Upgrade`.
        headers["Connection"] = "Upgrade"
        cookies = [] if admission.set_cookie is None else [("Set-Cookie", admission.set_cookie)]
        carrier = self._crowd.carrier(admission.visitor)
        return WSUpgradeResponseWithListener(
            WSUpgradeResponse.create_101_response(cookies), carrier.page
        )

    def _probed(self, path: str) -> WSUpgradeResponseWithListener:
        match path:
            case "/healthz":
                return _json(HTTPStatus.OK, {"status": "ok"})
            case "/readyz":
                if self._crowd.leaving or not self._crowd.news.listening:
                    raise errors.StoreDownError("probe: leaving, or no session news")
                self._jobs_must_be_well()
                return _json(HTTPStatus.OK, {"status": "ok"})
            case _:
                code, message = NOT_FOUND
                return _json(HTTPStatus.NOT_FOUND, {"code": code, "message": message})

    def _jobs_must_be_well(self) -> None:
        if ailing := self._background.ailing():
            told = ", ".join(f"{job.name} is {job.state}" for job in ailing)
            raise errors.NotReadyError(f"probe: {told}")


def _refused(error: errors.BffError) -> WSUpgradeResponseWithListener:
    status = HTTPStatus(STATUS.get(type(error), 500))
    log.info("guest socket: %s: %s", error.code, error.detail)
    extra: tuple[tuple[str, str], ...] = ()
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        wait = error.retry_after.total_seconds() if error.retry_after else COME_AGAIN_S
        extra = (("Retry-After", str(max(1, math.ceil(wait)))),)
    return _json(status, {"code": error.code, "message": error.message}, *extra)


def _json(
    status: HTTPStatus, body: dict[str, str], *extra: tuple[str, str]
) -> WSUpgradeResponseWithListener:
    spelled = json.dumps(body).encode()
    headers = [*HEADERS, *extra]
    if status is HTTPStatus.OK:
        response = WSUpgradeResponse.create_ok_response(spelled, headers)
    else:
        response = WSUpgradeResponse.create_error_response(status, spelled, headers)
    return WSUpgradeResponseWithListener(response, None)
