"""The report on kept promises: one row a week, policy, team and metric; as many rows as those are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.kit import clock
from insightdesk.reports.exports.contents.base import Content, Scope
from insightdesk.reports.exports.table import Chart, ChartKind, Column, Kind, Row
from insightdesk.sla import service as sla

_WEEKS = timedelta(weeks=12)
"""What is reported when no first day is given."""
_COLUMNS = (
    Column("Week of", width=12),
    Column("Policy", width=24),
    Column("Team", width=20),
    Column("Metric", width=16),
    Column("Met", Kind.NUMBER, 8),
    Column("Breached", Kind.NUMBER, 8),
    Column("Kept", Kind.PERCENT, 8),
)
_CHARTS = (
    Chart("Promises kept by week", ChartKind.RATE, 0, good=4, bad=5),
    Chart("By metric", ChartKind.RATE, 3, good=4, bad=5),
    Chart("By policy", ChartKind.RATE, 1, good=4, bad=5),
)


def attainment_content(scope: Scope) -> Content:
    """What was decided in the period; the last 12 weeks when it does not begin."""
    end = scope.end or clock.now()
    start = scope.start or max(end - _WEEKS, datetime(1970, 1, 1, tzinfo=UTC))

    async def rows_of(session: AsyncSession) -> Sequence[Row]:
        return [
            (
                str(found.week),
                found.policy,
                found.team,
                found.metric.value.replace("_", " "),
                found.met,
                found.breached,
                found.met / (found.met + found.breached),
            )
            for found in await sla.attainment(session, scope.organization_id, start, end)
        ]

    async def count(session: AsyncSession) -> int:
        return len(await rows_of(session))

    async def rows(session: AsyncSession) -> AsyncIterator[Sequence[Row]]:
        yield await rows_of(session)

    return Content("SLA attainment", _COLUMNS, _CHARTS, count, rows, begins="12 weeks before")
