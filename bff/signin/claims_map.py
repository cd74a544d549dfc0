"""Which of the provider's claims become which of ours; what looks wrong is left out."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

MAX_CLAIM_CHARS: Final = 256

# One @, no spaces or separators: `a@evil@corp` must not match anybody (GHSA-c5c4).
_EMAIL: Final = re.compile(r"[^@\s<>,;:\"()\[\]\\]+@[^@\s<>,;:\"()\[\]\\]+")
_UNSEEN: Final = frozenset({"Cc", "Cs", "Cn", "Co"})
"""Control characters, halves of surrogate pairs, and what has no meaning in Unicode."""

_DIRECTIONS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Overrides of the writing direction: with them a name reads as another one."""


def mapped_claims(
    claims: Mapping[str, Any], names: Mapping[str, str], *, unverified_email: bool = False
) -> dict[str, str]:
    """Return our claims, `names` giving for each of ours the provider's name.

    An e-mail counts if the provider says that it has verified it (`email_verified`, OIDC Core
    5.1); with `unverified_email` also if it says nothing about that.
    """
    given = {ours: _first_text(claims.get(theirs)) for ours, theirs in names.items()}
    kept = {ours: text for ours, value in given.items() if (text := _line(value))}
    email = kept.get("email")
    if email is not None and not (
        # To the letter: an address that had to be cleaned is another one.
        email == given["email"]
        and _EMAIL.fullmatch(email)
        and _is_verified(claims, if_silent=unverified_email)
    ):
        del kept["email"]
    return kept


def _is_verified(claims: Mapping[str, Any], *, if_silent: bool) -> bool:
    if "email_verified" not in claims:
        return if_silent
    said = claims["email_verified"]
    # Some providers write booleans as text. Everything else is not a yes.
    return said is True or said == "true"


def _first_text(value: object) -> str:
    """Return a claim, or the first text of a list: some providers list the addresses of a user."""
    if isinstance(value, list):
        value = next((one for one in value if isinstance(one, str)), None)
    return value if isinstance(value, str) and len(value) <= MAX_CLAIM_CHARS else ""


def _line(text: str) -> str:
    """Return a text as one line that everybody can store, print and read."""
    return "".join(
        letter
        for letter in text
        if unicodedata.category(letter) not in _UNSEEN and letter not in _DIRECTIONS
    ).strip()
