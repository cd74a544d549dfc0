"""An outbox event: what it says, its place in its lane, and the link to the event before it.

Every event of a lane has the next running number and holds the hash of the event before, so that
an event that was dropped, swapped or changed in the store is noticed when its turn comes.
"""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

VERSION: Final = 1
BEGINNING: Final = "0" * 64
AUDIT: Final = "audit"
GUEST: Final = "guest"
OTHER: Final = "other"
LANES: Final = (GUEST, OTHER, AUDIT)
"""In the order of delivery: what is noticed in a lane is an event of the last one."""

UNKNOWN_KIND: Final = "unknown_kind"
UNREADABLE: Final = "unreadable"
MALFORMED: Final = "malformed"
REFUSED: Final = "refused_by_database"


class UndeliverableError(Exception):
    """This one event cannot be delivered, however often it is tried. `why` is stable."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What an event says: which consumer (`desk`) it is for, and its content (JSON).

    `guest` is the pseudonym of the guest it is about. `urgent` events still find room when the
    others do not; it is not stored.
    """

    desk: str
    body: str = field(repr=False)
    guest: str | None = None
    urgent: bool = field(default=False, compare=False)

    @property
    def lane(self) -> str:
        """Return the lane that it waits in."""
        return self.desk if self.desk in LANES else OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an event waits: lane, generation (numbers begin anew with each), running number."""

    lane: str
    generation: str
    number: int

    @property
    def key(self) -> str:
        """Return its key in the store, which is also what its ciphertext is bound to."""
        return f"outbox-event:{self.lane}:{self.generation}:{self.number}"

    @property
    def name(self) -> str:
        """Return what an operator calls it."""
        return f"{self.lane}.{self.generation}.{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEvent:
    """An event in its place. `at` is when it was put there: µs since 1970, UTC."""

    letter: Letter
    place: Place
    at: int
    previous: str

    def encoded(self) -> bytes:
        """Return the text that is encrypted, and hashed."""
        values = {
            "version": VERSION,
            "desk": self.letter.desk,
            "body": self.letter.body,
            "guest": self.letter.guest,
            "at": self.at,
            "generation": self.place.generation,
            "number": self.place.number,
            "previous": self.previous,
        }
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def hash_of(encoded: bytes) -> str:
    """Return the hash by which the next event names this one."""
    return sha256(encoded).hexdigest()


def decoded(encoded: bytes, place: Place) -> OutboxEvent:
    """Return an event. Raises UndeliverableError if this version does not know its form."""
    try:
        values: Any = json.loads(encoded)
        if values["version"] != VERSION:
            raise UndeliverableError(UNKNOWN_KIND)
        event = OutboxEvent(
            letter=Letter(desk=values["desk"], body=values["body"], guest=values["guest"]),
            place=place,
            at=values["at"],
            previous=values["previous"],
        )
        fits = event.encoded() == encoded and isinstance(event.letter.body, str)
    except (ValueError, KeyError, TypeError) as error:
        raise UndeliverableError(MALFORMED) from error
    if not fits:
        raise UndeliverableError(UNKNOWN_KIND)
    return event
