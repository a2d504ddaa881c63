"""Deliveries know their provider, and their keys belong to an organization"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("provider", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("provider_message_id", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("handed_over_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("deliveries", sa.Column("extra_sends", sa.Integer(), server_default="0", nullable=False))
    op.execute("UPDATE deliveries SET message_id = id WHERE message_id IS NULL")
    op.alter_column("deliveries", "message_id", nullable=False)
    op.drop_constraint("uq_deliveries_idempotency_key", "deliveries")
    op.create_unique_constraint(
        "uq_deliveries_organization_id_idempotency_key", "deliveries", ["organization_id", "idempotency_key"]
    )
    op.create_index("ix_deliveries_provider_message_id", "deliveries", ["provider_message_id"])


def downgrade() -> None:
    op.drop_index("ix_deliveries_provider_message_id", table_name="deliveries")
    op.drop_constraint("uq_deliveries_organization_id_idempotency_key", "deliveries")
    op.create_unique_constraint("uq_deliveries_idempotency_key", "deliveries", ["idempotency_key"])
    op.alter_column("deliveries", "message_id", nullable=True)
    for column in ("extra_sends", "handed_over_at", "provider_message_id", "provider"):
        op.drop_column("deliveries", column)
