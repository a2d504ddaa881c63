"""Retention: limits of an organization, the archive, receipts of erasures, and what deleting looks up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retention_settings",
        sa.Column("organization_id", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in (
                "archive_after_days", "purge_after_days", "delivery_days", "notification_days", "audit_days",
            )
        ),
        sa.CheckConstraint(
            "purge_after_days >= archive_after_days", name=op.f("ck_retention_settings_archive_before_purge")
        ),
        sa.CheckConstraint(
            "least(archive_after_days, delivery_days, notification_days, audit_days) > 0",
            name=op.f("ck_retention_settings_positive"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_retention_settings_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_retention_settings")),
    )  # fmt: skip
    op.create_table(
        "archived_tickets",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_archived_tickets_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archived_tickets")),
    )
    op.create_index("ix_archived_tickets_closed_at", "archived_tickets", ["organization_id", "closed_at"])
    op.create_index(
        "ix_archived_tickets_number", "archived_tickets", ["organization_id", "number"], unique=True
    )
    op.create_table(
        "erasure_receipts",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("records", postgresql.JSONB(), nullable=False),
        sa.Column("wanted", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_erasure_receipts_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["requested_by"],
            ["users.id"],
            name=op.f("fk_erasure_receipts_requested_by"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure_receipts")),
    )
    op.create_index("ix_erasure_receipts_recent", "erasure_receipts", ["organization_id", "requested_at"])
    op.create_index(
        "ix_tickets_closed",
        "tickets",
        ["organization_id", "closed_at"],
        postgresql_where=sa.text("status = 'closed'"),
    )
    op.create_index(op.f("ix_deliveries_ticket_id"), "deliveries", ["ticket_id"])
    op.create_index(op.f("ix_notifications_ticket_id"), "notifications", ["ticket_id"])
    op.create_index("ix_notifications_age", "notifications", ["organization_id", "created_at"])
    op.create_index(op.f("ix_sla_breaches_clock_id"), "sla_breaches", ["clock_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_sla_breaches_clock_id"), table_name="sla_breaches")
    op.drop_index("ix_notifications_age", table_name="notifications")
    op.drop_index(op.f("ix_notifications_ticket_id"), table_name="notifications")
    op.drop_index(op.f("ix_deliveries_ticket_id"), table_name="deliveries")
    op.drop_index("ix_tickets_closed", table_name="tickets")
    op.drop_table("erasure_receipts")
    op.drop_table("archived_tickets")
    op.drop_table("retention_settings")
