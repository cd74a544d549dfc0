"""Counts who comes to the stand-in provider's back doors, and breaks the doors when told."""

import socket
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, redirect, request
from flask.typing import ResponseReturnValue

from bff.simulator.provider_core import Provider, this_provider
from bff.simulator.provider_faults import Fault

NO_ANSWER_AT_MOST_S: Final = 120
SLOW_BY_DEFAULT_S: Final = 10
_NAMES: Final = {
    "back.discovery": "discovery",
    "back.jwks": "jwks",
    "back.token": "token",
    "back.userinfo": "userinfo",
    "back.revoke": "revocation",
    "authorize.authorize": "authorize",
    "account.end_session": "end_session",
}


def install(app: Flask) -> None:
    """Stand at every door of `app`."""
    app.before_request(_arrive)
    app.after_request(_leave)


def _arrive() -> ResponseReturnValue | None:
    name = _NAMES.get(request.endpoint or "")
    if name is None:
        return None
    provider = this_provider()
    provider.tally.add(name)
    return _broken(provider, name)


def _broken(provider: Provider, name: str) -> ResponseReturnValue | None:
    take = provider.faults.take
    if planted := take(Fault.NO_ANSWER, endpoint=name):
        provider.tally.add("kept_waiting")
        provider.faults.keep_waiting(planted.seconds(NO_ANSWER_AT_MOST_S))
        return _cut()
    if take(Fault.CUT, endpoint=name):
        return _cut()
    if planted := take(Fault.SERVER_ERROR, endpoint=name):
        status = int(planted.seconds(HTTPStatus.INTERNAL_SERVER_ERROR))
        return "The stand-in was told to fail.", status
    if planted := take(Fault.UNAVAILABLE, endpoint=name):
        wait = int(planted.seconds(2))
        return "Back soon.", 503, {"Retry-After": str(wait)} if wait else {}
    if planted := take(Fault.REDIRECT, endpoint=name):
        return redirect(planted.text(provider.issuer + "/token"), 307)
    return None


def _leave(response: Response) -> Response:
    name = _NAMES.get(request.endpoint or "")
    if name is None:
        return response
    provider = this_provider()
    if planted := provider.faults.take(Fault.SLOW, endpoint=name):
        provider.tally.add("kept_waiting")
        provider.faults.keep_waiting(planted.seconds(SLOW_BY_DEFAULT_S))
    if provider.faults.take(Fault.ANSWER_LOST, endpoint=name):
        return _cut()
    return response


def _cut() -> Response:
    """End the connection without an answer, where the server lets us hold its socket."""
    connection = request.environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        connection.shutdown(socket.SHUT_RDWR)
    return Response("The connection was cut.", status=HTTPStatus.BAD_GATEWAY)
