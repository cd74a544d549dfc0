"""What the token doors of Genesys answer, read with care; no request is made here."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from bff.errors import (
    GenesysAnswerError,
    GenesysCredentialsError,
    GenesysDownError,
    GenesysPermissionError,
    GenesysRefusedError,
    GenesysSilentError,
)
from bff.guests.platform_answers import said_yes
from bff.ports import PlatformAnswer

LONGEST_TOKEN: Final = 16_384
# A gateway in the place of Genesys; nobody there has looked at a token.
_NOT_GENESYS: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})

NO_ANSWER: Final = (GenesysDownError, GenesysSilentError, GenesysAnswerError)
"""Nobody was refused: everything is kept."""


def judged(answer: PlatformAnswer, *, what: str) -> Mapping[str, Any]:
    """Return the body of a yes. Raises GenesysRefusedError for a no, else one of NO_ANSWER.

    Which no means what is not documented, so every one means the same.
    """
    redirect = HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST
    if redirect or answer.status in _NOT_GENESYS:
        raise GenesysSilentError(f"{what}: {answer.status}", retry_after=answer.retry_after)
    try:
        return said_yes(answer, what=what)
    except (GenesysCredentialsError, GenesysPermissionError) as error:
        raise GenesysRefusedError(error.detail) from None


def jwt_in(body: Mapping[str, Any], *, what: str) -> str:
    """Return the JWT of an answer. Raises GenesysAnswerError if there is none."""
    jwt = body.get("jwt")
    if not is_token(jwt):
        raise GenesysAnswerError(f"{what}: the answer has no jwt")
    return str(jwt)


def is_token(value: object) -> bool:
    """Say whether this can travel in a header: a library would print the value that cannot."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TOKEN:
        return False
    return value.isascii() and value.isprintable() and " " not in value
