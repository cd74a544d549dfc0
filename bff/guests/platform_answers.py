"""What an answer of the platform API means; no request is made here."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from bff.errors import (
    GenesysCredentialsError,
    GenesysDownError,
    GenesysPermissionError,
    GenesysRefusedError,
    GenesysSilentError,
)
from bff.ports import PlatformAnswer

_COME_BACK: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
# A permission is domain:entity:action, in a list of its own or within a sentence.
_PERMISSION: Final = re.compile(r"\b[a-z][\w-]{0,60}:[\w-]{1,60}:[\w*-]{1,60}", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\w.:-]")


def said_yes(answer: PlatformAnswer, *, what: str) -> Mapping[str, Any]:
    """Return the body of a successful answer; raise what any other means.

    429 and 503 say that nothing was done. Any other 5xx leaves open whether it was.
    """
    status = answer.status
    detail = f"{what}: {status} {_code(answer.body)}".rstrip()
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return answer.body
    if status in _COME_BACK:
        raise GenesysDownError(detail, retry_after=answer.retry_after)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise GenesysSilentError(detail, retry_after=answer.retry_after)
    if status == HTTPStatus.UNAUTHORIZED:
        raise GenesysCredentialsError(detail)
    if status == HTTPStatus.FORBIDDEN:
        raise _permission_missing(answer.body, detail)
    raise GenesysRefusedError(detail)


def _code(body: Mapping[str, Any]) -> str:
    """Return what is safe to write down: codes and ids. A text might repeat what we sent."""
    parts = [body.get("error") or body.get("code"), body.get("contextId")]
    return " ".join(_WORD.sub("", part)[:64] for part in parts if isinstance(part, str))


def _permission_missing(body: Mapping[str, Any], detail: str) -> GenesysPermissionError:
    parameters = body.get("messageParams")
    texts = list(parameters.values()) if isinstance(parameters, dict) else []
    found = _PERMISSION.findall(" ".join(map(str, [*texts, body.get("message", "")]))[:4096])
    permissions = tuple(dict.fromkeys(found))
    named = ", ".join(permissions) or "Genesys does not say which"
    return GenesysPermissionError(f"{detail}; missing: {named}", permissions=permissions)
