"""Auto-close: tags, warnings, follow-ups, and each organization's rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "auto_close_settings",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("after_days", sa.Integer(), nullable=True),
        sa.Column(
            "late_reply",
            sa.Enum(
                "reopen", "follow_up", name="late_reply", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.CheckConstraint("after_days BETWEEN 1 AND 365", name=op.f("ck_auto_close_settings_after_days")),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_auto_close_settings_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_auto_close_settings")),
    )
    op.add_column("tickets", sa.Column("close_warned_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tickets", sa.Column("follow_up_of", sa.Text(), nullable=True))
    op.add_column(
        "tickets",
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.create_foreign_key(
        op.f("fk_tickets_follow_up_of"), "tickets", "tickets", ["follow_up_of"], ["id"], ondelete="SET NULL"
    )
    op.create_index(op.f("ix_tickets_follow_up_of"), "tickets", ["follow_up_of"])
    op.create_index(
        "ix_tickets_auto_close",
        "tickets",
        ["resolved_at", "id"],
        postgresql_where=sa.text("status = 'resolved' AND NOT tags @> ARRAY['no-auto-close'::text]"),
    )


def downgrade() -> None:
    op.drop_index("ix_tickets_auto_close", table_name="tickets")
    op.drop_index(op.f("ix_tickets_follow_up_of"), table_name="tickets")
    op.drop_constraint(op.f("fk_tickets_follow_up_of"), "tickets", type_="foreignkey")
    op.drop_column("tickets", "tags")
    op.drop_column("tickets", "follow_up_of")
    op.drop_column("tickets", "close_warned_at")
    op.drop_table("auto_close_settings")
