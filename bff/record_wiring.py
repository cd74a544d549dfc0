"""The guest records put together: their adapters are known here and in `wiring` only."""

from pathlib import Path
from typing import Final

from bff.adapters.head_copies import head_copies
from bff.adapters.sql_audit import SqlAudit
from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.ports import Foundation
from bff.records import audit_writing
from bff.records.audit_heads import HeadKeys, HeadSigner
from bff.records.audit_writing import OutboxTrail, TrailDesk
from bff.records.outbox import Outbox, OutboxWriter
from bff.records.purpose_keys import PurposeKeys
from bff.records.record_house import Records, TrailRounds
from bff.setting_checks import decoded_key
from bff.settings import Settings

RECORDS_FILE: Final = "-records"


def build_records(settings: Settings, foundation: Foundation) -> Records | None:
    """Put the records together; None where there is no database for them.

    Opens nothing yet: a database that is away is no reason not to start.
    """
    url = records_url(settings)
    if url is None:
        return None
    database = SqlRecords(
        RecordsPlace(
            url=url,
            pool=settings.records_pool,
            patience=settings.records_timeout,
            prepared_statements=settings.records_statements,
        )
    )
    keys = PurposeKeys(decoded_key(settings.pairwise_salt))
    keeper = SqlAudit(database, clock=foundation.clock, entropy=foundation.entropy)
    head_keys = HeadKeys(foundation)
    signer = HeadSigner(
        keeper,
        head_keys,
        every=settings.audit_head_every,
        age=settings.audit_head_age,
        copies=head_copies(settings.audit_heads),
        store=foundation.store,
    )
    outbox = Outbox(foundation)
    trail = OutboxTrail(outbox, keys, clock=foundation.clock)
    rounds = TrailRounds(trail, signer, store=foundation.store, clock=foundation.clock)
    writer = OutboxWriter(
        outbox,
        foundation,
        desks={audit_writing.DESK: TrailDesk(keeper, written=signer.written).deliver},
        afterwards=rounds.once,
    )

    def close() -> None:
        writer.stop()
        database.close()

    return Records(
        database=database,
        keys=keys,
        outbox=outbox,
        writer=writer,
        trail=trail,
        keeper=keeper,
        head_keys=head_keys,
        signer=signer,
        close=close,
    )


def records_url(settings: Settings) -> str | None:
    """Return where the records are: what is set, or a file beside the embedded store's."""
    if settings.records_url is not None:
        return settings.records_url
    return f"sqlite:///{beside(settings.store_path, RECORDS_FILE)}" if settings.embedded else None


def beside(path: Path, addition: str) -> Path:
    """Return a file in the same folder, whose name says whose neighbour it is."""
    return path.with_name(f"{path.stem}{addition}{path.suffix}")
