"""Writes audit events in the background: into the outbox at once, into the log when it is there.

While even the store is away, events wait in the memory of this process, up to a limit. An event
that finds no room anywhere is written to the log file in full, and counted.
"""

import base64
import json
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from dataclasses import fields as dataclass_fields
from datetime import timedelta
from typing import Any, Final, Protocol

from pydantic import TypeAdapter

from bff.crypto.sealed_value import SealingKey
from bff.errors import BffError, BrokenSealError
from bff.ports import Clock, Entropy
from bff.records.audit_details import canonical, escaped
from bff.records.audit_events import Action, ActorKind, AuditEvent, Outcome
from bff.records.outbox import Letter, Outbox
from bff.records.outbox_events import AUDIT, MALFORMED, UNKNOWN_KIND, UndeliverableError
from bff.records.purpose_keys import PurposeKeys
from bff.trail_ports import TrailEntry, TrailKeeper, micros

log = logging.getLogger(__name__)

DESK: Final = AUDIT
HELD_LIMIT: Final = 1000
PAUSE: Final = timedelta(seconds=2)
"""After the store did not answer, nobody else waits for it for so long."""

ID_CHARS: Final = 64
SAMPLED: Final = 10
"""In a crowded outbox one of so many refusals has an event, with the number of the others."""

ORDINARY: Final = frozenset(
    {
        *(Action.SIGN_IN_FAILED, Action.GUEST_CREATED, Action.GUEST_RESUMED, Action.GUEST_REFUSED),
        *(Action.GUEST_STEPPED_UP, Action.GUEST_ENDED, Action.ERASURE_REFUSED, Action.REPORT_READ),
    }
)
"""All other actions still find room in a full outbox: sign-ins and sign-outs come last."""

OF_THE_GUEST: Final = frozenset({ActorKind.GUEST, ActorKind.PERSON, ActorKind.SYSTEM})
"""Whose address is that of the guest, and goes with the guest's key."""


_ENTRIES: Final = TypeAdapter(TrailEntry)
_FIELDS: Final = frozenset(one.name for one in dataclass_fields(TrailEntry))


class KeysOfGuests(Protocol):
    """Knows the key of each guest. StoreDownError if their store is away."""

    @property
    def alias(self) -> Callable[[str], str]:
        """Return what gives a guest's alias."""

    def find(self, guest_id: str) -> SealingKey | None:
        """Return the key of a guest, or None."""

    def owner(self, alias: str) -> str | None:
        """Return the id of the guest behind an alias, or None."""

    def is_erased(self, guest_id: str) -> bool:
        """Say whether the key of this guest was destroyed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An event on its way, and the guest whose address it may hold."""

    entry: TrailEntry
    guest_id: str | None = field(default=None, repr=False)


class SourceSealing:
    """Encrypts the address of a guest's event under the guest's key: erased, it is unreadable."""

    def __init__(self, keys: KeysOfGuests, *, entropy: Entropy) -> None:
        self._keys = keys
        self._entropy = entropy

    def sealed(self, held: Held) -> dict[str, Any]:
        """Return the fields of an event, its address encrypted. Raises StoreDownError."""
        fields = asdict(held.entry)
        guest_id, source = held.guest_id, held.entry.source
        if guest_id is None or source is None:
            return fields
        key = self._keys.find(guest_id)
        if key is None:
            return {**fields, "source": None} if self._keys.is_erased(guest_id) else fields
        alias = self._keys.alias(guest_id)
        sealed = key.seal(
            source.encode(), context=_context(alias, held.entry), entropy=self._entropy
        )
        return {
            **fields,
            "source": None,
            "sealed_source": base64.b64encode(sealed).decode(),
            "alias": alias,
        }

    def opened(self, alias: str, sealed: bytes, entry: TrailEntry) -> str | None:
        """Return the address; None if the guest has been erased. Raises StoreDownError."""
        guest_id = self._keys.owner(alias)
        key = None if guest_id is None else self._keys.find(guest_id)
        if key is None:
            return None
        try:
            return key.open(sealed, context=_context(alias, entry)).decode()
        except BrokenSealError:
            return None


