"""Circuits, suppressions, preferences, quiet hours and gathering of mails"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def _owned_table(name: str, *columns: sa.Column[object], unique: tuple[str, ...], **references: str) -> None:
    """A table whose rows belong to an organization, and refer to others by column."""
    op.create_table(
        name,
        *columns,
        *(sa.Column(column, sa.Text(), nullable=column == "message_id") for column in references),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{target}.id"], name=f"fk_{name}_{column}", ondelete="CASCADE"
            )
            for column, target in {**references, "organization_id": "organizations"}.items()
        ),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint(*unique, name=f"uq_{name}_{'_'.join(unique)}"),
    )


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("unsubscribe_url", sa.Text(), nullable=True))
    op.create_table(
        "mail_providers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_slot", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_mail_providers"),
    )
    op.create_table(
        "mail_webhook_calls",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mail_webhook_calls"),
    )
    op.create_index("ix_mail_webhook_calls_received_at", "mail_webhook_calls", ["received_at"])
    _owned_table(
        "mail_suppressions",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column(
            "reason",
            sa.Enum(
                "bounce",
                "complaint",
                "manual",
                name="reason",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        unique=("organization_id", "address"),
    )
    _owned_table(
        "mail_preferences",
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column(
            "channel",
            sa.Enum("email", "in_app", name="channel", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        unique=("user_id", "type", "channel"),
        user_id="users",
    )
    _owned_table(
        "mail_quiet_hours",
        sa.Column("starts", sa.Time(), nullable=False),
        sa.Column("ends", sa.Time(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=True),
        unique=("user_id",),
        user_id="users",
    )
    _owned_table(
        "mail_windows",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=True),
        unique=("ticket_id", "user_id", "kind"),
        ticket_id="tickets",
        user_id="users",
    )
    op.create_index("ix_mail_windows_user_id", "mail_windows", ["user_id"])
    _owned_table(
        "mail_notices",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        unique=("organization_id", "key"),
        window_id="mail_windows",
        message_id="messages",
    )
    op.create_index("ix_mail_notices_window_id", "mail_notices", ["window_id"])
    op.create_index("ix_mail_notices_message_id", "mail_notices", ["message_id"])
    op.create_index(
        "ix_mail_notices_untold", "mail_notices", ["window_id"], postgresql_where=sa.text("told_at IS NULL")
    )


def downgrade() -> None:
    for name in (
        "mail_notices",
        "mail_windows",
        "mail_quiet_hours",
        "mail_preferences",
        "mail_suppressions",
        "mail_webhook_calls",
        "mail_providers",
    ):
        op.drop_table(name)
    op.drop_column("deliveries", "unsubscribe_url")
