"""What is kept of guests, put together: rows, keys apart from them, memory and erasure."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from bff.adapters.sql_audit import SqlAudit
from bff.adapters.sql_engine import SqlRecords
from bff.adapters.sql_erasure import SqlErasures
from bff.adapters.sql_guests import SqlGuests
from bff.adapters.sql_imports import SqlImports
from bff.adapters.sqlite_store import SqliteStore
from bff.crypto.keyring import KeyRing
from bff.guests.live_guests import LiveGuests
from bff.ports import Clock, Entropy, Foundation, Store
from bff.records.audit_events import AuditTrail
from bff.records.deletion_calls import DeletionCalls
from bff.records.erasure import Erasure, ErasureRounds
from bff.records.guest_keys import GuestKeys
from bff.records.guest_marks import GuestMarks
from bff.records.guest_memory import GuestMemory
from bff.records.guest_records import GuestRecords
from bff.records.outbox import Outbox
from bff.records.purpose_keys import PurposeKeys
from bff.records.scrubbing import OwedScrubs, Scrub
from bff.settings import Settings

RING: Final = "guest-keys"
KEYS_FILE: Final = "-keys"
KEEP_RING_KEYS: Final = timedelta(days=365)
"""Everything is sealed anew minutes after a rotation; a service that was off has this long."""

NO_TENANT: Final = "-"


def guest_records(  # noqa: PLR0913 - called in one place, by keyword
    settings: Settings,
    foundation: Foundation,
    *,
    database: SqlRecords,
    audit: SqlAudit,
    trail: AuditTrail,
    outbox: Outbox,
    purposes: PurposeKeys,
) -> GuestRecords:
    """Put it together. The keys lie in a store of their own wherever that is a file."""
    key_store, files, close = _key_store(settings, foundation)
    ring = guest_key_ring(settings, key_store, clock=foundation.clock, entropy=foundation.entropy)
    of_keys = replace(foundation, store=key_store, sealer=ring)
    keys = GuestKeys(of_keys, ring=ring, scrub=_quickly(files), alias=purposes.pseudonym)
    rows, live, marks = SqlGuests(database), LiveGuests(foundation), GuestMarks(foundation.store)
    tenant = settings.genesys_deployment_id or NO_TENANT
    memory = GuestMemory(
        rows=rows,
        keys=keys,
        purposes=purposes,
        outbox=outbox,
        tenant=tenant,
        fields=settings.profile_fields,
        clock=foundation.clock,
        entropy=foundation.entropy,
        marks=marks,
        recall_age=settings.guest_recall_age,
    )
    erasure = Erasure(
        erasures=SqlErasures(database, audit=audit),
        rows=rows,
        keys=keys,
        sessions=live,
        outbox=outbox,
        scrubs=OwedScrubs(foundation.store, files=_scrubs(foundation.store, *files)),
        marks=marks,
        purposes=purposes,
        tenant=tenant,
        clock=foundation.clock,
        entropy=foundation.entropy,
    )
    secret = settings.deletion_secret
    calls = None
    if secret is not None:
        calls = DeletionCalls(
            erasure,
            secret=secret.get_secret_value(),
            store=foundation.store,
            trail=trail,
            clock=foundation.clock,
            entropy=foundation.entropy,
        )
    return GuestRecords(
        tenant=tenant,
        rows=rows,
        ring=ring,
        keys=keys,
        live=live,
        memory=memory,
        imports=SqlImports(database),
        purposes=purposes,
        erasure=erasure,
        rounds=ErasureRounds(erasure, keys, store=foundation.store),
        deletion_calls=calls,
        close=close,
    )


def guest_key_ring(
    settings: Settings, key_store: Store, *, clock: Clock, entropy: Entropy
) -> KeyRing:
    """Return the ring that seals the guests' keys."""
    return KeyRing(
        key_store,
        RING,
        master_keys=settings.master_keys,
        clock=clock,
        entropy=entropy,
        rotate_after=settings.key_lifecycle,
        keep_for=KEEP_RING_KEYS,
        search_pause=timedelta(0),
    )


def guest_keys_file(settings: Settings) -> Path | None:
    """Return the file of the guests' keys; None where they are in the shared store."""
    if not settings.embedded:
        return None
    return settings.guest_keys_path or beside(settings.store_path, KEYS_FILE)


def _key_store(
    settings: Settings, foundation: Foundation
) -> tuple[Store, list[SqliteStore], Callable[[], None]]:
    """Return the store of the keys, its file if it is one, and how to close it if it is ours."""
    path = guest_keys_file(settings)
    if path is None:
        return foundation.store, [], lambda: None
    store = SqliteStore(path, foundation.clock, foundation.entropy, thorough=True)
    return store, [store], store.close


def _quickly(files: list[SqliteStore]) -> Callable[[], None]:
    """Return what scrubs the keys' file at once, as far as it can be done without effort."""

    def scrub() -> None:
        for file in files:
            file.scrub()

    return scrub


def _scrubs(*stores: Store) -> list[Scrub]:
    """Return what scrubs those stores that are files of ours, thoroughly."""
    files = [store for store in stores if isinstance(store, SqliteStore)]
    return [partial(file.scrub, rebuild=True) for file in files]


def beside(path: Path, addition: str) -> Path:
    """Return a file in the same folder, whose name says whose neighbour it is."""
    return path.with_name(f"{path.stem}{addition}{path.suffix}")
