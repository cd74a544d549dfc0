"""The tables of the guest records, on SQLite and PostgreSQL. Moments are µs since 1970, UTC.

What is personal stands here sealed only, under a key that lies elsewhere; what is looked for
stands here as a keyed fingerprint.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

from bff.migrations.audit_rules import LAST_SEQ

metadata: Final = MetaData()

FACT_TIMES: Final = (
    *("device_at", "person_at", "browser_at", "email_at", "name_at", "fields_at", "session_at"),
)
IS_OPEN: Final = "session_sealed IS NOT NULL"
"""A conversation that can be continued: what has ended has no session any more."""

guests: Final = Table(
    "guests",
    metadata,
    Column("guest_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    # Keyed fingerprints, hex: of the device id, the person, the e-mail, the browser's secret.
    Column("device", Text),
    Column("person", Text),
    Column("email", Text),
    Column("email_verified", Boolean),
    Column("browser", Text),
    # Sealed under the guest's own key; the context is table, column and guest.
    Column("email_sealed", LargeBinary),
    Column("name_sealed", LargeBinary),
    Column("fields_sealed", LargeBinary),
    Column("session_sealed", LargeBinary),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    # When each of them was said, and what decides between two that were said in one moment.
    *(Column(name, BigInteger) for name in FACT_TIMES),
    Column("ties", Text),
    # When the conversation ended, and when the guest last told something (imports tell nothing).
    Column("ended_at", BigInteger),
    Column("told_at", BigInteger),
    Column("version", Integer, nullable=False),
    Index("guests_by_device", "tenant", "device", "seen_at"),
    Index(
        "guests_by_proof",
        *("tenant", "device", "browser", "person", "seen_at"),
        sqlite_where=text(IS_OPEN),
        postgresql_where=text(IS_OPEN),
    ),
    Index(
        "guests_by_device_and_person",
        *("tenant", "device", "person", "seen_at"),
        sqlite_where=text(IS_OPEN),
        postgresql_where=text(IS_OPEN),
    ),
    Index("guests_by_person", "tenant", "person", "seen_at"),
    Index("guests_by_email", "tenant", "email"),
    Index("guests_by_age", "seen_at"),
)

audit_events: Final = Table(
    "audit_events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", Text, nullable=False, unique=True),
    Column("at", BigInteger, nullable=False),
    Column("written_at", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("guest", Text),
    Column("source_digest", Text),
    Column("details", Text, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("audit_events_by_time", "at"),
    Index("audit_events_by_guest", "guest", "seq"),
    Index(
        "audit_events_by_person",
        "actor",
        sqlite_where=text("actor_kind = 'person'"),
        postgresql_where=text("actor_kind = 'person'"),
    ),
    Index(
        "audit_events_of_ends",
        "at",
        sqlite_where=text("actor_kind = 'system' AND action = 'session_revoked'"),
        postgresql_where=text("actor_kind = 'system' AND action = 'session_revoked'"),
    ),
    CheckConstraint(f"seq <= {LAST_SEQ}", name="audit_events_seq_range"),
)
"""Only what follows is added, and nothing is changed: triggers see to it (`audit_rules`).

`hash` covers every column before it and `previous`.
"""

audit_sources: Final = Table(
    "audit_sources",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),
    Column("source", Text, nullable=False),
)
"""From where it came, an address: may be pruned. The event holds a salted digest of it."""

audit_heads: Final = Table(
    "audit_heads",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("signed_at", BigInteger, nullable=False),
    # A forged one must not keep the genuine one of the same event out.
    Column("key_id", Text, primary_key=True),
    Column("signature", LargeBinary, primary_key=True),
    CheckConstraint(f"seq <= {LAST_SEQ}", name="audit_heads_seq_range"),
)

audit_strays: Final = Table(
    "audit_strays",
    metadata,
    Column("origin", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("found_at", BigInteger, nullable=False),
)
"""Rows that somebody put into the log to end it; `db upgrade` set them aside, as JSON."""

erasures: Final = Table(
    "erasures",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("guest", Text, nullable=False),
    # Needed to finish after a crash; emptied when it is done.
    Column("guest_id", Text),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    # Asked for at each writing of a guest.
    Index("erasures_by_guest", "guest"),
)

imports: Final = Table(
    "imports",
    metadata,
    Column("name", Text, primary_key=True),
    Column("next_page", Integer, nullable=False),
    Column("new", Integer, nullable=False),
    Column("known", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

outbox_marks: Final = Table(
    "outbox_marks",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("generation", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)
"""How far each lane of the outbox is delivered."""
