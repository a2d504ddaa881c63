"""Calendars, the next response, clocks that know what happened to them, escalation"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_FORMER_METRICS = ("first_response", "resolution")
_METRICS = ("first_response", "next_response", "resolution")
_ALL_POSITIVE = "first_response_minutes > 0 AND next_response_minutes > 0 AND resolution_minutes > 0"


def _owned(*columns: sa.schema.SchemaItem) -> list[sa.schema.SchemaItem]:
    owner = sa.ForeignKey("organizations.id", ondelete="CASCADE")
    return [
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), owner, nullable=False),
        *columns,
    ]


def _text(name: str, reference: str | None = None, ondelete: str | None = None) -> sa.Column[str]:
    keys = [sa.ForeignKey(reference, ondelete=ondelete)] if reference else []
    return sa.Column(name, sa.Text(), *keys, nullable=True)


def _action() -> sa.Column[str]:
    actions = sa.Enum(
        "reassign", "raise_priority", "tell_team",
        name="action", native_enum=False, create_constraint=True, length=40,
    )  # fmt: skip
    return sa.Column("action", actions, nullable=False)


def _metrics(names: tuple[str, ...]) -> None:
    allowed = ", ".join(f"'{name}'" for name in names)
    for table in ("sla_clocks", "sla_breaches"):
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS metric")
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_metric")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_metric CHECK (metric IN ({allowed}))")


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "sla_calendars",
        *_owned(
            sa.Column("name", sa.Text(), nullable=False),
            sa.Column("time_zone", sa.Text(), nullable=False),
            sa.Column("openings", postgresql.JSONB(), nullable=False),
            _text("country"),
            _text("subdivision"),
            sa.Column("own_days", postgresql.JSONB(), nullable=False),
            sa.Column("changed_at", moment, nullable=False),
            sa.UniqueConstraint("organization_id", "name"),
        ),
    )
    op.add_column("sla_policies", _text("calendar_id", "sla_calendars.id", "RESTRICT"))
    op.create_index("ix_sla_policies_calendar_id", "sla_policies", ["calendar_id"])
    op.add_column(
        "sla_policies", sa.Column("changed_at", moment, nullable=False, server_default=sa.func.now())
    )
    op.alter_column("sla_policies", "changed_at", server_default=None)
    op.add_column("sla_targets", sa.Column("next_response_minutes", sa.Double(), nullable=True))
    op.drop_constraint("ck_sla_targets_positive", "sla_targets")
    op.create_check_constraint("ck_sla_targets_positive", "sla_targets", _ALL_POSITIVE)
    _metrics(_METRICS)
    _clocks()
    op.create_table(
        "sla_escalation_steps",
        *_owned(
            sa.Column("after_minutes", sa.Double(), nullable=False),
            _action(),
            _text("user_id", "users.id", "CASCADE"),
            _text("team_id", "teams.id", "RESTRICT"),
            sa.UniqueConstraint(
                "organization_id", "after_minutes", "action", "team_id", postgresql_nulls_not_distinct=True
            ),
            sa.CheckConstraint("after_minutes >= 0", name="not_before"),
            sa.CheckConstraint("(action = 'reassign') = (user_id IS NOT NULL)", name="user"),
            sa.CheckConstraint("(action = 'tell_team') = (team_id IS NOT NULL)", name="team"),
        ),
    )
    op.create_table(
        "sla_escalations",
        *_owned(
            sa.Column(
                "clock_id", sa.Text(), sa.ForeignKey("sla_clocks.id", ondelete="CASCADE"), nullable=False
            ),
            sa.Column("after_minutes", sa.Double(), nullable=False),
            _action(),
            _text("user_id", "users.id", "SET NULL"),
            _text("team_id", "teams.id", "SET NULL"),
            sa.Column("taken_at", moment, nullable=False),
            sa.UniqueConstraint(
                "clock_id", "after_minutes", "action", "team_id", postgresql_nulls_not_distinct=True
            ),
        ),
    )


def _clocks() -> None:
    moment = sa.DateTime(timezone=True)
    op.drop_index("ix_sla_clocks_due", "sla_clocks")
    op.add_column(
        "sla_clocks", sa.Column("pauses", postgresql.JSONB(), nullable=False, server_default=sa.text("'[]'"))
    )
    op.alter_column("sla_clocks", "pauses", server_default=None)
    for name in ("warn_at", "next_at"):
        op.add_column("sla_clocks", sa.Column(name, moment, nullable=True))
    op.add_column("sla_clocks", sa.Column("escalated_minutes", sa.Double(), nullable=True))
    # Pauses were not kept one by one: their sum stands as one at the start.
    op.execute(
        """
        UPDATE sla_clocks SET
            warn_at = due_at - make_interval(secs => target_seconds / 4),
            next_at = CASE WHEN fulfilled_at IS NULL AND breached_at IS NULL AND paused_since IS NULL
                THEN CASE WHEN due_at - make_interval(secs => target_seconds / 4) < now()
                    THEN due_at ELSE due_at - make_interval(secs => target_seconds / 4) END END,
            version = version + 1,
            warned_at = CASE WHEN due_at - make_interval(secs => target_seconds / 4) < now()
                THEN due_at - make_interval(secs => target_seconds / 4) END,
            pauses =
                CASE WHEN due_at > started_at + make_interval(secs => target_seconds) THEN jsonb_build_array(
                    jsonb_build_array(started_at, due_at - make_interval(secs => target_seconds)))
                ELSE '[]'::jsonb END
                || CASE WHEN paused_since IS NOT NULL THEN jsonb_build_array(
                    jsonb_build_array(paused_since, NULL))
                ELSE '[]'::jsonb END
        """
    )
    op.alter_column("sla_clocks", "warn_at", nullable=False)
    op.create_index(
        "ix_sla_clocks_next", "sla_clocks", ["next_at", "id"], postgresql_where=sa.text("next_at IS NOT NULL")
    )
    op.create_index(
        "ix_sla_clocks_unstaged",
        "sla_clocks",
        ["next_at"],
        postgresql_where=sa.text("next_at IS NOT NULL AND staged_version < version"),
    )
    op.create_index(
        "ix_sla_clocks_open",
        "sla_clocks",
        ["organization_id", "id"],
        postgresql_where=sa.text("fulfilled_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("sla_escalations")
    op.drop_table("sla_escalation_steps")
    for name in ("ix_sla_clocks_next", "ix_sla_clocks_unstaged", "ix_sla_clocks_open"):
        op.drop_index(name, "sla_clocks")
    op.execute("DELETE FROM sla_clocks WHERE metric = 'next_response'")
    for name in ("pauses", "warn_at", "next_at", "escalated_minutes"):
        op.drop_column("sla_clocks", name)
    _metrics(_FORMER_METRICS)
    op.create_index(
        "ix_sla_clocks_due",
        "sla_clocks",
        ["due_at"],
        postgresql_where=sa.text("fulfilled_at IS NULL AND breached_at IS NULL AND paused_since IS NULL"),
    )
    op.drop_constraint("ck_sla_targets_positive", "sla_targets")
    op.drop_column("sla_targets", "next_response_minutes")
    op.create_check_constraint(
        "ck_sla_targets_positive", "sla_targets", "first_response_minutes > 0 AND resolution_minutes > 0"
    )
    op.drop_column("sla_policies", "changed_at")
    op.drop_column("sla_policies", "calendar_id")
    op.drop_table("sla_calendars")
