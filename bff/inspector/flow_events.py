"""One event of a recording: what a page may report, and what of it is let in."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from bff.flow_ports import Fact
from bff.inspector.redaction import without_secrets

MOST_IN_BATCH: Final = 100
PRINT_CHARS: Final = 8


class PageStep(StrEnum):
    """What the recorder in a page reports."""

    PAGE_LOADED = "page_loaded"
    PAGE_LEFT = "page_left"
    VISIBLE = "visible"
    HIDDEN = "hidden"
    ONLINE = "online"
    OFFLINE = "offline"
    SLEPT = "slept"
    CHECKED = "checked"
    REGISTERED = "plugin_registered"
    READY = "plugin_ready"
    COMMAND_REGISTERED = "command_registered"
    COMMAND_CALLED = "command_called"
    COMMAND_SETTLED = "command_settled"
    PUBLISHED = "published"
    SUBSCRIBED = "subscribed"
    HEARD = "heard"
    BUS = "bus"
    ASKED = "asked"
    ANSWERED = "answered"
    STATE = "plugin_state"
    ADDRESS_CODE = "address_code"
    STORAGE_SECRET = "storage_secret"  # noqa: S105 - the name of an event
    RECORDER_LATE = "recorder_late"
    EVENTS_LOST = "events_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowEvent:
    """What happened, when by our clock, and in which tab (none: on the server)."""

    at_ms: int
    step: str
    tab: str | None = None
    facts: dict[str, Fact] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a fact as text; empty if it is not there."""
        value = self.facts.get(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> int:
        """Return a fact as a number; 0 if it is none."""
        value = self.facts.get(name)
        return value if isinstance(value, int) else 0


_TEXTS: Final = frozenset(
    {"name", "event", "how", "inside", "shape", "message", "state", "reason", "where", "key"}
    | {"what", "by", "status"}
)
_NUMBERS: Final = frozenset({"call", "times", "n", "exp", "iat", "seconds", "count", "skew_ms"})
_FLAGS: Final = frozenset(
    {"force", "refresh_token", "persisted", "genesys", "auth_ready", "provider", "provider_ready"}
    | {"shown"}
)
_PRINTS: Final = frozenset({"code", "jwt", "address"})
_PRINT: Final = re.compile(rf"[0-9a-f]{{{PRINT_CHARS}}}")
_TAB: Final = re.compile(r"[0-9a-f]{4,12}")
_LONGEST_NUMBER: Final = 10**13


def told(unverified: Mapping[str, Any], *, skew_ms: int, tab: str) -> FlowEvent | None:
    """Return what a page reports as an event, or None if it is nothing that a recorder says.

    Only known facts of the right form come in: whatever a page sends, no token, code or
    mail address gets past here.
    """
    step, facts, at = unverified.get("step"), unverified.get("facts"), _number(unverified.get("t"))
    if not isinstance(step, str) or step not in set(PageStep):
        return None
    if at is None or not isinstance(facts, dict):
        return None
    let_in: dict[str, Fact] = {}
    for name, raw in facts.items():
        if (value := _let_in(name, raw)) is not None:
            let_in[name] = value
    return FlowEvent(at_ms=at + skew_ms, step=step, tab=tab, facts=let_in)


def distinct(events: Iterable[FlowEvent]) -> list[FlowEvent]:
    """Return each event once: a page that got no answer sends its events again."""
    known: set[tuple[str, int]] = set()
    kept = []
    for one in events:
        name = (one.tab or "", one.number("n"))
        if one.number("n") and name in known:
            continue
        known.add(name)
        kept.append(one)
    return kept


def checked_tab(unverified: object) -> str | None:
    """Return the name of a tab if it is one."""
    text = unverified if isinstance(unverified, str) else ""
    return text if _TAB.fullmatch(text) else None


def salted(mark: str, *, salt: str) -> str:
    """Return the short print of a `code_mark` in one recording; of no use in another."""
    return hashlib.sha256((salt + mark).encode()).hexdigest()[:PRINT_CHARS]


def _let_in(name: str, raw: object) -> Fact:
    if name in _FLAGS:
        return raw if isinstance(raw, bool) else None
    if name in _NUMBERS:
        return _number(raw)
    if not isinstance(raw, str):
        return None
    if name in _PRINTS:
        return raw if _PRINT.fullmatch(raw) else None
    # Names of commands and events have dots and may be long; they have no secrets in them.
    return without_secrets(raw) if name in _TEXTS else None


def _number(raw: object) -> int | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    # NaN compares with nothing, so it is none either.
    return int(raw) if -_LONGEST_NUMBER < raw < _LONGEST_NUMBER else None
