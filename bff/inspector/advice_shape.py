"""What a finding is: a title, what was seen, why it matters, and the fix."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bff.inspector.flow_events import FlowEvent
from bff.inspector.flow_story import Story


class Weight(StrEnum):
    """How bad it is for the customer."""

    BROKEN = "broken"
    RISKY = "risky"
    HINT = "hint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Where a rule found something: the moments, and a sentence about them."""

    times: tuple[int, ...]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that goes wrong in many pages, and how it is noticed."""

    code: str
    weight: Weight
    title: str
    why: str
    fix: str
    look: Callable[[Story], Seen | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that found something in a recording."""

    code: str
    weight: Weight
    title: str
    seen: str
    times: tuple[int, ...]
    why: str
    fix: str


Rules: TypeAlias = tuple[Rule, ...]


def seen(found: Iterable[FlowEvent | int], words: str) -> Seen | None:
    """Return what was seen, or None if that is nothing. `{n}` in the words is how often."""
    times = tuple(one if isinstance(one, int) else one.at_ms for one in found)
    if not times:
        return None
    often = "once" if len(times) == 1 else f"{len(times)} times"
    return Seen(times=times, words=words.replace("{n}", often))
