"""Finding the organizations whose local time has come, and noting that their run has begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Date, DateTime, Text, and_, column, exists, literal, select, values
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.models import Organization
from insightdesk.reports.local_runs.models import LocalRun


@dataclass(frozen=True)
class Run:
    """An organization's run of one local day."""

    organization_id: str
    day: date


async def zones(session: AsyncSession) -> Sequence[str]:
    """The names of all organizations' zones."""
    return (await session.scalars(select(Organization.time_zone).distinct().order_by("time_zone"))).all()


async def begin(
    session: AsyncSession,
    schedule: str,
    due: Mapping[str, tuple[date, datetime]],
    now: datetime,
    limit: int,
) -> Sequence[Run]:
    """Begin the runs of the organizations in these zones that have not begun theirs.

    An organization that was made after the moment was not there to be told.

    Args:
        due: the local day and its moment, by zone.
    """
    moments = values(
        column("zone", Text), column("day", Date), column("moment", DateTime(timezone=True)), name="moments"
    ).data([(zone, day, moment) for zone, (day, moment) in due.items()])
    begun = exists().where(
        LocalRun.organization_id == Organization.id,
        LocalRun.schedule == schedule,
        LocalRun.day == moments.c.day,
    )
    fresh = (
        select(Organization.id, literal(schedule), moments.c.day, literal(now, DateTime(timezone=True)))
        .join(
            moments,
            and_(Organization.time_zone == moments.c.zone, Organization.created_at <= moments.c.moment),
        )
        .where(~begun)
        .order_by(Organization.id)
        .limit(limit)
    )
    rows = await session.execute(
        insert(LocalRun)
        .from_select(["organization_id", "schedule", "day", "begun_at"], fresh)
        .on_conflict_do_nothing()
        .returning(LocalRun.organization_id, LocalRun.day)
    )
    return [Run(*row) for row in rows]
