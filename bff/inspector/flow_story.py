"""A recording as a story: who called what, what came of it, and which JWT lived when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from bff.inspector.flow_events import FlowEvent, PageStep

AUTHENTICATED: Final = "Auth.authenticated"
REFRESH: Final = "Auth.refreshToken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command of the AuthProvider that Messenger called, and how it was settled."""

    tab: str
    name: str
    at_ms: int
    settled: tuple[FlowEvent, ...]

    @property
    def resolved(self) -> FlowEvent | None:
        """Return the first settlement if it was a resolve."""
        first = self.settled[0] if self.settled else None
        return first if first is not None and first.text("how") == "resolved" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A JWT: when it came, until when it was good."""

    tab: str
    at_ms: int
    print: str
    exp_ms: int


class Story:
    """Events in the order of our clock, up to `now_ms`, with the questions that advice asks."""

    def __init__(self, events: Sequence[FlowEvent], *, now_ms: int) -> None:
        self.events = sorted(events, key=lambda one: one.at_ms)
        self.now_ms = now_ms

    def of(self, *steps: str, tab: str | None = None) -> list[FlowEvent]:
        """Return the events of these kinds, of one tab if one is named."""
        return [one for one in self.events if one.step in steps and tab in (None, one.tab)]

    def bus(self, *names: str) -> list[FlowEvent]:
        """Return Messenger's events of these names."""
        return [one for one in self.of(PageStep.BUS) if one.text("event") in names]

    def asked(self, name: str) -> list[FlowEvent]:
        """Return when somebody in the page gave Messenger this command."""
        return [one for one in self.of(PageStep.ASKED) if one.text("name") == name]

    def within(self, found: Sequence[FlowEvent], start_ms: int, end_ms: int) -> list[FlowEvent]:
        """Return those events that lie between two times."""
        return [one for one in found if start_ms <= one.at_ms <= end_ms]

    def left(self, tab: str | None, start_ms: int, end_ms: int) -> bool:
        """Say whether the page of that tab went away in between."""
        # What a page says last may be lost; that the tab has another page says the same.
        gone = self.of(PageStep.PAGE_LEFT, PageStep.PAGE_LOADED, tab=tab)
        return any(start_ms < one.at_ms <= end_ms for one in gone)

    def visible(self, tab: str, at_ms: int) -> bool:
        """Say whether somebody could see the tab at that moment."""
        steps = (PageStep.VISIBLE, PageStep.HIDDEN, PageStep.PAGE_LOADED, PageStep.PAGE_LEFT)
        known = self.of(*steps, tab=tab)
        before = [one for one in known if one.at_ms <= at_ms]
        if not before:
            return False
        last = before[-1]
        away = last.step in {PageStep.HIDDEN, PageStep.PAGE_LEFT}
        return not away and last.facts.get("shown") is not False

    @cached_property
    def calls(self) -> list[Call]:
        """Return every call of a command of the AuthProvider."""
        return list(self._calls())

    def calls_of(self, *names: str) -> list[Call]:
        """Return the calls of these commands."""
        return [one for one in self.calls if one.name in names]

    @cached_property
    def lives(self) -> list[Life]:
        """Return every JWT that came, each once, in order."""
        known: dict[str, Life] = {}
        for one in self.bus(AUTHENTICATED):
            seen, exp = one.text("jwt"), one.number("exp")
            if seen and exp and seen not in known:
                # `exp` is Genesys' word: its clock and ours agree, the page's may not.
                known[seen] = Life(
                    tab=one.tab or "", at_ms=one.at_ms, print=seen, exp_ms=exp * 1000
                )
        return list(known.values())

    def life_at(self, at_ms: int) -> Life | None:
        """Return the JWT that was the latest at that moment."""
        before = [one for one in self.lives if one.at_ms <= at_ms]
        return before[-1] if before else None

    def renewed(self, life: Life, until_ms: int) -> bool:
        """Say whether a JWT that lives longer came in any tab until then."""
        return any(
            one.exp_ms > life.exp_ms and life.at_ms <= one.at_ms <= until_ms for one in self.lives
        )

    def _calls(self) -> Iterator[Call]:
        ends: dict[tuple[str | None, int], list[FlowEvent]] = {}
        for one in self.of(PageStep.COMMAND_SETTLED):
            ends.setdefault((one.tab, one.number("call")), []).append(one)
        for one in self.of(PageStep.COMMAND_CALLED):
            yield Call(
                tab=one.tab or "",
                name=one.text("name"),
                at_ms=one.at_ms,
                settled=tuple(ends.get((one.tab, one.number("call")), [])),
            )
