"""Which of the provider's claims become which of ours; what looks wrong is left out."""

import re
from collections.abc import Mapping
from typing import Any, Final

MAX_CLAIM_CHARS: Final = 256

# One @, no spaces or separators: `a@evil@corp` must not match anybody (GHSA-c5c4).
_EMAIL: Final = re.compile(r"[^@\s<>,;:\"()\[\]\\]+@[^@\s<>,;:\"()\[\]\\]+")


def mapped_claims(claims: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    """Return our claims, `names` giving for each of ours the provider's name."""
    found = {ours: claims.get(theirs) for ours, theirs in names.items()}
    kept = {ours: value for ours, value in found.items() if isinstance(value, str)}
    kept = {ours: value for ours, value in kept.items() if 0 < len(value) <= MAX_CLAIM_CHARS}
    email = kept.get("email")
    if email is not None and (claims.get("email_verified") is False or not _EMAIL.fullmatch(email)):
        del kept["email"]
    return kept
