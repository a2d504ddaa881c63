"""The outbox's table."""

from __future__ import annotations

import sqlalchemy as sa

CHANNEL = "toril_outbox"
"""The channel that tells relays of a commit."""


def outbox_table(metadata: sa.MetaData, name: str = "toril_outbox") -> sa.Table:
    """Return the outbox's table, to be put into an application's own migrations."""
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        # JSON keeps the text that will be sent. JSONB would make floats of more digits into integers
        # that no JSON reader takes, and has no NUL.
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
    )


TABLE = outbox_table(sa.MetaData())
"""The table under its usual name."""
