"""Reads parameters that strangers send: each at most once, none too long."""

from typing import Any, Final

from flask import request

from bff.errors import RequestRefusedError

MAX_CHARS: Final = 4096


def query(name: str) -> str | None:
    """Return a query parameter. Raises RequestRefusedError if it comes twice or is too long.

    RFC 6749 section 3.1: parameters must not be included more than once.
    """
    return _single(request.args.getlist(name), name)


def only_known(*names: str) -> None:
    """Raise RequestRefusedError for a query parameter that is not one of these, or comes twice.

    A filter with a slip in its name would else be no filter, and the answer look like the truth.
    """
    for name in request.args:
        if name not in names:
            known = ", ".join(names) or "none"
            detail = f"an unknown parameter; known are: {known}"
            raise RequestRefusedError(detail, parameter=name)
        if len(request.args.getlist(name)) > 1:
            raise RequestRefusedError("a parameter comes more than once", parameter=name)


def form(name: str) -> str | None:
    """Return a form parameter, under the same rules."""
    return _single(request.form.getlist(name), name)


def json_body() -> dict[str, Any]:
    """Return the JSON object of the request; an empty body is an empty object."""
    if not request.get_data(cache=True):
        return {}
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise RequestRefusedError("body is not a JSON object")
    return body


def json_text(body: dict[str, Any], name: str) -> str | None:
    """Return a text of the body, or None. Raises RequestRefusedError for anything else."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_CHARS:
        raise RequestRefusedError(f"{name} is not a text of at most {MAX_CHARS} characters")
    return value


def _single(values: list[str], name: str) -> str | None:
    if len(values) > 1:
        raise RequestRefusedError(f"{name} comes more than once", parameter=name)
    if values and len(values[0]) > MAX_CHARS:
        raise RequestRefusedError(f"{name} is too long", parameter=name)
    return values[0] if values else None
