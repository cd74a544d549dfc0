"""Attackers of the records, and what is in their hands: a role, a database, a store, a key."""

from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from memory_store import MemoryStore
from sqlalchemy import text
from trail_rig import HASHED, PATIENCE, TrailRig

from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.adapters.sql_rights import grant
from bff.crypto.trail_chain import BEGINNING, link
from bff.migrations.audit_rules import rules_of
from bff.ports import Entropy
from bff.records.checkpoint_signatures import (
    KeyStatement,
    public_of,
    signed_head,
    signed_statement,
    spelled,
)
from bff.trail_ports import SignedHead, TrailEntry

SERVICE: Final = "limited_service"
COLUMNS: Final = (*HASHED, "previous", "hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRole:
    """Has what the running service has: SQL, with the rights of its role, and no more.

    SQLite knows no roles: there it is whoever can make the service's process run SQL, and the
    triggers stand.
    """

    records: SqlRecords

    def run(self, *statements: str, **values: Any) -> list[Any]:
        """Run SQL; return the last rows."""

        def work(connection: Any) -> list[Any]:
            rows: list[Any] = []
            for statement in statements:
                result = connection.execute(text(statement), values)
                rows = list(result.all()) if result.returns_rows else []
            return rows

        return self.records.write(work)

    def last(self) -> tuple[int, bytes]:
        """Return number and hash of the last event."""
        rows = self.run("SELECT seq, hash FROM audit_events ORDER BY seq DESC LIMIT 1")
        return (rows[0].seq, bytes(rows[0].hash)) if rows else (0, BEGINNING)

    def insert_event(self, entry: TrailEntry, **changes: Any) -> int:
        """Insert an event that follows the last one, but for the changes; return its number."""
        seq, previous = self.last()
        row: dict[str, Any] = {
            "seq": seq + 1,
            "event_id": entry.event_id,
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
        row.setdefault("hash", link(tuple(row[name] for name in HASHED), row["previous"]))
        names = ", ".join(COLUMNS)
        marks = ", ".join(f":{name}" for name in COLUMNS)
        self.run(f"INSERT INTO audit_events ({names}) VALUES ({marks})", **row)
        return int(row["seq"])

    def insert_checkpoint(self, head: SignedHead) -> None:
        self.run(
            "INSERT INTO audit_heads (seq, hash, signed_at, key_id, signature) "
            "VALUES (:seq, :hash, :signed_at, :key_id, :signature)",
            seq=head.seq,
            hash=head.hash,
            signed_at=head.signed_at,
            key_id=head.key_id,
            signature=head.signature,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseOwner:
    """Owns the tables: takes the triggers away, and does to the log what they like."""

    role: ServiceRole

    def run(self, *statements: str, **values: Any) -> list[Any]:
        return self.role.run(*statements, **values)

    def drop_triggers(self) -> None:
        """Take away all that refuses changes."""

        def drop(connection: Any) -> None:
            for rule in rules_of(connection):
                on = "" if self.role.records.embedded else f" ON {rule.table}"
                connection.execute(text(f"DROP TRIGGER {rule.name}{on}"))

        self.role.records.write(drop)

    def rewrite(self, seq: int, *, rehash: bool) -> None:
        """Change an event; `rehash` makes every hash after it fit again."""
        self.run("UPDATE audit_events SET actor = 'somebody else' WHERE seq = :seq", seq=seq)
        if rehash:
            self.rehash(seq)

    def rehash(self, first: int) -> None:
        before = self.run("SELECT hash FROM audit_events WHERE seq = :seq", seq=first - 1)
        previous = bytes(before[0].hash) if before else BEGINNING
        for row in self.run("SELECT * FROM audit_events WHERE seq >= :s ORDER BY seq", s=first):
            own = link(tuple(getattr(row, name) for name in HASHED), previous)
            self.run(
                "UPDATE audit_events SET previous = :previous, hash = :own WHERE seq = :seq",
                previous=previous,
                own=own,
                seq=row.seq,
            )
            previous = own

    def cut(self, after: int) -> None:
        self.run("DELETE FROM audit_events WHERE seq > :after", after=after)

    def delete_checkpoints(self, *, after: int = 0) -> None:
        self.run("DELETE FROM audit_heads WHERE seq > :after", after=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOwner:
    """Owns the store: reads, deletes, overwrites and brings back entries, and decrypts none."""

    store: MemoryStore
    _kept: dict[str, bytes] = field(default_factory=dict)

    def names(self, beginning: str) -> list[str]:
        """Return the names of entries that begin like this."""
        begun = (name for name in self.store.names() if name.startswith(beginning))
        return [name for name in begun if self.store.get(name) is not None]

    def keep_a_copy(self, beginning: str) -> None:
        """Keep entries as they are now, to bring them back later."""
        for name in self.names(beginning):
            entry = self.store.get(name)
            assert entry is not None
            self._kept[name] = entry.value

    def bring_back(self) -> None:
        for name, value in self._kept.items():
            self.store.put(name, value, ttl=PATIENCE * 10_000)

    def delete(self, beginning: str) -> None:
        for name in self.names(beginning):
            self.store.delete(name)

    def overwrite(self, beginning: str) -> None:
        for name in self.names(beginning):
            self.store.put(name, b"not what was there", ttl=PATIENCE * 10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyThief:
    """Has the private half of a checkpoint key: a leaked old one, or one of their own."""

    seed: str = field(repr=False)

    @classmethod
    def with_own_key(cls, entropy: Entropy) -> "KeyThief":
        return cls(seed=spelled(entropy.bytes(32)))

    @property
    def public(self) -> str:
        return public_of(self.seed)

    def checkpoint(self, seq: int, digest: bytes, *, signed_at: int) -> SignedHead:
        return signed_head(seq, digest, seed=self.seed, signed_at=signed_at)

    def statement(self, *, replaces: str | None) -> dict[str, Any]:
        """Return the details of an event that introduces this key."""
        said = KeyStatement(key=self.public, begun="rotated", replaces=replaces)
        return {
            "head_key": said.key,
            "begun": said.begun,
            "replaces": said.replaces,
            "last_seq": None,
            "last_hash": None,
            "proof": signed_statement(said, self.seed),
            "vouched": None,
        }


def service_role(rig: TrailRig) -> ServiceRole:
    """Return the service's role at the database of a rig: one that was granted what it needs."""
    if rig.records.embedded:
        return ServiceRole(records=SqlRecords(RecordsPlace(url=rig.url, patience=PATIENCE)))
    with psycopg.connect(rig.url, autocommit=True) as owner:
        there = owner.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (SERVICE,)).fetchone()
        if there is None:
            owner.execute(f"CREATE ROLE {SERVICE} LOGIN")
    grant(rig.records, SERVICE)
    url = rig.url.replace("postgres@", f"{SERVICE}@")
    return ServiceRole(records=SqlRecords(RecordsPlace(url=url, patience=PATIENCE)))


def database_owner(rig: TrailRig) -> DatabaseOwner:
    return DatabaseOwner(role=ServiceRole(records=rig.records))