class OutboxTrail:
    """Keeps `audit_events.AuditTrail`. Safe for threads.

    `sources` encrypts the addresses of guests; without it they wait under the key of the outbox.
    """

    def __init__(
        self,
        outbox: Outbox,
        keys: PurposeKeys,
        *,
        clock: Clock,
        limit: int = HELD_LIMIT,
    ) -> None:
        self._outbox = outbox
        self._keys = keys
        self._clock = clock
        self._limit = limit
        self._held: deque[Held] = deque()
        self._lock = threading.Lock()
        self._not_before = clock.now()
        self._skipped = 0
        self.sources: SourceSealing | None = None

    @property
    def held(self) -> int:
        """Return how many events wait in memory."""
        return len(self._held)

    def note(self, event: AuditEvent) -> bool:
        """Keep the event; False if it is in memory only. Returns soon and raises nothing."""
        try:
            held = self._taken(event)
        except Exception:
            # A mistake of the caller must not stop what the event tells of, and is none later.
            log.exception("audit: an event of %r cannot be written", event.action)
            return True
        if held is None:
            return True
        waits = self._held and self._clock.now() < self._not_before
        if waits or not (self.flush() and self._sent(held)):
            self._hold(held)
            return False
        return True

    def flush(self) -> bool:
        """Put what waits in memory into the outbox; say whether all of it is there now."""
        while self._held:
            with self._lock:
                if not self._held:
                    break
                held = self._held.popleft()
            if not self._sent(held):
                with self._lock:
                    self._held.appendleft(held)
                return False
        return True

    def _taken(self, event: AuditEvent) -> Held | None:
        """Return the event as it is kept; None for one of many refusals in a crowded outbox."""
        of_guest = event.actor.kind in OF_THE_GUEST
        held = Held(entry=entry(event, self._keys), guest_id=event.guest_id if of_guest else None)
        if event.outcome is not Outcome.REFUSED:
            return held
        if self._outbox.is_crowded(AUDIT) and (self._skipped + 1) % SAMPLED:
            self._skipped += 1
            self._outbox.tally.sampled[AUDIT] += 1
            return None
        if self._skipped:
            counted = {**event.details, "skipped": self._skipped}
            held = replace(held, entry=replace(held.entry, details=canonical(counted)))
            self._skipped = 0
        return held

    def _sent(self, held: Held) -> bool:
        try:
            self._outbox.put(self._letter(held))
        except BffError as error:
            if not self._held:
                log.warning("audit: events wait in memory: %s: %s", error.code, error.detail)
            self._not_before = self._clock.now() + PAUSE
            return False
        return True

    def _letter(self, held: Held) -> Letter:
        fields = asdict(held.entry) if self.sources is None else self.sources.sealed(held)
        return Letter(
            desk=DESK,
            body=json.dumps(fields),
            guest=held.entry.guest,
            urgent=held.entry.action not in ORDINARY,
        )

    def _hold(self, held: Held) -> None:
        with self._lock:
            if any(other.entry.event_id == held.entry.event_id for other in self._held):
                # Noted again, because it was not kept for good.
                return
            if len(self._held) < self._limit:
                self._held.append(held)
                return
        # The last resort: whoever keeps the logs has at least this. No event holds a secret.
        self._outbox.tally.lost[AUDIT] += 1
        log.error("audit: no room for an event, it is lost: %s", json.dumps(asdict(held.entry)))


class TrailDesk:
    """Where the outbox delivers: each event becomes one of the chain, once."""

    def __init__(
        self,
        keeper: TrailKeeper,
        *,
        written: Callable[[int], None],
        sources: SourceSealing | None = None,
    ) -> None:
        self._keeper = keeper
        self._written = written
        self._sources = sources

    def deliver(self, body: str) -> None:
        """Write one. Raises RecordsDownError, StoreDownError, UndeliverableError."""
        try:
            fields = json.loads(body)
            alias, sealed = fields.pop("alias", None), fields.pop("sealed_source", None)
            if set(fields) - _FIELDS:
                raise UndeliverableError(UNKNOWN_KIND)
            found = _ENTRIES.validate_json(json.dumps(fields), strict=True)
            raw = None if sealed is None else base64.b64decode(sealed, validate=True)
        except (ValueError, TypeError, AttributeError) as error:
            raise UndeliverableError(MALFORMED) from error
        if raw is not None and alias is not None and self._sources is not None:
            found = replace(found, source=self._sources.opened(alias, raw, found))
        self._written(self._keeper.append([found]))


def _context(alias: str, entry: TrailEntry) -> str:
    return f"outbox:source:{alias}:{entry.event_id}"


def entry(event: AuditEvent, keys: PurposeKeys) -> TrailEntry:
    """Return an event as the trail keeps it: the guest as a pseudonym, and nothing unprintable."""
    return TrailEntry(
        event_id=escaped(event.event_id, ID_CHARS),
        at=micros(event.at),
        action=event.action.value,
        outcome=event.outcome.value,
        actor_kind=event.actor.kind.value,
        actor=escaped(event.actor.name),
        guest=None if event.guest_id is None else keys.pseudonym(event.guest_id),
        source=None if event.source is None else escaped(event.source),
        details=canonical(event.details),
    )
