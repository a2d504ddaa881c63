"""Runs at local times, and what digests count by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "local_runs",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_local_runs_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "schedule", "day", name=op.f("pk_local_runs")),
    )
    op.create_index("ix_local_runs_begun_at", "local_runs", ["organization_id", "begun_at"])
    op.create_index("ix_tickets_resolved", "tickets", ["organization_id", "resolved_at"])
    op.create_index(
        "ix_tickets_unsolved",
        "tickets",
        ["organization_id", "assignee_id", "created_at"],
        postgresql_where=sa.text("status IN ('open', 'pending')"),
    )


def downgrade() -> None:
    op.drop_index("ix_tickets_unsolved", table_name="tickets")
    op.drop_index("ix_tickets_resolved", table_name="tickets")
    op.drop_table("local_runs")
