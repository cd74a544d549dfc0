"""The recordings: begun for a browser, written by every worker, read in order, gone after a day."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from bff.crypto.sealed_drawer import Drawer
from bff.inspector.flow_events import FlowEvent, distinct
from bff.ports import Foundation
from bff.signin.fingerprints import TOKEN_CHARS, hashed

LIFE: Final = timedelta(hours=24)
INVITATION_LIFE: Final = timedelta(hours=24)
KEPT_BATCHES: Final = 800
KEPT_EVENTS: Final = 2_000
TRIES: Final = 50
EVERYTHING: Final = "inspector-recordings"
ID_CHARS: Final = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One browser that is looked at. `person` is an opaque tag, `label` the operator's word."""

    id: str
    salt: str = field(repr=False)
    started_at: datetime
    last_at: datetime
    label: str = ""
    person: str | None = None
    batches: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Events that came together."""

    events: tuple[FlowEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is kept of a recording, what of it is new to the reader, and the last batch."""

    events: list[FlowEvent]
    fresh: list[FlowEvent]
    cursor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """Leads from something that a server knows to a recording."""

    recording: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Lets one browser begin a recording, once."""

    label: str


class RecordingShelf:
    """All recordings, in the store that the workers share."""

    def __init__(self, foundation: Foundation) -> None:
        self._store = foundation.store
        self._clock = foundation.clock
        self._entropy = foundation.entropy
        self._heads = Drawer("inspector-head", Recording, foundation, spare=True)
        self._batches = Drawer("inspector-batch", Batch, foundation, spare=True)
        self._pointers = Drawer("inspector-pointer", Pointer, foundation, spare=True)
        self._invitations = Drawer("inspector-invitation", Invitation, foundation, spare=True)

    def start(self, *, salt: str, label: str = "") -> tuple[str, Recording]:
        """Begin a recording; return the secret for the browser's cookie, and the recording."""
        secret, now = self._entropy.token(), self._clock.now()
        begun = Recording(id=id_of(secret), salt=salt, started_at=now, last_at=now, label=label)
        self._heads.put(begun.id, begun, ttl=LIFE)
        self._store.join(EVERYTHING, begun.id, ttl=LIFE)
        return secret, begun

    def look_up(self, recording: str) -> Recording | None:
        """Return the recording of that id, or None."""
        held = self._heads.get(recording)
        return None if held is None else held.record

    def everything(self) -> list[Recording]:
        """Return all recordings, the one that lives most first."""
        found = (self.look_up(one) for one in self._store.members(EVERYTHING))
        known = [one for one in found if one is not None]
        return sorted(known, key=lambda one: one.last_at, reverse=True)

    def append(
        self, recording: str, events: Sequence[FlowEvent], *, person: str | None = None
    ) -> None:
        """Write events behind the last ones. Numbers have no holes, however many write at once."""
        head = self.look_up(recording)
        if head is None or not events:
            return
        number = head.batches + 1
        batch = Batch(events=tuple(events))
        life = self._left(head)
        while not self._batches.add(_place(recording, number), batch, ttl=life):
            number += 1
        self._batches.delete(_place(recording, number - KEPT_BATCHES))
        self._move_head(recording, number, person)

    def read(self, head: Recording, *, after: int = 0) -> Reading:
        """Return what is kept, and what of it is behind batch `after`."""
        number = max(0, head.batches - KEPT_BATCHES)
        events: list[FlowEvent] = []
        fresh: list[FlowEvent] = []
        while (held := self._batches.get(_place(head.id, number + 1))) is not None:
            events += held.record.events
            number += 1
            fresh += held.record.events if number > after else ()
        return Reading(
            events=distinct(events)[-KEPT_EVENTS:],
            fresh=distinct(fresh)[-KEPT_EVENTS:],
            cursor=number,
        )

    def point(self, what: str, name: str, recording: str) -> None:
        """Remember which recording a session or a code belongs to."""
        self._pointers.put(hashed(what, name), Pointer(recording=recording), ttl=LIFE)

    def pointed(self, what: str, name: str) -> str | None:
        """Return which recording that was, or None."""
        held = self._pointers.get(hashed(what, name))
        return None if held is None else held.record.recording

    def invite(self, label: str) -> str:
        """Return the key that lets one browser begin a recording."""
        key = self._entropy.token(16)
        self._invitations.put(hashed(key), Invitation(label=label), ttl=INVITATION_LIFE)
        return key

    def accept(self, unverified_key: str) -> Invitation | None:
        """Spend an invitation; None if there is none."""
        return self._invitations.take(hashed(unverified_key))

    def _move_head(self, recording: str, number: int, person: str | None) -> None:
        # Others write too: the greatest number stays. If nobody wins, the next writer does it.
        for _ in range(TRIES):
            held = self._heads.get(recording)
            if held is None:
                return
            moved = replace(
                held.record,
                batches=max(number, held.record.batches),
                last_at=self._clock.now(),
                person=person or held.record.person,
            )
            life = self._left(moved)
            if self._heads.replace(recording, moved, version=held.version, ttl=life) is not None:
                return

    def _left(self, head: Recording) -> timedelta:
        return max(head.started_at + LIFE - self._clock.now(), timedelta(seconds=1))


def id_of(unverified_secret: str) -> str:
    """Return the id of the recording of a cookie: it names the recording and opens nothing."""
    return hashed("recording", unverified_secret[:TOKEN_CHARS])[:ID_CHARS]


def _place(recording: str, number: int) -> str:
    return f"{recording}:{number}"
