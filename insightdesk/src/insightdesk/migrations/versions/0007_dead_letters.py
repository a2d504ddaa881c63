"""Jobs that failed for good."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _moment(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _user(name: str) -> tuple[sa.Column[object], sa.ForeignKeyConstraint]:
    constraint = sa.ForeignKeyConstraint(
        [name], ["users.id"], name=op.f(f"fk_dead_letters_{name}"), ondelete="SET NULL"
    )
    return sa.Column(name, sa.Text()), constraint


def upgrade() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text()),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("queue", "job_id", "name", "error_class", "error", "trace", "fingerprint")
        ),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("payload", sa.Text()),
        sa.Column("options", postgresql.JSONB(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("stalls", sa.Integer(), nullable=False),
        _moment("failed_at", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("replay_of", sa.Text()),
        sa.Column("note", sa.Text()),
        _moment("acknowledged_at"),
        _moment("retried_at"),
        _moment("resolved_at"),
        *_user("acknowledged_by"),
        *_user("retried_by"),
        *_user("resolved_by"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_dead_letters_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
        sa.UniqueConstraint(
            "queue", "job_id", "failed_at", name=op.f("uq_dead_letters_queue_job_id_failed_at")
        ),
    )
    op.create_index("ix_dead_letters_recent", "dead_letters", ["organization_id", "failed_at"])
    op.create_index("ix_dead_letters_group", "dead_letters", ["fingerprint", "organization_id", "failed_at"])
    op.create_index("ix_dead_letters_failed_at", "dead_letters", ["failed_at"])
    op.create_table(
        "dead_letter_cursors",
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        _moment("saved_at", nullable=False),
        sa.PrimaryKeyConstraint("queue", name=op.f("pk_dead_letter_cursors")),
    )


def downgrade() -> None:
    op.drop_table("dead_letter_cursors")
    op.drop_table("dead_letters")
