"""The calendars that an organization's policies count by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.database import new_id
from insightdesk.kit import clock
from insightdesk.kit.errors import Invalid, NotFound
from insightdesk.sla import rules
from insightdesk.sla.calendar import NeverReached, Opening
from insightdesk.sla.changes import rules_changed
from insightdesk.sla.models import SlaCalendar, SlaPolicy, SlaTarget

REACH = timedelta(days=5 * 366)
"""A target must be reached within five years of a calendar's working time."""


@dataclass(frozen=True)
class Calendar:
    """A calendar as administrators see and write it; its parts are checked at the edge.

    Attributes:
        openings: do not overlap.
        country: whose public holidays are off, with those of its subdivision.
        own_days: further days off.
    """

    name: str
    time_zone: str
    openings: Sequence[Opening]
    country: str | None = None
    subdivision: str | None = None
    own_days: Sequence[date] = ()


async def list_calendars(session: AsyncSession, organization_id: str) -> dict[str, Calendar]:
    """The organization's calendars by id, in order of their names."""
    rows = await session.scalars(
        select(SlaCalendar).where(SlaCalendar.organization_id == organization_id).order_by(SlaCalendar.name)
    )
    return {
        row.id: Calendar(
            row.name,
            row.time_zone,
            [Opening(*opening) for opening in row.openings],
            row.country,
            row.subdivision,
            [date.fromisoformat(day) for day in row.own_days],
        )
        for row in rows
    }


async def create_calendar(session: AsyncSession, organization_id: str, wanted: Calendar) -> str:
    """A new calendar, which no policy uses yet.

    Returns:
        Its id.

    Raises:
        Invalid: The name is taken.
    """
    row = SlaCalendar(id=new_id(), organization_id=organization_id)
    await _save(session, row, wanted)
    return row.id


async def change_calendar(
    session: AsyncSession, organization_id: str, calendar_id: str, wanted: Calendar
) -> None:
    """Work at other hours; running clocks follow, as if it had been so from their start.

    Raises:
        NotFound: There is no such calendar.
        Invalid: The name is taken, or a policy promises what these hours do not reach.
    """
    row = await find_calendar(session, organization_id, calendar_id)
    if row is None:
        raise NotFound("calendar not found")
    await _save(session, row, wanted)
    targets = await session.scalars(
        select(SlaTarget)
        .join(SlaPolicy, SlaPolicy.id == SlaTarget.policy_id)
        .where(SlaPolicy.calendar_id == calendar_id)
    )
    minutes = [
        value
        for target in targets
        for value in (target.first_response_minutes, target.next_response_minutes, target.resolution_minutes)
        if value is not None
    ]
    require_reach(row, max(minutes, default=0.0))
    await rules_changed(session, organization_id)


async def delete_calendar(session: AsyncSession, organization_id: str, calendar_id: str) -> None:
    """Forget a calendar.

    Raises:
        NotFound: There is no such calendar.
        Invalid: A policy counts by it.
    """
    row = await find_calendar(session, organization_id, calendar_id)
    if row is None:
        raise NotFound("calendar not found")
    users = select(SlaPolicy.name).where(SlaPolicy.calendar_id == calendar_id).limit(1)
    used_by = await session.scalar(users)
    if used_by is not None:
        raise Invalid(f"the policy {used_by} counts by this calendar")
    await session.execute(delete(SlaCalendar).where(SlaCalendar.id == calendar_id))


async def find_calendar(session: AsyncSession, organization_id: str, calendar_id: str) -> SlaCalendar | None:
    """The organization's calendar with this id, locked against deletion and change."""
    found: SlaCalendar | None = await session.scalar(
        select(SlaCalendar)
        .where(SlaCalendar.id == calendar_id, SlaCalendar.organization_id == organization_id)
        .with_for_update()
    )
    return found


def require_reach(calendar: SlaCalendar | None, minutes: float) -> None:
    """Make sure that so much working time comes about within five years.

    Raises:
        Invalid: It does not.
    """
    now = clock.now()
    try:
        reached = rules.work_time(calendar).after(now, timedelta(minutes=minutes))
    except NeverReached:
        reached = now + 2 * REACH
    if reached - now > REACH:
        raise Invalid(f"the calendar has not {minutes:g} minutes of working time within five years")


async def _save(session: AsyncSession, row: SlaCalendar, wanted: Calendar) -> None:
    row.name, row.time_zone = wanted.name, wanted.time_zone
    row.openings = [[opening.weekday, opening.opens, opening.closes] for opening in wanted.openings]
    row.country, row.subdivision = wanted.country, wanted.subdivision
    row.own_days = sorted({day.isoformat() for day in wanted.own_days})
    row.changed_at = clock.now()
    try:
        async with session.begin_nested():
            session.add(row)
            await session.flush()
    except IntegrityError as error:
        if "uq_sla_calendars" not in str(error.orig):
            raise
        raise Invalid("name: a calendar of this name already exists") from None
