"""Everything that the records offer to doors, commands and other services, in one hand."""

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from bff.errors import RecordsDownError, SettingsError
from bff.ports import Clock, Store
from bff.record_ports import GuestRows
from bff.records.audit_events import AuditTrail
from bff.records.audit_heads import HeadKeys, HeadSigner
from bff.records.audit_writing import OutboxTrail
from bff.records.guest_records import GuestRecords
from bff.records.outbox import Outbox, OutboxWriter
from bff.records.purpose_keys import PurposeKeys
from bff.trail_ports import RecordsDatabase, TrailKeeper, Weight

log = logging.getLogger(__name__)

HEAD_LEASE: Final = "audit-head"
HEAD_PAUSE: Final = timedelta(seconds=4)


class TrailRounds:
    """What is due for the trail now and then, in one process of all."""

    def __init__(
        self, trail: OutboxTrail, signer: HeadSigner, *, store: Store, clock: Clock
    ) -> None:
        self._trail = trail
        self._signer = signer
        self._store = store
        self._clock = clock
        self._also: list[Callable[[], None]] = []

    def also(self, work: Callable[[], None]) -> None:
        """Have `work` done in each round as well."""
        self._also.append(work)

    def once(self) -> None:
        """Put what waits in memory into the outbox; sign the head if it is old enough.

        Whatever of it fails, the rest is done, before it is told.
        """
        with ExitStack() as whatever_fails:
            for work in (*self._also, self._sign):
                whatever_fails.callback(work)
            self._trail.flush()

    def _sign(self) -> None:
        # Never given back: that it runs out is what keeps the rounds apart.
        if self._store.acquire_lease(HEAD_LEASE, ttl=HEAD_PAUSE) is None:
            return
        self._signer.tend(now=self._clock.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The records of one process. `writer` is started by whoever serves.

    `refusals` is the trail for whatever a stranger may cause.
    """

    database: RecordsDatabase
    keys: PurposeKeys
    outbox: Outbox
    writer: OutboxWriter
    trail: OutboxTrail
    refusals: AuditTrail
    keeper: TrailKeeper
    head_keys: HeadKeys
    signer: HeadSigner
    rounds: TrailRounds
    guests: GuestRecords
    copies_file: Path | None
    guest_rows: GuestRows
    profile_of: Callable[[str], Mapping[str, str] | None] = lambda _: None
    auditor_token: str | None = field(default=None, repr=False)
    close: Callable[[], None]

    def prepare(self, *, to_read: bool = False) -> None:
        """Make ready to serve: bring a file of our own up to date, and refuse what is not ours.

        `to_read` if nothing depends on what protects the log: a log that lost its protection can
        be verified and read. Raises SettingsError. A database that is away is no reason not to
        start.
        """
        try:
            if self.database.embedded:
                for said in self.database.upgrade():
                    log.warning("records: %s", said)
            self.must_be_current(to_read=to_read)
        except RecordsDownError as error:
            log.warning("the records do not answer; starting all the same: %s", error.detail)

    def must_be_current(self, *, to_read: bool = False) -> None:
        """Raise SettingsError unless the tables are those of this version, whole and ours."""
        for found in self.database.examine():
            passes = found.weight is Weight.WARNING or (to_read and found.weight is Weight.DAMAGE)
            if not passes:
                raise SettingsError(f"BFF_RECORDS_URL: {found.what}: {found.fix}")
            log.warning("records: %s: %s", found.what, found.fix)

    def settle(self) -> None:
        """Deliver what waits, as a command does before it reads, or ends.

        While another process delivers, it is waited for; what is left after that has to wait.
        """
        self.trail.flush()
        self.writer.settle()
