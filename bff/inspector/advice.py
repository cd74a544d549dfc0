"""Events in, findings out: what is wrong with a page, in plain words and with the fix."""

from collections.abc import Sequence
from typing import Final

from bff.inspector.advice_commands import COMMAND_RULES
from bff.inspector.advice_pages import PAGE_RULES
from bff.inspector.advice_shape import Finding, Rules, Weight
from bff.inspector.advice_tokens import TOKEN_RULES
from bff.inspector.flow_events import FlowEvent
from bff.inspector.flow_story import Story

RULES: Final[Rules] = (*COMMAND_RULES, *TOKEN_RULES, *PAGE_RULES)
_ORDER: Final = list(Weight)


def findings(events: Sequence[FlowEvent], *, now_ms: int) -> list[Finding]:
    """Return what is wrong, the worst first."""
    story = Story(events, now_ms=now_ms)
    found = [
        Finding(
            code=rule.code,
            weight=rule.weight,
            title=rule.title,
            seen=sight.words,
            times=sight.times,
            why=rule.why,
            fix=rule.fix,
        )
        for rule in RULES
        if (sight := rule.look(story)) is not None
    ]
    return sorted(found, key=lambda one: _ORDER.index(one.weight))
