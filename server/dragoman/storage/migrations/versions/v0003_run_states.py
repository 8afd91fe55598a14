"""Where each run stands, so that another process can go on with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column."""
    op.add_column("runs", sa.Column("state", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("runs", "state")
