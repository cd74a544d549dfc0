"""Records as `serve` has them, whose database is away: everything waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from erasure_rig import variables_for
from hand_clock import HandClock

from bff.adapters.system import SystemEntropy
from bff.ports import Foundation
from bff.record_wiring import build_records
from bff.records.guest_records import GuestRecords
from bff.records.record_house import Records
from bff.settings import Settings
from bff.wiring import open_ring, open_store

AWAY: Final = "postgresql://nobody@127.0.0.1:1/none"


@dataclass(frozen=True, kw_only=True)
class AwayRig:
    """The parts, for a test to turn."""

    clock: HandClock
    foundation: Foundation
    records: Records

    @property
    def guests(self) -> GuestRecords:
        return self.records.guests


@contextmanager
def records_away(folder: Path, **changes: str) -> Iterator[AwayRig]:
    clock, entropy = HandClock(), SystemEntropy()
    settings = Settings.read(variables_for(folder, AWAY, **changes))
    store = open_store(settings, clock=clock, entropy=entropy)
    sealer = open_ring(settings, store, clock=clock, entropy=entropy)
    foundation = Foundation(store=store, sealer=sealer, clock=clock, entropy=entropy)
    records = build_records(settings, foundation)
    assert records is not None
    try:
        yield AwayRig(clock=clock, foundation=foundation, records=records)
    finally:
        records.close()
        store.close()
