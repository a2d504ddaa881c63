"""How the promises of all organizations stand, as numbers for the operator."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.sla.models import Metric, SlaClock

__all__ = ["STATES", "open_clocks", "seconds_behind"]

STATES = ("running", "paused", "due", "breached")


async def open_clocks(session: AsyncSession, now: datetime) -> Mapping[tuple[str, str], int]:
    """Count the clocks that are not fulfilled: (metric, state) -> how many, 0 too.

    One that is `due` is late, but nobody has recorded that yet; while a clock is paused it is never late.
    """
    state = case(
        (SlaClock.breached_at.is_not(None), "breached"),
        (SlaClock.paused_since.is_not(None), "paused"),
        (SlaClock.due_at <= now, "due"),
        else_="running",
    ).label("state")
    query = (
        select(SlaClock.metric, state, func.count())
        .where(SlaClock.fulfilled_at.is_(None))
        .group_by(SlaClock.metric, state)
    )
    counts = {(metric.value, each): 0 for metric in Metric for each in STATES}
    for metric, each, count in await session.execute(query):
        counts[metric.value, each] = count
    return counts


async def seconds_behind(session: AsyncSession, now: datetime) -> float:
    """For how long the clock that somebody should look at first has waited; 0 if none waits."""
    first = await session.scalar(select(func.min(SlaClock.next_at)).where(SlaClock.next_at.is_not(None)))
    return 0.0 if first is None else max(0.0, (now - first).total_seconds())
