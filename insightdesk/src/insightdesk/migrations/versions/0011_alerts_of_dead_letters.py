"""Alerts of dead letters, and how organizations want to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dead_letter_alert_settings",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("mail", sa.Boolean(), nullable=False),
        sa.Column("webhook_url", sa.Text()),
        sa.Column("webhook_secret", sa.Text()),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_dead_letter_alert_settings_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_dead_letter_alert_settings")),
    )
    op.create_table(
        "dead_letter_alerts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text()),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("letter_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_dead_letter_alerts_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["letter_id"],
            ["dead_letters.id"],
            name=op.f("fk_dead_letter_alerts_letter_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letter_alerts")),
        sa.UniqueConstraint(
            "owner", "fingerprint", "hour", name=op.f("uq_dead_letter_alerts_owner_fingerprint_hour")
        ),
    )
    op.create_index("ix_dead_letter_alerts_letter_id", "dead_letter_alerts", ["letter_id"])


def downgrade() -> None:
    op.drop_table("dead_letter_alerts")
    op.drop_table("dead_letter_alert_settings")
