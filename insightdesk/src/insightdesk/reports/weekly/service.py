"""The weekly report, from the organization to each administrator's mail; fanned out like the digest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk import outbox
from insightdesk.accounts import service as accounts
from insightdesk.accounts.models import Role
from insightdesk.email import preferences
from insightdesk.email.kinds import Channel
from insightdesk.email.service import queue_mail
from insightdesk.kit.local_time import day_bounds, say_day, zone_of
from insightdesk.reports import numbers
from insightdesk.reports.local_runs.repository import Run
from insightdesk.settings import get_settings
from insightdesk.sla import service as sla
from insightdesk.sla.service import Attainment

TEMPLATE = "weekly_report"

_WEEK = timedelta(days=7)


async def stage_organizations(session: AsyncSession, runs: Sequence[Run]) -> None:
    """Put one job an organization into the outbox, for the week before its run."""
    from insightdesk.reports.weekly.jobs import weekly_report_organization  # its handlers call us

    jobs = [
        weekly_report_organization.options(job_id=f"weekly-{run.organization_id}-{run.day}").new_job(
            organization_id=run.organization_id, week=run.day - _WEEK
        )
        for run in runs
    ]
    if jobs:
        await outbox.enqueue(session, weekly_report_organization.queue, *jobs)


async def stage_admins(session: AsyncSession, organization_id: str, week: date) -> int:
    """Put one job an administrator who wants a report into the outbox; returns how many."""
    from insightdesk.reports.weekly.jobs import weekly_report_admin  # its module's handlers call us

    admins = await accounts.ids_with_role(session, organization_id, Role.ADMIN)
    unwilling = await preferences.opted_out(session, admins, TEMPLATE, Channel.EMAIL)
    jobs = [
        weekly_report_admin.options(job_id=f"weekly-{admin}-{week}").new_job(
            organization_id=organization_id, admin_id=admin, week=week
        )
        for admin in sorted(admins - unwilling)
    ]
    if jobs:
        await outbox.enqueue(session, weekly_report_admin.queue, *jobs)
    return len(jobs)


async def send(session: AsyncSession, organization_id: str, admin_id: str, week: date) -> bool:
    """Stage an administrator's report of the seven local days that begin with ``week``.

    Returns:
        False when there is nothing to tell, or the administrator has left.
    """
    admin = await accounts.find_user(session, organization_id, admin_id)
    zone_name = await accounts.time_zone(session, organization_id)
    if admin is None or admin.role is not Role.ADMIN or zone_name is None:
        return False
    last = week + _WEEK - timedelta(days=1)
    start, end = day_bounds(week, last, zone_of(zone_name))
    brought = await numbers.count(session, organization_id, start, end)
    kept = await sla.attainment(session, organization_id, start, end)
    if not brought and not kept:
        return False
    await queue_mail(
        session,
        organization_id=organization_id,
        recipient=admin.email,
        template=TEMPLATE,
        data={
            "recipient": {"name": admin.name},
            "week": f"{say_day(week)} to {say_day(last)}",
            "opened": brought.opened,
            "solved": brought.solved,
            "breached": brought.breached,
            "unsolved": brought.unsolved,
            "attainment": [_told(part) for part in kept],
            "url": get_settings().base_url,
        },
        key=f"weekly-report:{admin_id}:{week}",
        user_id=admin_id,
    )
    return True


def _told(part: Attainment) -> dict[str, toril.Json]:
    return {
        "policy": part.policy or "a policy of the past",
        "team": part.team or "no team",
        "metric": part.metric.value.replace("_", " "),
        "met": part.met,
        "breached": part.breached,
        # Rounded down, so that 100 % means that none was broken.
        "percent": 100 * part.met // (part.met + part.breached),
    }
