"""How far the relay is behind."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .table import TABLE

MOST = 100_000
"""Rows that are counted at the most, so that counting costs little however many there are."""


class Backlog(NamedTuple):
    """What stands in the outbox.

    Attributes:
        rows: How many committed rows, `MOST` if there are more.
        age: Seconds since the oldest was written; 0 if there is none.
    """

    rows: int
    age: float


async def backlog(connection: AsyncConnection, table: sa.Table = TABLE) -> Backlog:
    """Look at the outbox."""
    some = sa.select(sa.literal(1)).select_from(table).limit(MOST).subquery()
    oldest = sa.select(table.c.created_at).order_by(table.c.id).limit(1).scalar_subquery()
    age = sa.func.extract("epoch", sa.func.clock_timestamp() - oldest)
    count = sa.select(sa.func.count()).select_from(some).scalar_subquery()
    rows, seconds = (await connection.execute(sa.select(count, sa.cast(age, sa.Double)))).one()
    return Backlog(rows, max(0.0, seconds or 0.0))
