"""The audit log refuses what does not follow: numbers, links and checkpoints, by the database.

Whatever was put there to end the log is set aside first; it stays in `audit_strays`.
"""

import sqlalchemy as sa
from alembic import context, op

from bff.migrations import audit_rules, audit_strays

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

RANGE = f"seq <= {audit_rules.LAST_SEQ}"
"""Not from below: an owner's event before the first one shall be found, and not only refused."""


def upgrade() -> None:
    """Set strays aside, let checkpoints of several signers stand side by side, add the rules."""
    connection = op.get_bind()
    op.create_table(
        "audit_strays",
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("found_at", sa.BigInteger, nullable=False),
    )
    context.config.attributes.setdefault("said", []).extend(audit_strays.set_aside(connection))
    if connection.dialect.name == "sqlite":
        _on_sqlite()
    else:
        _on_postgresql()
    for rule in audit_rules.rules_of(connection):
        audit_rules.lay_down(connection, rule)


def _on_postgresql() -> None:
    op.drop_constraint("audit_heads_pkey", "audit_heads", type_="primary")
    # A forged checkpoint must not keep the genuine one of the same event out.
    op.create_primary_key("audit_heads_pkey", "audit_heads", ["seq", "key_id", "signature"])
    for table in audit_rules.TABLES:
        op.create_check_constraint(f"{table}_seq_range", table, RANGE)


def _on_sqlite() -> None:
    """Make both tables anew: SQLite adds no constraint to a table that is there."""
    for table in audit_rules.TABLES:
        op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
        for name in ("audit_events_by_time", "audit_events_by_guest"):
            if table == "audit_events":
                op.execute(f"DROP INDEX IF EXISTS {name}")
    _tables()
    for table in audit_rules.TABLES:
        # A row whose number is none can only be a stray; those are gone.
        op.execute(f"INSERT INTO {table} SELECT * FROM {table}_before ORDER BY seq")  # noqa: S608 - names of ours
        op.execute(f"DROP TABLE {table}_before")


def _tables() -> None:
    op.create_table(
        "audit_events",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.Text, nullable=False, unique=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("written_at", sa.BigInteger, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("guest", sa.Text),
        sa.Column("source_digest", sa.Text),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.CheckConstraint(RANGE, name="audit_events_seq_range"),
    )
    op.create_index("audit_events_by_time", "audit_events", ["at"])
    op.create_index("audit_events_by_guest", "audit_events", ["guest", "seq"])
    op.create_table(
        "audit_heads",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("signed_at", sa.BigInteger, nullable=False),
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("signature", sa.LargeBinary, primary_key=True),
        sa.CheckConstraint(RANGE, name="audit_heads_seq_range"),
    )
