"""What a day cost and what came of it, beside the least that it could have cost."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

MOST_WASTE: Final = 1.1


@dataclass(slots=True, kw_only=True)
class LeastPossible:
    """Renewals that nobody could have saved: somebody is there, and the JWT has ended.

    One JWT is enough for all tabs. It is renewed at the first moment at which a tab is in front,
    the machine awake, and everybody reachable who must be asked; then it holds for a life.
    """

    jwt_ends_at: datetime
    life: timedelta
    renewals: int = 0

    def somebody_is_there(self, now: datetime) -> None:
        """Count a renewal if this moment needs one."""
        if now >= self.jwt_ends_at:
            self.renewals += 1
            self.jwt_ends_at = now + self.life


@dataclass(slots=True, kw_only=True)
class Tally:
    """The day in figures."""

    least: LeastPossible
    refreshes: int = 0
    failed_refreshes: int = 0
    codes: int = 0
    exchanges: int = 0
    own_dialogs: int = 0
    popups: int = 0
    popups_of_outages: int = 0
    said_again: int = 0
    sign_in_pages: int = 0
    typed: list[str] = field(default_factory=list)
    heard: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    heard_as_guest: int = 0
    troubles: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)

    @property
    def most_refreshes(self) -> int:
        """Return how many are allowed: a tenth more than the least, and one for a short day."""
        least = self.least.renewals
        return max(least + 1, int(least * MOST_WASTE))

    @property
    def delivered(self) -> int:
        return sum(1 for text in self.typed if self.heard[text])

    @property
    def lost(self) -> list[str]:
        return [text for text in self.typed if not self.heard[text]]

    @property
    def twice(self) -> list[str]:
        return [text for text in self.typed if self.heard[text] > 1 or self.shown[text] > 1]

    @property
    def misses(self) -> list[str]:
        """Return every goal of the day that was not reached."""
        return list(self._misses())

    def _misses(self) -> Iterator[str]:
        dialogs = self.own_dialogs + self.popups + self.sign_in_pages
        if dialogs:
            yield f"somebody was asked {dialogs} times"
        if self.lost:
            yield f"lost: {self.lost}"
        if self.twice:
            yield f"twice: {self.twice}"
        if self.heard_as_guest:
            yield f"{self.heard_as_guest} messages were heard from a guest"
        if self.refreshes > self.most_refreshes:
            yield f"{self.refreshes} refreshes, where {self.least.renewals} would have done"
        if not self.typed:
            yield "nobody said anything"

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Return what, how many, and what is wanted."""
        least = self.least.renewals
        yield (
            "refreshes that Genesys answered",
            str(self.refreshes),
            f"at most {self.most_refreshes}",
        )
        yield "the least possible", str(least), ""
        yield "refreshes that failed (outage, 503, no network)", str(self.failed_refreshes), ""
        yield "codes minted after the sign-in", str(self.codes), ""
        yield "codes exchanged by Genesys, the sign-in's included", str(self.exchanges), ""
        yield "our dialog shown", str(self.own_dialogs), "0"
        yield "the Messenger's Re-authenticate, where a JWT could be had", str(self.popups), "0"
        outages = str(self.popups_of_outages)
        yield "the same while nobody could give one; it went by itself", outages, ""
        yield "sign-in pages opened", str(self.sign_in_pages), "0"
        yield "messages typed", str(len(self.typed)), ""
        yield "typed again, because the first was not shown", str(self.said_again), ""
        yield "delivered", str(self.delivered), "all"
        yield "lost", str(len(self.lost)), "0"
        yield "twice", str(len(self.twice)), "0"
        yield "heard from a guest", str(self.heard_as_guest), "0"

    def table(self) -> str:
        """Return the figures as a table of Markdown."""
        lines = [f"| {what} | {many} | {wanted} |" for what, many, wanted in self.rows()]
        return "\n".join(["| what | how many | wanted |", "|---|---|---|", *lines])
