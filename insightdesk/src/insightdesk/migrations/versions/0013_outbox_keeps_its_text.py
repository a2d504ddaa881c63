"""The outbox keeps the JSON that will be sent as it was written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def _retype(type_: sa.types.TypeEngine[object], name: str) -> None:
    for column in ("data", "options"):
        op.alter_column("toril_outbox", column, type_=type_, postgresql_using=f"{column}::{name}")


def upgrade() -> None:
    _retype(sa.JSON(), "json")


def downgrade() -> None:
    _retype(postgresql.JSONB(), "jsonb")
