"""Changes of promises that clocks do not follow yet"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "sla_changes",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("changed_at", moment, nullable=False),
        sa.Column("looked_for_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_sla_changes_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_sla_changes")),
    )


def downgrade() -> None:
    op.drop_table("sla_changes")
