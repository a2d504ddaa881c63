"""How well promises are kept: counted by policy, team, week and metric in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Date, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.models import Organization, Team
from insightdesk.sla.models import Metric, SlaClock, SlaPolicy


@dataclass(frozen=True)
class Attainment:
    """Promises of one kind that were decided in one week.

    Attributes:
        policy: the policy's name; None when it has been deleted since.
        team: the team's name; None for tickets without a team.
        week: its Monday, in the organization's time zone.
        met: clocks that ended in time.
        breached: clocks whose deadline passed; each counts in the week of its deadline.
    """

    policy: str | None
    team: str | None
    week: date
    metric: Metric
    met: int
    breached: int

    @property
    def rate(self) -> float:
        """The share of promises that were kept, from 0 to 1."""
        return self.met / (self.met + self.breached)


async def attainment(
    session: AsyncSession, organization_id: str, start: datetime, end: datetime
) -> Sequence[Attainment]:
    """What was promised and decided from ``start`` to before ``end``; running clocks do not count."""
    decided_at = func.coalesce(SlaClock.breached_at, SlaClock.fulfilled_at)
    zone = select(Organization.time_zone).where(Organization.id == organization_id).scalar_subquery()
    week = cast(func.date_trunc("week", func.timezone(zone, decided_at)), Date).label("week")
    rows = await session.execute(
        select(
            SlaPolicy.name.label("policy"),
            Team.name.label("team"),
            week,
            SlaClock.metric,
            func.count().filter(SlaClock.breached_at.is_(None)).label("met"),
            func.count().filter(SlaClock.breached_at.is_not(None)).label("breached"),
        )
        .outerjoin(SlaPolicy, SlaPolicy.id == SlaClock.policy_id)
        .outerjoin(Team, Team.id == SlaClock.team_id)
        .where(
            SlaClock.organization_id == organization_id,
            or_(SlaClock.breached_at.is_not(None), SlaClock.fulfilled_at.is_not(None)),
            decided_at >= start,
            decided_at < end,
        )
        .group_by(SlaPolicy.name, Team.name, week, SlaClock.metric)
        .order_by(week, SlaPolicy.name, Team.name, SlaClock.metric)
    )
    return [Attainment(**row._mapping) for row in rows]
