"""The guest records put together: their adapters are known here and in `wiring` only."""

from typing import TYPE_CHECKING, Final

from bff.adapters.head_copies import copies_file, head_copies
from bff.adapters.sql_audit import SqlAudit
from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.adapters.sql_outbox import SqlOutboxMarks
from bff.background.runner import BackgroundRunner
from bff.guest_record_wiring import beside, guest_records
from bff.ports import Foundation
from bff.records import audit_writing, guest_memory
from bff.records.audit_heads import HeadKeys, HeadSigner
from bff.records.audit_notes import AuditNotes
from bff.records.audit_writing import OutboxTrail, SourceSealing, TrailDesk
from bff.records.outbox import Outbox, OutboxWriter
from bff.records.purpose_keys import PurposeKeys
from bff.records.record_house import Records, TrailRounds
from bff.records.refusals import RefusalSampler
from bff.setting_checks import decoded_key
from bff.settings import Settings

if TYPE_CHECKING:
    from bff.records.outbox_delivery import Desk

RECORDS_FILE: Final = "-records"


def build_records(
    settings: Settings, foundation: Foundation, runner: BackgroundRunner | None = None
) -> Records | None:
    """Put the records together; None where there is no database for them.

    Opens nothing yet: a database that is away is no reason not to start.
    """
    database = open_database(settings)
    if database is None:
        return None
    keys = PurposeKeys(decoded_key(settings.pairwise_salt))
    keeper = SqlAudit(database, clock=foundation.clock, entropy=foundation.entropy)
    head_keys = HeadKeys(foundation, log_id=database.name)
    outbox = Outbox(foundation)
    trail = OutboxTrail(outbox, keys, clock=foundation.clock)
    signer = _signer(settings, foundation, keeper, head_keys, trail)
    refusals = RefusalSampler(
        trail, store=foundation.store, clock=foundation.clock, entropy=foundation.entropy
    )
    rounds = TrailRounds(trail, signer, store=foundation.store, clock=foundation.clock)
    guests = guest_records(
        settings,
        foundation,
        database=database,
        audit=keeper,
        trail=refusals,
        outbox=outbox,
        purposes=keys,
    )
    rounds.also(guests.rounds.once)
    sources = SourceSealing(guests.keys, entropy=foundation.entropy)
    trail.sources = sources
    rounds.also(refusals.once)
    desks: dict[str, Desk] = {
        audit_writing.DESK: TrailDesk(keeper, written=signer.written, sources=sources).deliver,
        guest_memory.DESK: guests.memory.deliver,
    }
    marks = SqlOutboxMarks(database)
    writer = OutboxWriter(
        outbox, foundation, desks=desks, afterwards=rounds.once, marks=marks, runner=runner
    )
    guests.erasure.deliver_first(writer.once)

    def close() -> None:
        writer.stop()
        database.close()
        guests.close()

    token = settings.audit_token
    return Records(
        database=database,
        keys=keys,
        outbox=outbox,
        writer=writer,
        trail=trail,
        refusals=refusals,
        keeper=keeper,
        head_keys=head_keys,
        signer=signer,
        rounds=rounds,
        guests=guests,
        copies_file=copies_file(settings.audit_heads),
        guest_rows=guests.rows,
        profile_of=guests.memory.profile_of,
        auditor_token=None if token is None else token.get_secret_value(),
        close=close,
    )


def _signer(
    settings: Settings,
    foundation: Foundation,
    keeper: SqlAudit,
    keys: HeadKeys,
    trail: OutboxTrail,
) -> HeadSigner:
    return HeadSigner(
        keeper,
        keys,
        every=settings.audit_head_every,
        age=settings.audit_head_age,
        copies=head_copies(settings.audit_heads),
        store=foundation.store,
        note=AuditNotes(trail, clock=foundation.clock, entropy=foundation.entropy),
    )


def open_database(settings: Settings) -> SqlRecords | None:
    """Return the database of the records; None where there is none. Connects at its first use."""
    url = records_url(settings)
    if url is None:
        return None
    return SqlRecords(
        RecordsPlace(
            url=url,
            pool=settings.records_pool,
            patience=settings.records_timeout,
            prepared_statements=settings.records_statements,
        )
    )


def records_url(settings: Settings) -> str | None:
    """Return where the records are: what is set, or a file beside the embedded store's."""
    if settings.records_url is not None:
        return settings.records_url
    return f"sqlite:///{beside(settings.store_path, RECORDS_FILE)}" if settings.embedded else None
