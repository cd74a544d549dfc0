"""A database as versions before this one left it: at migration 0002, with events and heads."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text
from trail_rig import HASHED, TrailRig

from bff.adapters import sql_migrations
from bff.adapters.sql_engine import SqlRecords
from bff.crypto.trail_chain import BEGINNING, link
from bff.records.checkpoint_signatures import public_of, signed_head, spelled
from bff.trail_ports import SignedHead, micros

BEFORE: Final = "0002"
KEYS: Final = "audit-head-keys:keys"
_EVENT: Final = (*HASHED, "previous", "hash")


def make_old_tables(records: SqlRecords) -> None:
    records.write(lambda connection: sql_migrations.upgrade(connection, to=BEFORE))


def fill_old_tables(records: SqlRecords, rig: TrailRig, count: int) -> list[bytes]:
    """Insert events as that version did; return their hashes."""
    hashes, previous = [], BEGINNING
    for number in range(1, count + 1):
        row = old_event(rig, number, previous)
        insert(records, "audit_events", row)
        previous = row["hash"]
        hashes.append(previous)
    return hashes


def old_event(rig: TrailRig, number: int, previous: bytes, **changes: Any) -> dict[str, Any]:
    entry = rig.entry(number % 1000)
    row: dict[str, Any] = {
        "seq": number,
        "event_id": f"event-{number}",
        "at": entry.at,
        "written_at": entry.at,
        "action": entry.action,
        "outcome": entry.outcome,
        "actor_kind": entry.actor_kind,
        "actor": entry.actor,
        "guest": entry.guest,
        "source_digest": None,
        "details": entry.details,
        "previous": previous,
        **changes,
    }
    row["hash"] = link(tuple(row[name] for name in HASHED), previous)
    return row


def insert_head(records: SqlRecords, head: SignedHead) -> None:
    row = {"seq": head.seq, "hash": head.hash, "signed_at": head.signed_at}
    insert(records, "audit_heads", {**row, "key_id": head.key_id, "signature": head.signature})


def insert(records: SqlRecords, table: str, row: dict[str, Any]) -> None:
    names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
    statement = text(f"INSERT INTO {table} ({names}) VALUES ({marks})")
    records.write(lambda connection: connection.execute(statement, row))


def old_keys(rig: TrailRig, count: int = 1) -> list[str]:
    """Put keys into the store as that version did; return their private halves, oldest first."""
    seeds = [spelled(rig.foundation.entropy.bytes(32)) for _ in range(count)]
    now = rig.clock.now()
    times = [now + timedelta(days=number) for number in range(count)]
    keys = [
        f'{{"public":"{public_of(seed)}","since":"{at.isoformat()}","until":{_until(times, n)}}}'
        for n, (seed, at) in enumerate(zip(seeds, times, strict=True))
    ]
    rig.clock.advance(times[-1] - now)
    sealed_at = rig.clock.now().isoformat()
    record = f'{{"seed":"{seeds[-1]}","keys":[{",".join(keys)}],"sealed_at":"{sealed_at}"}}'
    sealed = rig.foundation.sealer.seal(record.encode(), context=KEYS)
    rig.store.put(KEYS, sealed, ttl=timedelta(days=3650))
    return seeds


def _until(times: Sequence[Any], number: int) -> str:
    return f'"{times[number + 1].isoformat()}"' if number + 1 < len(times) else "null"


def old_head(rig: TrailRig, seed: str, seq: int, digest: bytes) -> SignedHead:
    return signed_head(seq, digest, seed=seed, signed_at=micros(rig.clock.now()))
