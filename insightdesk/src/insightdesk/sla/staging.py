"""Handing a clock's check to the queue, at its deadline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.sla.models import SlaClock
from toril import outbox

HORIZON = timedelta(hours=24)
"""Only deadlines this near go to Valkey; the scan brings in the rest as they come near."""

_PREFIX = "sla"


def check_id(clock_id: str, version: int) -> str:
    """The id of the job that checks this version of a clock: the same check is never queued twice."""
    return f"{_PREFIX}-{clock_id}-{version}"


def is_stale(job_id: str, clock_id: str, version: int) -> bool:
    """Whether a check was staged by us for another version or cycle than the present one.

    A foreign producer's job has an id of another form, and is about whatever the clock says now.
    """
    return job_id.startswith(f"{_PREFIX}-") and job_id != check_id(clock_id, version)


async def stage_checks(session: AsyncSession, clocks: Sequence[SlaClock], now: datetime) -> int:
    """Put the checks of running clocks that are due within the horizon into the outbox."""
    from insightdesk.sla.jobs import check_sla  # the job's handler calls the service, which calls this

    near = [
        clock
        for clock in clocks
        if clock.fulfilled_at is None
        and clock.breached_at is None
        and clock.paused_since is None
        and clock.due_at - now <= HORIZON
    ]
    jobs = []
    for clock in near:
        clock.staged_version = clock.version
        delay = max((clock.due_at - now).total_seconds(), 0.0)
        options = check_sla.options(delay=delay, job_id=check_id(clock.id, clock.version))
        jobs.append(options.new_job(ticket_id=clock.ticket_id, check_type=clock.metric))
    if jobs:
        await outbox.enqueue(session, check_sla.queue, *jobs)
    return len(jobs)
