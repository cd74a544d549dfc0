"""How every refusal is answered: one table, JSON for scripts, a page for people."""

import logging
import math
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, json, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from bff import errors
from bff.web.doorway import services

log = logging.getLogger(__name__)

STATUS: Final[dict[type[errors.BffError], int]] = {
    errors.SettingsError: 500,
    errors.StoreDownError: 503,
    errors.UnreadableRecordError: 503,
    errors.NotReadyError: 503,
    errors.RecordsDownError: 503,
    errors.RecordsRefusedError: 503,
    errors.RecordsOffError: 404,
    errors.GuestUnknownError: 404,
    errors.SignatureRefusedError: 401,
    errors.BrokenSealError: 400,
    errors.AuditorUnknownError: 401,
    errors.SignInRequiredError: 401,
    errors.AttemptUnknownError: 400,
    errors.SignInDeniedError: 403,
    errors.InteractionNeededError: 401,
    errors.StepUpFailedError: 403,
    errors.IssuerMixUpError: 400,
    errors.ProviderAnswerError: 502,
    errors.ClientRefusedError: 502,
    errors.IdentityProviderDownError: 503,
    errors.TokensRefusedError: 401,
    errors.LogoutTokenError: 400,
    errors.ReturnPathError: 400,
    errors.ProviderUnknownError: 404,
    errors.TransactionUnknownError: 404,
    errors.OriginRefusedError: 403,
    errors.CsrfRefusedError: 403,
    errors.CookieTossedError: 400,
    errors.RequestRefusedError: 400,
    errors.RateLimitedError: 429,
    errors.GuestsOffError: 404,
    errors.MetricsOffError: 404,
    errors.WatcherUnknownError: 401,
    errors.InspectorOffError: 404,
    errors.OperatorUnknownError: 403,
    errors.RecordingUnknownError: 404,
    errors.RecordingRefusedError: 403,
    errors.TooManyConnectionsError: 503,
    errors.GenesysDownError: 503,
    errors.GenesysSilentError: 504,
    errors.GenesysCredentialsError: 502,
    errors.GenesysPermissionError: 502,
    errors.GenesysRefusedError: 502,
    errors.GenesysAnswerError: 502,
    errors.CodeRefusedError: 400,
    errors.RefreshRefusedError: 400,
}

_HTTP: Final = {
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not answer that method."),
    413: ("request_too_large", "The request is too large."),
}
"""Written down here: the phrases of Python's own table differ from version to version."""

RETRY_AFTER: Final = timedelta(seconds=2)
MOST_NAME_CHARS: Final = 64
_WITH_RETRY: Final = frozenset({429, 503})


def install(app: Flask) -> None:
    """Answer every failure of every door here."""
    app.register_error_handler(errors.BffError, answer)
    app.register_error_handler(HTTPException, _http_answer)
    app.register_error_handler(Exception, _unexpected)


def answer(error: errors.BffError) -> Response:
    """Return what the caller may know; write down the rest."""
    status = write_down(error)
    response = _shaped(error.code, error.message, status)
    if isinstance(error, errors.RequestRefusedError) and error.parameter is not None:
        _name(response, error.parameter)
    if status in _WITH_RETRY:
        wait = error.retry_after or RETRY_AFTER
        response.headers["Retry-After"] = str(max(1, math.ceil(wait.total_seconds())))
    return response


def _name(response: Response, parameter: str) -> None:
    """Say which parameter it was, to a script; a name is the caller's own word."""
    if response.is_json:
        body = {**response.get_json(), "parameter": parameter[:MOST_NAME_CHARS]}
        response.set_data(json.dumps(body))


def write_down(error: errors.BffError) -> int:
    """Log the private half of an error; return its status."""
    status = status_of(error)
    level = logging.ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
    log.log(level, "%s %s: %s: %s", request.method, request.path, error.code, error.detail)
    return status


def status_of(error: errors.BffError) -> int:
    """Return the status of an error; a kind of another one, without its own, has the other's."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def login_url() -> str:
    """Return where a page sends somebody to sign in."""
    return services().site.public_url + "/auth/login"


def wants_page() -> bool:
    """Say whether a person is looking: a navigation, not a script's fetch."""
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    return "text/html" in request.headers.get("Accept", "")


def page(title: str, message: str, *, code: str, status: int, back: str | None = None) -> Response:
    """Return a page that says what happened and what to do."""
    home = back or services().site.allowed_origins[0] + "/"
    html = render_template(
        "problem.html", title=title, message=message, code=code, home=home, login=login_url()
    )
    return make_response(html, status)


def beside(code: str | None) -> Response:
    """Return the page for the window or frame beside the page; it leads nowhere by itself.

    Raises RequestRefusedError for a code that no refusal of ours has.
    """
    for error, status in STATUS.items():
        if error.code == code:
            words = {"title": _title(status), "message": error.message, "code": code}
            return make_response(render_template("failed_beside.html", **words), status)
    raise errors.RequestRefusedError("no such code")


def _shaped(code: str, message: str, status: int) -> Response:
    if wants_page():
        return page(_title(status), message, code=code, status=status)
    body = {"code": code, "message": message}
    if status == HTTPStatus.UNAUTHORIZED and code != errors.AuditorUnknownError.code:
        body["login_url"] = login_url()
    response = jsonify(body)
    response.status_code = status
    return response


def _title(status: int) -> str:
    if status in _WITH_RETRY:
        return "Please try again in a moment"
    return "This did not work" if status != HTTPStatus.NOT_FOUND else "There is nothing here"


def _http_answer(error: HTTPException) -> Response:
    """Answer what Flask itself refuses (404, 405, 413 …) in the same shape."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status < HTTPStatus.BAD_REQUEST:
        return make_response(error.get_response())
    code, message = _HTTP.get(status, (errors.RequestRefusedError.code, error.name + "."))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        code, message = errors.BffError.code, errors.BffError.message
    response = _shaped(code, message, status)
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return response


def _unexpected(error: Exception) -> Response:
    """Answer a fault of ours: the log has the trace, the answer nothing of it."""
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return _shaped(errors.BffError.code, errors.BffError.message, 500)
