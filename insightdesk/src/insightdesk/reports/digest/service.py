"""The daily digest, from the organization to each agent's mail.

scan -> `daily-digest` an organization -> `daily-digest-agent` an agent -> one mail, keyed by agent and day.
A digest that is made again sends nothing again, and one agent's failure is nobody else's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

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
from insightdesk.reports.digest import repository
from insightdesk.reports.digest.repository import OldTicket
from insightdesk.reports.local_runs.repository import Run
from insightdesk.settings import get_settings

TEMPLATE = "daily_digest"

_SUNDAY = 6


def period(day: date) -> tuple[date, date]:
    """The first and last day that the digest of ``day`` tells of.

    No digest goes out on Saturday and Sunday, so Monday's, which is Sunday's digest, begins with Friday.
    """
    return (day - timedelta(days=2) if day.weekday() == _SUNDAY else day), day


async def stage_organizations(session: AsyncSession, runs: Sequence[Run]) -> None:
    """Put one job an organization into the outbox, for the day before its run."""
    from insightdesk.reports.digest.jobs import daily_digest  # its module's handlers call us

    jobs = [
        daily_digest.options(job_id=f"digest-{run.organization_id}-{run.day}").new_job(
            organization_id=run.organization_id, date=run.day - timedelta(days=1)
        )
        for run in runs
    ]
    if jobs:
        await outbox.enqueue(session, daily_digest.queue, *jobs)


async def stage_agents(session: AsyncSession, organization_id: str, day: date) -> int:
    """Put one job an active agent who wants a digest into the outbox; returns how many.

    Raises:
        toril.Fail: There is no such organization.
    """
    from insightdesk.reports.digest.jobs import daily_digest_agent  # its module's handlers call us

    if await accounts.time_zone(session, organization_id) is None:
        raise toril.Fail("there is no such organization")
    agents = await accounts.ids_with_role(session, organization_id, Role.AGENT)
    unwilling = await preferences.opted_out(session, agents, TEMPLATE, Channel.EMAIL)
    jobs = [
        daily_digest_agent.options(job_id=f"digest-{agent}-{day}").new_job(
            organization_id=organization_id, agent_id=agent, date=day
        )
        for agent in sorted(agents - unwilling)
    ]
    if jobs:
        await outbox.enqueue(session, daily_digest_agent.queue, *jobs)
    return len(jobs)


async def send(session: AsyncSession, organization_id: str, agent_id: str, day: date, now: datetime) -> bool:
    """Stage an agent's digest.

    Returns:
        False when there is nothing to tell, or the agent has left.
    """
    agent = await accounts.find_user(session, organization_id, agent_id)
    zone_name = await accounts.time_zone(session, organization_id)
    if agent is None or agent.role is not Role.AGENT or zone_name is None:
        return False
    first, last = period(day)
    start, end = day_bounds(first, last, zone_of(zone_name))
    brought = await numbers.count(session, organization_id, start, end)
    own, oldest = await repository.own_queue(session, organization_id, agent_id)
    if not brought:
        return False
    await queue_mail(
        session,
        organization_id=organization_id,
        recipient=agent.email,
        template=TEMPLATE,
        data={
            "recipient": {"name": agent.name},
            "day": say_day(last) if first == last else f"{say_day(first)} to {say_day(last)}",
            "opened": brought.opened,
            "solved": brought.solved,
            "breached": brought.breached,
            "waiting": brought.waiting,
            "own": own,
            "oldest": [_told(ticket, now) for ticket in oldest],
            "url": get_settings().base_url,
        },
        key=f"daily-digest:{agent_id}:{day}",
        user_id=agent_id,
    )
    return True


def _told(ticket: OldTicket, now: datetime) -> dict[str, toril.Json]:
    return {
        "number": ticket.number,
        "subject": ticket.subject,
        "days": max((now - ticket.created_at).days, 0),
        "url": f"{get_settings().base_url}/?ticket={ticket.id}",
    }
