"""What an event says beyond its columns: canonical JSON, short, and plain ASCII."""

import json
from collections.abc import Mapping
from typing import Final

from bff.records.audit_events import Detail

MOST_BYTES: Final = 2048
MOST_FIELDS: Final = 16
MOST_CHARS: Final = 200
MOST_NAME_CHARS: Final = 40
CUT: Final = "…"
_LARGEST: Final = 2**63


def canonical(details: Mapping[str, Detail]) -> str:
    """Return the one spelling of `details`: sorted, without spaces, at most 2 KB.

    All that is not printable ASCII is escaped, so that no NUL, no control character and no half
    of a surrogate pair reaches the database or a terminal. What is too long is cut, and says so;
    a float, whose spelling depends on who prints it, is written as text.
    """
    names = sorted(details)[:MOST_FIELDS]
    kept = {shortened(str(name), MOST_NAME_CHARS): _plain(details[name]) for name in names}
    if len(details) > MOST_FIELDS:
        kept[CUT] = len(details) - MOST_FIELDS
    spelled = _spelled(kept)
    if len(spelled) > MOST_BYTES:
        spelled = _spelled({CUT: len(spelled)})
    return spelled


def shortened(text: str, limit: int = MOST_CHARS) -> str:
    """Cut a text that is too long."""
    return text if len(text) <= limit else text[: limit - 1] + CUT


def escaped(text: str, limit: int = MOST_CHARS) -> str:
    r"""Return a name of one line: what cannot be printed is written as `\u0000`."""
    return "".join(
        letter if letter.isprintable() else json.dumps(letter)[1:-1]
        for letter in shortened(text, limit)
    )


def _plain(value: object) -> Detail:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -_LARGEST <= value < _LARGEST:
        return value
    return shortened(str(value))


def _spelled(details: Mapping[str, Detail]) -> str:
    return json.dumps(details, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
