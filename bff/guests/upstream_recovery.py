"""After a gap: what did Genesys hear, and what did it say meanwhile? The history decides.

A message that was written and not echoed is neither lost nor delivered until the history was
read. It is looked for by the mark in its metadata; where Genesys keeps no metadata, by its text
among what the guest said and nobody told us of.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Raw

from bff.guests.upstream_frames import HistoryPage, Said, read_said
from bff.guests.upstream_memory import UpstreamMemory
from bff.guests.upstream_outbox import Item, Outbox
from bff.guests.upstream_policy import UpstreamPolicy


class RecoveryStage(StrEnum):
    """What the recovery waits for."""

    SETTLING = "settling"
    JWT = "jwt"
    PAGE = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A message of the history: as it was spelled, and as it was read."""

    raw: bytes = field(repr=False)
    said: Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the history says: which messages were heard, which were not, what is news to us."""

    heard: list[tuple[Item, Entry]]
    not_heard: list[Item]
    unknown: list[Item]
    missed: list[Entry]


@dataclass(slots=True, kw_only=True)
class Recovery:
    """One reading of the history. While it is `blocking` nothing new is written."""

    policy: UpstreamPolicy
    blocking: bool
    # The last thing that we were told before the gap; a first look at a session has no such thing.
    gap_after: int | None
    stage: RecoveryStage = RecoveryStage.SETTLING
    request_id: str = ""
    jwt: str = field(default="", repr=False)
    page: int = 1
    tries: int = 1
    too_early: int = 0
    _entries: list[Entry] = field(default_factory=list)
    _covered: bool = False

    @property
    def is_urgent(self) -> bool:
        """Say whether messages still wait for it."""
        return self.tries <= self.policy.history_tries

    def bear(self) -> bool:
        """Ask once more for what was asked too early, if that was not too often."""
        self.too_early += 1
        self.stage = RecoveryStage.SETTLING
        return self.too_early <= self.policy.history_tries_at_leisure

    def start_again(self) -> bool:
        """Begin from the first page; say whether it may be tried once more."""
        self.tries += 1
        self.page = 1
        self.jwt = ""
        self.stage = RecoveryStage.SETTLING
        self._entries.clear()
        return self.tries <= self.policy.history_tries + self.policy.history_tries_at_leisure

    def add(self, page: HistoryPage, *, outbox: Outbox, memory: UpstreamMemory) -> bool:
        """Take a page; return whether the next one is needed."""
        entries = [entry for raw in page.entities if (entry := _entry(raw)) is not None]
        self._keep(entries)
        if page.is_last or not page.entities:
            self._covered = True
        elif self.gap_after is None:
            # A first look is content with the newest page.
            self._covered = not outbox.unsure()
        else:
            # Something from before the gap, and before all doubtful messages, closes it.
            gap = min([self.gap_after, *(item.seen_before for item in outbox.unsure())])
            places = [memory.order_of(entry.said) for entry in entries]
            self._covered = any(place is not None and place <= gap for place in places)
        self.page += 1
        return not self._covered and self.page <= self.policy.history_pages

    def _keep(self, entries: list[Entry]) -> None:
        # What comes while we turn the page moves the rest on: the same entry is seen twice.
        kept = {key for entry in self._entries for key in entry.said.keys}
        self._entries += [entry for entry in entries if kept.isdisjoint(entry.said.keys)]

    def verdict(self, *, outbox: Outbox, memory: UpstreamMemory) -> Verdict:
        """Say what became of the doubtful messages, and what we missed, oldest first."""
        fresh = [entry for entry in reversed(self._entries) if not memory.knows(entry.said)]
        heard: list[tuple[Item, Entry]] = []
        doubtful, riddles = [], []
        for item in outbox:
            entry = _by_mark(item, fresh)
            if entry is not None:
                heard.append((item, entry))
                fresh.remove(entry)
        known = {item.tracing_id for item, _ in heard}
        for item in [item for item in outbox.unsure() if item.tracing_id not in known]:
            entry = _by_text(item, fresh)
            if entry is None:
                doubtful.append(item)
                continue
            if memory.is_riddle(item.payload.text):
                # It may be this one or an earlier one of the same words: nobody can tell.
                riddles.append(item)
                continue
            heard.append((item, entry))
            fresh.remove(entry)
        return Verdict(
            heard=heard,
            not_heard=doubtful if self._covered else [],
            unknown=riddles if self._covered else riddles + doubtful,
            missed=fresh,
        )


def _by_mark(item: Item, entries: list[Entry]) -> Entry | None:
    for entry in entries:
        if entry.said.is_inbound and entry.said.mark == item.payload.mark:
            return entry
    return None


def _by_text(item: Item, entries: list[Entry]) -> Entry | None:
    # An entry with a mark of its own is another message, whatever its text.
    for entry in entries:
        said = entry.said
        if said.is_inbound and said.mark is None and said.text == item.payload.text:
            return entry
    return None


def _entry(raw: Raw) -> Entry | None:
    said = read_said(raw)
    return None if said is None else Entry(raw=bytes(raw), said=said)
