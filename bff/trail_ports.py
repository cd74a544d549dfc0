"""The audit trail as it is stored, and what is asked of whoever keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Return a moment as the trail keeps it: whole microseconds, no rounding of floats."""
    return (moment - EPOCH) // MICROSECOND


def moment(value: int) -> datetime:
    """Return a moment that the trail has kept."""
    return EPOCH + value * MICROSECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry:
    """An event on its way into the trail: a pseudonym for the guest, canonical details."""

    event_id: str
    at: int
    action: str
    outcome: str
    actor_kind: str
    actor: str
    guest: str | None
    source: str | None = field(repr=False)
    details: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailRow:
    """An event as it is stored. `salt` and `source` are None once they are pruned."""

    seq: int
    event_id: str
    at: int
    written_at: int
    action: str
    outcome: str
    actor_kind: str
    actor: str
    guest: str | None
    source_digest: str | None
    details: str
    previous: bytes = field(repr=False)
    hash: bytes = field(repr=False)
    salt: bytes | None = field(repr=False)
    source: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """A signature that says: at this moment the trail ended with this event and this hash.

    `key_id` is the public key itself (Ed25519, base64url).
    """

    seq: int
    hash: bytes = field(repr=False)
    signed_at: int
    key_id: str
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailQuery:
    """Which events are wanted; both bounds are included, None is no bound.

    `guests` are pseudonyms: an event of any of them is meant.
    """

    since: int | None = None
    until: int | None = None
    action: str | None = None
    guests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page of a report ended."""

    at: int
    seq: int


class TrailKeeper(Protocol):
    """Keeps the trail. Each call is one transaction; RecordsDownError if it cannot be had."""

    def append(self, entries: Sequence[TrailEntry]) -> int:
        """Add what is not there yet (by `event_id`), in this order; return the newest `seq`."""

    def newest(self) -> TrailRow | None:
        """Return the last event."""

    def rows(self, *, after: int, limit: int) -> Sequence[TrailRow]:
        """Return the next events in the order of the chain."""

    def page(self, query: TrailQuery, *, after: Place | None, limit: int) -> Sequence[TrailRow]:
        """Return the next events of a report, oldest first."""

    def heads(self) -> Sequence[SignedHead]:
        """Return every signed head, oldest first."""

    def newest_head(self) -> SignedHead | None:
        """Return the last signed head."""

    def heads_before(self, seq: int | None, *, limit: int) -> Sequence[SignedHead]:
        """Return heads of events before `seq` (None: of all), newest first.

        No event's heads are cut in two by `limit`: the last event may bring more.
        """

    def add_head(self, head: SignedHead) -> bool:
        """Keep a head; False if this very one is kept already.

        Raises RecordsDownError also if the database refuses it.
        """

    def strays(self) -> int:
        """Return how many rows `db upgrade` has set aside, because they were no events."""

    def prune_sources(self, before: int) -> int:
        """Forget from where events older than `before` came; return how many."""


class HeadCopies(Protocol):
    """Keeps signed heads outside the database. Raises RecordsDownError if it cannot."""

    @property
    def name(self) -> str:
        """Return what tells this place from another; nothing secret."""

    def keep(self, head: SignedHead) -> None:
        """Keep a head as well. Keeping one twice does no harm."""


class Weight(StrEnum):
    """What a finding means for the start of the service."""

    FAULT = "fault"
    """It must not start: records could not be written, or not be protected."""

    DAMAGE = "damage"
    """The log has lost a protection: it must not start, and the log can still be verified."""

    WARNING = "warning"
    """It may start, and should be changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFinding:
    """Something that is wrong with the database, in one line, and what to do about it."""

    what: str
    fix: str
    weight: Weight = Weight.FAULT


class RecordsDatabase(Protocol):
    """The database of the records as a whole."""

    @property
    def embedded(self) -> bool:
        """Say whether it is a file of our own."""

    def upgrade(self) -> Sequence[str]:
        """Bring the tables up to date; return what an operator should know of it.

        Raises SettingsError, in one line, if this database cannot be brought up to date, and
        RecordsDownError if it is away.
        """

    def examine(self) -> Sequence[DatabaseFinding]:
        """Return what is wrong, the worst first. Raises RecordsDownError if it is away."""

    def is_current(self) -> bool:
        """Say whether the tables are those of this version."""

    def figures(self) -> dict[str, int]:
        """Return how the pool is used."""

    def close(self) -> None:
        """Close what is idle. Idempotent."""
