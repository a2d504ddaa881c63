"""Teams; policies with a name, targets by priority; what attainment counts by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OUTCOME = "breached_at IS NOT NULL OR fulfilled_at IS NOT NULL"


def _owned(*columns: sa.schema.SchemaItem) -> list[sa.schema.SchemaItem]:
    owner = sa.ForeignKey("organizations.id", ondelete="CASCADE")
    return [
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), owner, nullable=False),
        *columns,
    ]


def upgrade() -> None:
    op.create_table(
        "teams",
        *_owned(
            sa.Column("name", sa.Text(), nullable=False),
            sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
            sa.UniqueConstraint("organization_id", "name"),
        ),
    )
    op.create_table(
        "team_members",
        *_owned(
            sa.Column("team_id", sa.Text(), sa.ForeignKey("teams.id", ondelete="CASCADE"), nullable=False),
            sa.Column("user_id", sa.Text(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
            sa.UniqueConstraint("team_id", "user_id"),
        ),
    )
    op.create_index("ix_team_members_user_id", "team_members", ["user_id"])
    _policies()
    for table in ("tickets", "sla_clocks"):
        op.add_column(
            table,
            sa.Column("team_id", sa.Text(), sa.ForeignKey("teams.id", ondelete="SET NULL"), nullable=True),
        )
        op.create_index(f"ix_{table}_team_id", table, ["team_id"])
    op.add_column(
        "sla_clocks",
        sa.Column(
            "policy_id", sa.Text(), sa.ForeignKey("sla_policies.id", ondelete="SET NULL"), nullable=True
        ),
    )
    op.create_index("ix_sla_clocks_policy_id", "sla_clocks", ["policy_id"])
    op.create_index(
        "ix_sla_clocks_outcome",
        "sla_clocks",
        ["organization_id", sa.text("coalesce(breached_at, fulfilled_at)")],
        postgresql_where=sa.text(_OUTCOME),
    )
    op.execute(
        "UPDATE sla_clocks SET policy_id = sla_policies.id FROM sla_policies "
        "WHERE sla_policies.organization_id = sla_clocks.organization_id"
    )


def _policies() -> None:
    """The former rows, one a priority, become the targets of one policy of each organization."""
    op.execute("CREATE TEMPORARY TABLE former_policies ON COMMIT DROP AS SELECT * FROM sla_policies")
    op.drop_table("sla_policies")
    op.create_table(
        "sla_policies",
        *_owned(
            sa.Column("name", sa.Text(), nullable=False),
            sa.Column("team_id", sa.Text(), sa.ForeignKey("teams.id", ondelete="RESTRICT"), nullable=True),
            sa.UniqueConstraint("organization_id", "name"),
        ),
    )
    op.create_index(
        "uq_sla_policies_team",
        "sla_policies",
        ["organization_id", "team_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "sla_targets",
        *_owned(
            sa.Column(
                "policy_id", sa.Text(), sa.ForeignKey("sla_policies.id", ondelete="CASCADE"), nullable=False
            ),
            sa.Column(
                "priority",
                sa.Enum(
                    "low",
                    "normal",
                    "high",
                    "urgent",
                    name="priority",
                    native_enum=False,
                    create_constraint=True,
                    length=40,
                ),
                nullable=False,
            ),
            sa.Column("first_response_minutes", sa.Double(), nullable=True),
            sa.Column("resolution_minutes", sa.Double(), nullable=True),
            sa.UniqueConstraint("policy_id", "priority"),
            sa.CheckConstraint("first_response_minutes > 0 AND resolution_minutes > 0", name="positive"),
        ),
    )
    op.execute(
        "INSERT INTO sla_policies (id, organization_id, name) "
        "SELECT gen_random_uuid()::text, organization_id, 'Standard' "
        "FROM (SELECT DISTINCT organization_id FROM former_policies) AS organizations"
    )
    op.execute(
        "INSERT INTO sla_targets "
        "(id, organization_id, policy_id, priority, first_response_minutes, resolution_minutes) "
        "SELECT former.id, former.organization_id, policy.id, former.priority, "
        "former.first_response_minutes, former.resolution_minutes "
        "FROM former_policies AS former JOIN sla_policies AS policy USING (organization_id)"
    )


def downgrade() -> None:
    op.drop_index("ix_sla_clocks_outcome", "sla_clocks")
    op.drop_column("sla_clocks", "policy_id")
    op.drop_column("sla_clocks", "team_id")
    op.drop_column("tickets", "team_id")
    op.create_table(
        "former_policies",
        *_owned(
            sa.Column("priority", sa.String(40), nullable=False),
            sa.Column("first_response_minutes", sa.Double(), nullable=False),
            sa.Column("resolution_minutes", sa.Double(), nullable=False),
            sa.UniqueConstraint(
                "organization_id", "priority", name="uq_sla_policies_organization_id_priority"
            ),
            sa.CheckConstraint(
                "first_response_minutes > 0 AND resolution_minutes > 0", name="ck_sla_policies_positive"
            ),
        ),
    )
    op.execute(
        "INSERT INTO former_policies "
        "SELECT target.id, target.organization_id, target.priority, "
        "target.first_response_minutes, target.resolution_minutes "
        "FROM sla_targets AS target JOIN sla_policies AS policy ON policy.id = target.policy_id "
        "WHERE policy.team_id IS NULL AND target.first_response_minutes IS NOT NULL "
        "AND target.resolution_minutes IS NOT NULL"
    )
    op.drop_table("sla_targets")
    op.drop_table("sla_policies")
    op.rename_table("former_policies", "sla_policies")
    op.drop_table("team_members")
    op.drop_table("teams")
