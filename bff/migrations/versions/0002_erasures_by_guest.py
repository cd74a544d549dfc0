"""Erasures are found by the guest: each writing of a guest asks for them."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("erasures_by_guest", "erasures", ["guest"])
