"""Facts about guests carry their times: no older one overwrites what a newer one has said.

Of rows from before it is known when the guest was last seen, and no more: all that stands there
is taken to have been said then. A conversation that was opened and cannot be continued has ended.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIMES = {
    "device_at": "device",
    "person_at": "person",
    "browser_at": "browser",
    "email_at": "email",
    "name_at": "name_sealed",
    "fields_at": "fields_sealed",
    "session_at": "session_sealed",
}


def upgrade() -> None:
    """Add the times, and the indexes that find what a browser or a person proves to be theirs."""
    op.add_column("guests", sa.Column("email_verified", sa.Boolean))
    for column in (*TIMES, "ended_at", "told_at"):
        op.add_column("guests", sa.Column(column, sa.BigInteger))
    op.add_column("guests", sa.Column("ties", sa.Text))
    for column, value in TIMES.items():
        op.execute(f"UPDATE guests SET {column} = seen_at WHERE {value} IS NOT NULL")  # noqa: S608
    op.execute("UPDATE guests SET told_at = seen_at")
    op.execute(
        "UPDATE guests SET ended_at = seen_at WHERE session_sealed IS NULL AND browser IS NOT NULL"
    )
    for name, columns in (
        ("guests_by_proof", ["tenant", "device", "browser", "person", "seen_at"]),
        ("guests_by_device_and_person", ["tenant", "device", "person", "seen_at"]),
    ):
        is_open = sa.text("session_sealed IS NOT NULL")
        op.create_index(name, "guests", columns, sqlite_where=is_open, postgresql_where=is_open)
