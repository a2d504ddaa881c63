"""The form that every report's content has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from insightdesk.kit.local_time import instant
from insightdesk.reports.exports.models import ReportType
from insightdesk.reports.exports.schemas import ExportFilters
from insightdesk.reports.exports.table import Chart, Column, Row

Query = Select[*tuple[Any, ...]]
"""The columns of a report, as the database gives them."""

BATCH = 2_000
"""Rows that are held at a time."""


@dataclass(frozen=True)
class Scope:
    """Whose report, of what.

    Attributes:
        zone: the organization's; days and hours are those of its calendar.
    """

    organization_id: str
    organization_name: str
    zone: ZoneInfo
    report_type: ReportType
    filters: ExportFilters

    @property
    def start(self) -> datetime | None:
        """The first moment that counts."""
        return self._midnight(self.filters.from_day)

    @property
    def end(self) -> datetime | None:
        """The first moment that counts no more: the midnight after the last day."""
        return self._midnight(self.filters.to_day + timedelta(days=1)) if self.filters.to_day else None

    def _midnight(self, day: date | None) -> datetime | None:
        # Where a change of clocks skips midnight, this is the moment of the change.
        return instant(day, time.min, self.zone) if day else None


@dataclass(frozen=True)
class Content:
    """A report's columns, rows and pictures.

    Attributes:
        begins: when the period begins that has no first day, in words.
        count: how many rows there are.
        rows: the rows, some thousand at a time, read in the transaction that counted them.
    """

    title: str
    columns: Sequence[Column]
    charts: Sequence[Chart]
    count: Callable[[AsyncSession], Awaitable[int]]
    rows: Callable[[AsyncSession], AsyncIterator[Sequence[Row]]]
    begins: str = "the beginning"


def period(scope: Scope, moment: InstrumentedAttribute[datetime]) -> list[ColumnElement[bool]]:
    """The conditions that ``from`` and ``to`` put on a column."""
    conditions = []
    if scope.start is not None:
        conditions.append(moment >= scope.start)
    if scope.end is not None:
        conditions.append(moment < scope.end)
    return conditions


def counted(query: Query) -> Callable[[AsyncSession], Awaitable[int]]:
    """A function that counts the rows of ``query``."""

    async def count(session: AsyncSession) -> int:
        return await session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0

    return count


def streamed(
    query: Query, convert: Callable[[Row], Row]
) -> Callable[[AsyncSession], AsyncIterator[Sequence[Row]]]:
    """A function that reads ``query`` through a cursor of the server's."""

    async def rows(session: AsyncSession) -> AsyncIterator[Sequence[Row]]:
        result = await session.stream(query.execution_options(yield_per=BATCH))
        async for part in result.partitions(BATCH):
            yield [convert(tuple(row)) for row in part]

    return rows
