"""A recording as JSON: for the page, and as a file that the page can show later."""

from datetime import datetime
from typing import Any, Final

from bff.inspector.advice import findings
from bff.inspector.advice_shape import Finding
from bff.inspector.flow_events import FlowEvent
from bff.inspector.flow_words import words_of
from bff.inspector.recordings import Reading, Recording

FORMAT: Final = "messenger-bff recording"
VERSION: Final = 1


def exported(head: Recording, read: Reading, *, now: datetime) -> dict[str, Any]:
    """Return what is new in words, and what all events together say is wrong."""
    now_ms = int(now.timestamp() * 1000)
    return {
        "format": FORMAT,
        "version": VERSION,
        "made_at": now.isoformat(),
        "now_ms": now_ms,
        "recording": shown(head),
        "cursor": read.cursor,
        "findings": [_finding(one) for one in findings(read.events, now_ms=now_ms)],
        "events": [_event(one) for one in read.fresh],
    }


def shown(head: Recording) -> dict[str, Any]:
    """Return what a list says about a recording."""
    return {
        "id": head.id,
        "label": head.label,
        "person": head.person,
        "started_at": head.started_at.isoformat(),
        "last_at": head.last_at.isoformat(),
    }


def _event(event: FlowEvent) -> dict[str, Any]:
    lane, level, words = words_of(event)
    return {
        "at": event.at_ms,
        "lane": lane.value,
        "tab": event.tab,
        "step": event.step,
        "level": level.value,
        "words": words,
        "facts": event.facts,
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "code": one.code,
        "weight": one.weight.value,
        "title": one.title,
        "seen": one.seen,
        "times": list(one.times),
        "why": one.why,
        "fix": one.fix,
    }
