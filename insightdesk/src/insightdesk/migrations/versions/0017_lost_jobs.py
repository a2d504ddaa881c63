"""Deliveries know when their job was last looked for"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    now = sa.func.now()
    op.add_column(
        "deliveries",
        sa.Column("looked_for_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
    )
    op.create_index(
        "ix_deliveries_unsent",
        "deliveries",
        ["looked_for_at", "id"],
        postgresql_where=sa.text("state IN ('queued', 'sending')"),
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_unsent", table_name="deliveries")
    op.drop_column("deliveries", "looked_for_at")
