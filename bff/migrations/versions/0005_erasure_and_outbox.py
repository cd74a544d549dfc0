"""Events of a person are found by the person: an erasure forgets from where they came."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = (
    ("audit_events_by_person", ["actor"], "actor_kind = 'person'"),
    ("audit_events_of_ends", ["at"], "actor_kind = 'system' AND action = 'session_revoked'"),
)


def upgrade() -> None:
    """Make the indexes."""
    for name, columns, which in INDEXES:
        where = sa.text(which)
        op.create_index(name, "audit_events", columns, sqlite_where=where, postgresql_where=where)
