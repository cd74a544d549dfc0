"""How long a JWT of Genesys lives: the only thing that we read from it."""

import base64
import json
from datetime import datetime, timedelta
from typing import Final

SHORTEST: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(hours=24)
# A JWT that does not say: old soon enough to be asked for again.
UNKNOWN: Final = timedelta(seconds=60)
LONGEST_SECONDS: Final = 10**11


def life_of(unverified_jwt: str, *, asked_at: datetime) -> timedelta:
    """Return how long it lives from `asked_at`, the moment before it was asked for.

    That is `exp - iat`, both by the clock of Genesys: ours may be wrong. The signature cannot be
    checked by us and need not be: a lie here only makes us ask too early or too late.
    """
    claims = _claims(unverified_jwt)
    ends, begins = _seconds(claims.get("exp")), _seconds(claims.get("iat"))
    if ends is None:
        return UNKNOWN
    if begins is None:
        begins = asked_at.timestamp()
    return min(max(timedelta(seconds=ends - begins), SHORTEST), LONGEST)


def _claims(unverified_jwt: str) -> dict[str, object]:
    parts = unverified_jwt.split(".")
    try:
        spelled = json.loads(base64.urlsafe_b64decode(parts[1] + "==="))
    except (IndexError, ValueError, RecursionError):
        return {}
    return spelled if isinstance(spelled, dict) else {}


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 < value < LONGEST_SECONDS else None
